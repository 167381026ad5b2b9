"""A recipe makes the same machine every time; a change that was made by hand on one machine is not on the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from autograder.checks.vms.ports import APP, CONTAINED, Port, bring_the_app, look_at, prepare
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import look_until
from lab.box.machine import Machine

ENDS_S, SERVES_S = 30, 15
APPLY = r"""
[ "$(head -c 2 "$recipe")" = '#!' ] && chmod +x "$recipe" || set -- bash
timeout -k 2 $ends_s "$@" "$recipe" < /dev/null > "$recipe.said" 2>&1
echo "code $?"
grep -v '^ *$' "$recipe.said" | tail -n 1 | tr -dc '[:print:]' | cut -c1-70
"""
"""The recipe's output goes to a file, so that the shell ends with the recipe although something in the background keeps its output open."""
TIME_IS_UP = (124, 137)
RECIPE = ("It is a script that somebody else starts as root, on a machine that you have never seen.", "sh -x FILE shows what it does.")
SERVE = (
    "A fresh machine has the app's source, and init; a line in /etc/inittab is read after kill -HUP 1.",
    "sh -x RECIPE, on your machine, says what it does.",
)
BY_HAND = ("A change by hand is made on the machine, and not in the recipe.", "sed -i, in /etc/inittab of the machine, say.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """A place for the recipe, a port, and what the app is to say: from the recipe, and after the change by hand."""
    words = {"greeting": f"hello-{dice.nonce()}", "by_hand": f"fixed-{dice.nonce()}"}
    return {"recipe": f"/root/{key}-recipe", "port": dice.ports(1)[0], **words}


@check("vms.golden-image", kind="program", parts=4, draw=draw, prepare=prepare, machines=("web",), timeout_s=240)
def golden_image(machine: Machine, task: Task) -> Iterator[Fact]:
    """Leave a recipe that makes a machine that serves, every time; change one machine by hand, and see that a fresh one is without it."""
    recipe = machine.sh(f"cat {task.recipe} 2>/dev/null").stdout
    made = _applied(task, recipe) if recipe.strip() else ()
    yield _ran(task, made, windows="\r\n" in recipe)
    for number, one in enumerate(made or (None, None), 1):
        saw = one.port.words if one else "not made"
        yield Fact(f"fresh machine {number}", one is not None and one.greets(task.greeting), saw, (_about(task, one), *SERVE))
    yield _lost(task, made)


@dataclass(frozen=True)
class Made:
    """A new machine after the recipe has run on it.

    Args:
        code: the recipe's exit code.
        last: line of its output.
        port: the app's port, some seconds later.
    """

    code: int
    last: str
    port: Port

    def greets(self, greeting: str) -> bool:
        """Whether the app itself says this greeting there."""
        return self.port.page("greeting") == greeting and not self.port.contained


def _applied(task: Task, recipe: str) -> tuple[Made, ...]:
    """Two new machines after the recipe has run on them; they are deleted when this returns."""
    from lab.box import machines  # noqa: PLC0415  (where this runs inside a box there are none to be had)

    names = [f"{task.key}-fresh-{number}" for number in (1, 2)]
    try:
        fresh = machines.fleet(*names)
        bring_the_app(*fresh)
        with ThreadPoolExecutor() as pool:
            return tuple(pool.map(lambda one: _apply(task, one, recipe), fresh))
    finally:
        machines.delete(*names)


def _apply(task: Task, fresh: Machine, recipe: str) -> Made:
    settings = f"recipe={task.recipe} ends_s={ENDS_S}\n"
    fresh.sh(f"cat > {task.recipe}", stdin=recipe.encode(), check=True)
    code, last, *_ = [*fresh.sh(settings + APPLY, timeout=2 * ENDS_S).stdout.splitlines(), "", ""]

    def look() -> Port:
        return look_at(fresh, task.port)[task.port]

    port = look_until("the app", lambda port: bool(port.page("greeting")), look, timeout_s=SERVES_S, every_s=1)
    return Made(int(code.removeprefix("code ")), last, port)


def _ran(task: Task, made: Sequence[Made], *, windows: bool) -> Fact:
    # What its last command returns does not matter where all is as it should be.
    bad = next((one for one in made if one.code and (one.code in TIME_IS_UP or not one.greets(task.greeting))), None)
    if not made:
        saw, hint = "there is none", f"It goes onto your box, into the file {task.recipe}."
    elif not bad:
        saw, hint = "ends well, on both", ""
    elif bad.code in TIME_IS_UP:
        saw, hint = f"not at its end after {ENDS_S} s", "It starts something, and waits for it to end."
    else:
        saw = f"ends with {bad.code}: {bad.last}"
        hint = "On a fresh machine it fails. Something that it needs is on yours alone."
        if windows:
            hint = "Its lines end as on Windows, and the shell takes the carriage return for a part of each command: sed -i 's/\\r$//' FILE"
    return Fact("your recipe", bool(made) and not bad, saw, (hint, *RECIPE))


def _about(task: Task, one: Made | None) -> str:
    if not one:
        return f"The check makes two machines that nobody has seen, and runs {task.recipe} on each."
    if one.greets(task.by_hand):
        return "It says what only the change by hand was to say: that is in your recipe now."
    if one.port.contained:
        return CONTAINED.format(port=task.port)
    if one.port.page("greeting"):
        return "The app runs, and says something else."
    return f"After your recipe the app is to answer on port {task.port} of a machine that had nothing but its source, {APP}."


def _lost(task: Task, made: Sequence[Made]) -> Fact:
    web = look_at(task.machines["web"], task.port)[task.port]
    changed = web.page("greeting") == task.by_hand
    fresh = bool(made) and all(one.greets(task.greeting) for one in made)
    if not changed:
        hint = f"On your machine web the app is to say {task.by_hand} on port {task.port}, because somebody went there and changed it."
        return Fact("a change by hand", ok=False, saw=f"your machine {web.words}", hints=(hint, *BY_HAND))
    saw = "is lost on a fresh machine" if fresh else "can't tell: the fresh ones do not say what they should"
    return Fact("a change by hand", fresh, saw, ("First, fresh machines are to serve as the recipe has it.", *BY_HAND))
