"""Where a field stands in a manifest: its path and, where the manifest was read from text, its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml


@dataclass(frozen=True)
class Position:
    """The position of a field, or of an item of a list.  As text it is its path, with the line if there is one.

    Args:
        keys: the names of the fields that lead to it, and the numbers of items, counted from 0.
        document: the YAML nodes of the whole manifest; nothing where it was not read from text.
    """

    keys: tuple[str | int, ...] = ()
    document: yaml.Node | None = field(default=None, repr=False)

    def of(self, *keys: str | int) -> Position:
        """The position of what is below this one."""
        return Position((*self.keys, *keys), self.document)

    @property
    def line(self) -> int:
        """Counted from 1, in the whole text; of what is around the field, if that is missing.  0 where there is no text."""
        return self._found()[0]

    @property
    def written(self) -> str:
        """A single value as it stands in the text, such as ``1.10``; empty if it is none, or there is no text."""
        node = self._found()[1]
        return str(getattr(node, "value", "")) if getattr(node, "id", "") == "scalar" else ""

    def _found(self) -> tuple[int, yaml.Node | None]:
        """The line, and the node of the field; nothing in the place of a node that is missing."""
        if not (node := self.document):
            return 0, None
        line = node.start_mark.line
        for key in self.keys:
            below = _below(node, key)
            if not below:
                return line + 1, None
            line, node = below
        return line + 1, node

    def __str__(self) -> str:
        if not self.keys:
            return "The manifest"
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.keys).removeprefix(".")
        return f"{path} (line {self.line})" if self.line else path


WHOLE = Position()
"""Of a manifest that has no text."""


def _below(node: yaml.Node, key: str | int) -> tuple[int, yaml.Node] | None:
    """The line, counted from 0, and the node of a field or an item; nothing if there is none."""
    kind = getattr(node, "id", "")
    if kind == "sequence" and isinstance(key, int) and key < len(node.value):
        item: yaml.Node = node.value[key]
        return item.start_mark.line, item
    if kind == "mapping":
        # What << merges into a mapping stands before the mapping's own fields, which win.
        for name, value in reversed(node.value):
            if name.value == str(key):
                return name.start_mark.line, value
    return None
