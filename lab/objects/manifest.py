"""A manifest's text, as a mapping, and as the YAML nodes that know their lines.

YAML is read as strictly as a cluster reads it: a key that stands twice in one mapping is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.box.errors import UsageError
from lab.objects.fields import kind_of

if TYPE_CHECKING:
    import yaml


@dataclass(frozen=True)
class Manifest:
    """One manifest that was read from text.

    Args:
        content: what it holds.
        document: the YAML nodes that this was made of; see ``lab.objects.position``.
    """

    content: dict[str, Any]
    document: yaml.Node


def load(text: str) -> dict[str, Any]:
    """The content of the one manifest that a YAML text holds; see ``parse``."""
    return parse(text).content


def parse(text: str) -> Manifest:
    """The one manifest that a YAML text holds.

    Raises:
        UsageError: it is not YAML, is empty, or holds several manifests; names the line.
    """
    found = _documents(text)
    if not found:
        raise UsageError("The manifest is empty.", "A pod has at least apiVersion, kind, metadata and spec.", "begin with: apiVersion: v1")
    content, document = found[0]
    if len(found) > 1:
        why = f"Lines of three hyphens part it into {len(found)}; the second begins in line {found[1][1].start_mark.line + 1}."
        raise UsageError("There are several manifests in this text, and this reads one.", why, "text.split('\\n---\\n'), and read each")
    if not isinstance(content, dict):
        why = f"Line {document.start_mark.line + 1}: it is {kind_of(content)}: {str(content)[:60]!r}."
        raise UsageError("This is not a manifest.", why, "if it is a file's name: Path('pod.yaml').read_text()")
    return Manifest(content, document)


def _documents(text: str) -> list[tuple[Any, yaml.Node]]:
    """The content and the nodes of each document in a text that holds anything."""
    import yaml  # noqa: PLC0415  (only those who have text need it)

    found = []
    try:
        loader = _strict_loader()(text)
        while loader.check_node():
            if node := loader.get_node():
                found.append((loader.construct_document(node), node))
    except yaml.YAMLError as error:
        raise _no_yaml(text, error) from None
    return [(content, node) for content, node in found if content is not None]


def _no_yaml(text: str, error: yaml.YAMLError) -> UsageError:
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            why = f"There is a tab at the start of line {number}, and YAML counts spaces."
            return UsageError("The manifest is not YAML.", why, "put two spaces for each step in the place of the tab")
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark:
        why = f"Line {mark.line + 1}, column {mark.column + 1}: {problem}."
    else:  # a character that YAML does not allow
        why = f"Line {text.count(chr(10), 0, getattr(error, 'position', 0)) + 1}: {getattr(error, 'reason', error)}."
    return UsageError("The manifest is not YAML.", why, "compare how far the lines are indented, and look for an open quote")


def _strict_loader() -> type[yaml.SafeLoader]:
    """PyYAML's safe reader, which also refuses a key that stands twice in a mapping, and says in which line a value makes no sense."""
    import yaml  # noqa: PLC0415

    class Strict(yaml.SafeLoader):
        def get_node(self) -> yaml.Node | None:
            try:
                return super().get_node()
            except RecursionError:
                why = f"What is around line {self.line + 1} is nested too deep."
                raise UsageError("The manifest can't be read.", why, "look for brackets that are not closed") from None

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value} stands here for the second time", problem_mark=key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

        def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except ValueError as error:  # a date that no calendar has, say
                why = f"Line {node.start_mark.line + 1}: {error}."
                raise UsageError("The manifest can't be read.", why, "put the value in quotes if it is text") from None

    return Strict
