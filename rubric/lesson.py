"""A lesson as the rubric sees it: its cells with their tags, and what its code calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from rubric.tasks import Evidence, called

TASK = re.compile(r"\b[a-z][a-z0-9]*\.[a-z][a-z0-9-]*\b")
COLLAPSED = re.compile(r"<details>.*?</details>", re.DOTALL)
ASKS = ("task", "watch", "check")
"""The functions that take a task's name."""


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook.

    Args:
        id: which never changes.
        kind: ``markdown`` or ``code``.
        source: its text.
        tags: from its metadata.
    """

    id: str
    kind: str
    source: str
    tags: frozenset[str] = frozenset()

    @property
    def words(self) -> int:
        """How many words it has to be read; an answer that is collapsed does not count."""
        return len(re.findall(r"[\w'-]+", COLLAPSED.sub("", self.source)))

    @property
    def lines(self) -> int:
        """How many lines it has, without empty ones and the line ``%%box``."""
        return sum(bool(line.strip()) and not line.startswith("%%box") for line in self.source.splitlines())

    @property
    def tree(self) -> ast.Module:
        """Its Python code as a syntax tree, in which magics are calls of IPython's functions; an empty one for markdown."""
        transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
        return ast.parse(transform(self.source) if self.kind == "code" else "")

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """The calls of functions and methods that have one of these names."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and called(node) in names:
                yield node


@dataclass(frozen=True)
class Lesson:
    """A lesson, with what is known of the course's tasks and widgets.

    Args:
        name: of its notebook, such as ``02_containers``.
        cells: in their order.
        known: what is known of each task of the course, by its name.
        widgets: for each function that shows a widget, what the widget lacks; an empty tuple if it lacks nothing.
    """

    name: str
    cells: tuple[Cell, ...]
    known: Mapping[str, Evidence] = field(default_factory=dict)
    widgets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, name: str, notebook: Mapping[str, Any], known: Mapping[str, Evidence], widgets: Mapping[str, tuple[str, ...]]) -> Lesson:
        """The lesson in a notebook.

        Args:
            name: of the notebook, without its ending.
            notebook: its content, as in the file.
            known: see the class.
            widgets: see the class.
        """
        cells = (
            Cell(str(cell["id"]), str(cell["cell_type"]), "".join(cell["source"]), frozenset(cell["metadata"].get("tags", ())))
            for cell in notebook["cells"]
        )
        return cls(name, tuple(cells), known, widgets)

    @property
    def number(self) -> str:
        """Its number, two digits."""
        return self.name[:2]

    @property
    def code(self) -> tuple[Cell, ...]:
        """The code cells."""
        return tuple(cell for cell in self.cells if cell.kind == "code")

    @property
    def prose(self) -> tuple[Cell, ...]:
        """The markdown cells."""
        return tuple(cell for cell in self.cells if cell.kind == "markdown")

    def tagged(self, tag: str, kind: str = "") -> tuple[Cell, ...]:
        """The cells that have a tag, of one kind or of both."""
        return tuple(cell for cell in self.cells if tag in cell.tags and kind in ("", cell.kind))

    @property
    def objectives(self) -> tuple[str, ...]:
        """The numbered list of its first cell."""
        return numbered(self.cells[0].source)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks that its objectives or its code mention, sorted."""
        named = {name for line in self.objectives for name in TASK.findall(line) if name in self.known}
        calls = [call for cell in self.code for call in cell.calls(*ASKS) if call.args]
        asked = {str(call.args[0].value) for call in calls if isinstance(call.args[0], ast.Constant)}
        return tuple(sorted(named | asked))


def numbered(text: str) -> tuple[str, ...]:
    """The items of the numbered lists in a Markdown text, each with the lines that continue it."""
    return tuple(match[1].strip() for match in re.finditer(r"(?ms)^\d+\. (.+?)(?=^\d+\. |^\s*$|\Z)", text))
