"""A manifest's text, as a mapping.

YAML is read as strictly as a cluster reads it: a key that stands there twice is an error.  What can't be read is told by its line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.box.errors import UsageError
from lab.objects.fields import kind_of

if TYPE_CHECKING:
    import yaml


def load(text: str) -> dict[str, Any]:
    """The one manifest that a YAML text holds.

    Raises:
        UsageError: it is not YAML, is empty, or holds several manifests; with the line.
    """
    import yaml  # noqa: PLC0415  (only those who have text need it)

    try:
        documents = [it for it in yaml.load_all(text, _strict_loader()) if it is not None]
    except yaml.YAMLError as error:
        raise _no_yaml(text, error) from None
    except (RecursionError, ValueError) as error:  # nested without end, or a date that no calendar has
        raise UsageError("The manifest can't be read.", f"{error}.", "look for what is nested too deep, or quote the value") from None
    if not documents:
        raise UsageError("The manifest is empty.", "A pod has at least apiVersion, kind, metadata and spec.", "begin with: apiVersion: v1")
    if len(documents) > 1:
        why = f"Lines of three hyphens part it into {len(documents)}."
        raise UsageError("There are several manifests in this text, and this reads one.", why, "text.split('\\n---\\n'), and read each")
    if not isinstance(documents[0], dict):
        why = f"It is {kind_of(documents[0])}: {str(documents[0])[:60]!r}."
        raise UsageError("This is not a manifest.", why, "if it is a file's name: Path('pod.yaml').read_text()")
    return documents[0]


def _no_yaml(text: str, error: yaml.YAMLError) -> UsageError:
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            why = f"There is a tab at the start of line {number}, and YAML counts spaces."
            return UsageError("The manifest is not YAML.", why, "put two spaces for each step in the place of the tab")
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or getattr(error, "reason", "")
    where = f"Line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return UsageError(
        "The manifest is not YAML.", f"{where}{problem}.", "compare how far the lines are indented, and look for an open quote"
    )


def _strict_loader() -> type[yaml.SafeLoader]:
    """PyYAML's safe reader, which also refuses what it would take the last one of."""
    import yaml  # noqa: PLC0415

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value} stands here for the second time", problem_mark=key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Strict
