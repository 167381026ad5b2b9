"""What the source of a check, and of its tests, shows about how fair a task is.  Nothing is run.

Hints are counted where a ``Fact(…)`` is made; names are looked up within the same file.  A test counts for the tasks that it names,
in ``graded("pods.init", …)`` or as a parameter; its assertions say what it shows:

========  ==========================================================================
*empty*   nothing was done (``graded`` has the name alone), and the score is 0
*model*   the score is 1
*wrong*   a hint is found in the verdict; each case of a parametrised test counts
========  ==========================================================================
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

HINTS = 3
WRONG = 2


@dataclass(frozen=True)
class Evidence:
    """What the sources show about a task.

    Args:
        steps: the number of hints of the fact that has most of them.
        empty: how many tests show that doing nothing gives no points.
        model: how many tests show that a right answer gives all points.
        wrong: how many wrong answers are shown to get a hint.
        graded: whether it is worth points.
    """

    steps: int = 0
    empty: int = 0
    model: int = 0
    wrong: int = 0
    graded: bool = True

    @property
    def untested(self) -> tuple[str, ...]:
        """What no test shows, a text each."""
        lacks = {"no empty answer": not self.empty, "no model answer": not self.model, f"{self.wrong} wrong answers": self.wrong < WRONG}
        return tuple(words for words, lacking in lacks.items() if lacking)


def steps(check: str) -> int:
    """The number of hints of the fact that has most of them in a check.

    Args:
        check: the source of its module.
    """
    tree = ast.parse(check)
    values = _values(tree)
    facts = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) == "Fact"]
    given = [fact.args[3:4] or [keyword.value for keyword in fact.keywords if keyword.arg == "hints"] for fact in facts]
    return max((_size(hints, values) for one in given for hints in one), default=0)


def shown(source: str, tasks: Iterable[str]) -> dict[str, Evidence]:
    """What the tests of a module show, by the names of the tasks.

    Args:
        source: of the module.
        tasks: the names of all tasks.
    """
    tree, known = ast.parse(source), set(tasks)
    values = _values(tree)
    found: dict[str, Evidence] = {}
    for test in tree.body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            empty, model, wrong = _shows(test)
            for task, cases in _cases(test, values, known).items():
                more = Evidence(0, cases * empty, cases * model, cases * wrong)
                found[task] = added(found.get(task, Evidence()), more)
    return found


def added(one: Evidence, other: Evidence) -> Evidence:
    """What two sources show together."""
    most, graded = max(one.steps, other.steps), one.graded and other.graded
    return Evidence(most, one.empty + other.empty, one.model + other.model, one.wrong + other.wrong, graded)


def _values(tree: ast.Module) -> dict[str, list[ast.expr]]:
    """All values that a name is set to anywhere in a module, or that are passed for a parameter of that name."""
    found: dict[str, list[ast.expr]] = {}
    for name, value in [pair for node in ast.walk(tree) for pair in _set(node)] + list(_passed(tree)):
        found.setdefault(name, []).append(value)
    return found


def _set(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            for name, value in zip(target.elts, node.value.elts, strict=False) if both else [(target, node.value)]:  # type: ignore[attr-defined]
                yield ast.unparse(name), value


def _passed(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    functions = {node.name: [one.arg for one in node.args.args] for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for call in ast.walk(tree):
        name = called(call)
        if isinstance(call, ast.Call) and name in functions:
            parameters = functions[name]
            yield from zip(parameters[parameters[:1] == ["self"] :], call.args, strict=False)
            yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg)


def called(node: ast.AST) -> str:
    """The last part of the name of the function that is called; empty where there is no call of a name."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _size(hints: ast.expr, values: Mapping[str, list[ast.expr]], deep: int = 8) -> int:
    """How many texts a tuple of hints has, at most; names are followed up to *deep* times."""
    if isinstance(hints, ast.Tuple | ast.List):
        return sum(_size(one.value, values, deep - 1) if isinstance(one, ast.Starred) else 1 for one in hints.elts)
    if isinstance(hints, ast.BinOp):
        return _size(hints.left, values, deep - 1) + _size(hints.right, values, deep - 1)
    one_of = list(_one_of(hints, values)) if deep else []
    return max((_size(value, values, deep - 1) for value in one_of), default=0)


def _one_of(hints: ast.expr, values: Mapping[str, list[ast.expr]]) -> Iterator[ast.expr]:
    """The expressions that one may stand for: both sides of a condition, what a name is set to, the items of a dictionary."""
    if isinstance(hints, ast.IfExp):
        yield from (hints.body, hints.orelse)
    elif isinstance(hints, ast.Name):
        yield from values.get(hints.id, ())
    elif isinstance(hints, ast.Subscript):
        for dictionary in values.get(ast.unparse(hints.value), ()):
            yield from dictionary.values if isinstance(dictionary, ast.Dict) else ()


def _cases(test: ast.FunctionDef, values: Mapping[str, list[ast.expr]], known: set[str]) -> dict[str, int]:
    """With how many cases a test runs for each task that it names."""
    begun = {word for word in _words(test) if word.endswith(".")}  # of f"pods.{task}"

    def named(node: ast.AST) -> set[str]:
        words = _words(node)
        return known & (words | {one + word for one in begun for word in words})

    parameters = [list(_listed(mark, values)) for mark in test.decorator_list]
    tasks = named(test).union(*(named(case) for cases in parameters for case in cases))
    many = {task: [_of(task, [named(case) for case in cases]) for cases in parameters if cases] for task in tasks}
    return {task: prod(numbers) for task, numbers in many.items()}


def _of(task: str, cases: Sequence[set[str]]) -> int:
    """How many cases belong to a task: those that name it or, if no case names any task, all of them."""
    return sum(task in named for named in cases) if any(cases) else len(cases)


def _words(node: ast.AST) -> set[str]:
    return {word.value for word in ast.walk(node) if isinstance(word, ast.Constant) and isinstance(word.value, str)}


def _listed(mark: ast.expr, values: Mapping[str, list[ast.expr]]) -> Iterator[ast.expr]:
    """The cases of a ``@pytest.mark.parametrize``."""
    if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "parametrize":
        cases = mark.args[1]
        cases = values.get(cases.id, [cases])[0] if isinstance(cases, ast.Name) else cases
        yield from cases.elts if isinstance(cases, ast.List | ast.Tuple) else [cases]


def _shows(test: ast.FunctionDef) -> tuple[int, int, int]:
    """Whether a test shows the worth of an empty answer, of a right one, and of a wrong one: three numbers, 0 or 1."""
    asserted = [ast.unparse(node.test) for node in ast.walk(test) if isinstance(node, ast.Assert)]
    graded = [node for node in ast.walk(test) if isinstance(node, ast.Call) and called(node) == "graded"]
    nothing_done = any(len(call.args) == 1 for call in graded)
    worth = [text for text in asserted if "score" in text and "==" in text]
    hinted = any(" in hints(" in text or " in verdict.text(" in text for text in asserted)
    model = any(text.replace("pytest.approx(1)", "1").endswith(("== 1", "== 1.0")) for text in worth)
    return int(nothing_done and any(text.endswith("== 0") for text in worth)), int(model), int(hinted and not model)
