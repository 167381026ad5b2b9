"""A manifest's text, as one mapping for each of its documents, and as the YAML nodes that know their lines.

YAML is read as a cluster reads it: see ``go_yaml``.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.box.errors import UsageError
from lab.objects.manifest.fields import kind_of

if TYPE_CHECKING:
    import yaml


@dataclass(frozen=True)
class Document:
    """One document of a text; lines of three hyphens part it from others.

    Args:
        content: what it holds.
        node: the YAML nodes that this was made of; see ``lab.objects.manifest.position``.
    """

    content: dict[str, Any]
    node: yaml.Node


def documents(text: str) -> list[Document]:
    """The documents that a YAML text holds, at least one; those that hold nothing are left out.  JSON is YAML.

    Raises:
        UsageError: it is not YAML, is empty, or one is no mapping; names the line.
    """
    found = _documents(text)
    if not found:
        raise UsageError("The manifest is empty.", "A pod has at least apiVersion, kind, metadata and spec.", "begin with: apiVersion: v1")
    for content, node in found:
        if not isinstance(content, dict):
            why = f"Line {node.start_mark.line + 1}: it is {kind_of(content)}: {str(content)[:60]!r}."
            raise UsageError("This is not a manifest.", why, "if it is a file's name: Path('pod.yaml').read_text()")
    return [Document(content, node) for content, node in found]


def _documents(text: str) -> list[tuple[Any, yaml.Node]]:
    """The content and the nodes of each document in a text that holds anything."""
    import yaml  # noqa: PLC0415  (only those who have text need it)

    from lab.objects.manifest.go_yaml import Loader  # noqa: PLC0415

    found = []
    try:
        loader = Loader(_without_tabs(text) if text.lstrip().startswith("{") else text)
        while loader.check_node():
            if node := loader.get_node():
                found.append((loader.construct_document(node), node))
    except yaml.YAMLError as error:
        raise _no_yaml(text, error) from None
    return [(content, node) for content, node in found if content is not None]


def _without_tabs(text: str) -> str:
    """JSON may be indented by tabs, which YAML does not take: spaces in their place, as long as it is JSON.  Text in JSON has none."""
    with suppress(ValueError):
        json.loads(text)
        return text.replace("\t", " ")
    return text


def _no_yaml(text: str, error: yaml.YAMLError) -> UsageError:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    for number, line in enumerate(text.splitlines(), 1):
        if "{{" in line:
            why = f"Line {number} has double braces: this is a template, of which a program makes a manifest."
            return UsageError("The manifest is not YAML.", why, "fill it in first; for a Helm chart: helm template")
        if mark and number == mark.line + 1 and "\t" in line[: len(line) - len(line.lstrip())]:
            why = f"There is a tab at the start of line {number}, and YAML counts spaces."
            return UsageError("The manifest is not YAML.", why, "put two spaces for each step in the place of the tab")
    if mark and "undefined alias" in str(problem):
        why = f"Line {mark.line + 1}: {str(problem).removeprefix('found ')}."
        return UsageError("The manifest is not YAML.", why, "name it with & before, in the same document: others do not know it")
    if mark:
        why = f"Line {mark.line + 1}, column {mark.column + 1}: {problem}."
    else:  # a character that YAML does not allow
        why = f"Line {text.count(chr(10), 0, getattr(error, 'position', 0)) + 1}: {getattr(error, 'reason', error)}."
    return UsageError("The manifest is not YAML.", why, "compare how far the lines are indented, and look for an open quote")
