"""YAML as Kubernetes reads it, which is not quite as Python does.

The rules are those of sigs.k8s.io/yaml, a YAML 1.1 in Go.  Of words without quotes, ``y`` and ``off`` are true and false, ``017`` and
``0o17`` are 15, ``1e3`` is 1000; ``12:30``, ``2001-12-14`` and ``=`` are text.  Then all becomes JSON, so that a key is text whatever it
looks like.  A key that stands twice in one mapping is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

from lab.box.errors import UsageError

MOST_NODES = 100_000
"""Values that a document may have; a few aliases of aliases make billions."""
TRUE, FALSE = ("y", "yes", "true", "on"), ("n", "no", "false", "off")
TAG = "tag:yaml.org,2002:"


def _as_written(words: tuple[str, ...]) -> str:
    """A pattern for words in small letters, with a capital, or all in capitals."""
    return "|".join(form for word in words for form in (word, word.capitalize(), word.upper()))


PLAIN = {
    "merge": "<<",
    "null": f"~|{_as_written(('null',))}|",
    "bool": _as_written(TRUE + FALSE),
    "int": r"[-+]?(?:0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|0|[1-9][0-9_]*)",
    "float": r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}
"""What a word without quotes is, by the first pattern that matches it; else it is text."""


class Loader(yaml.SafeLoader):
    """PyYAML's safe reader by these rules, which says in which line a value makes no sense."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's name and kind)
        None: [(TAG + name, re.compile(f"(?:{pattern})$")) for name, pattern in PLAIN.items()]
    }

    def get_node(self) -> yaml.Node | None:
        """The nodes of the next document, or of nothing.

        Raises:
            UsageError: it is nested too deep, or far too long.
            yaml.MarkedYAMLError: something in it contains itself.
        """
        try:
            node = super().get_node()
            if node and _size(node, {}) > MOST_NODES:
                why = f"With all that its aliases (*) stand for, it has more than {MOST_NODES:,} values."
                raise UsageError("The manifest can't be read.", why, "write out what is meant, without anchors (&)")
        except RecursionError:
            why = f"What is around line {self.line + 1} is nested too deep."
            raise UsageError("The manifest can't be read.", why, "look for brackets that are not closed") from None
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping, whose keys are text.

        Raises:
            yaml.MarkedYAMLError: a key stands there twice, or is no single value.
        """
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a single value", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} stands here for the second time", problem_mark=key.start_mark)
            seen.add(key.value)
        self.flatten_mapping(node)
        return {self._key(key): self.construct_object(value, deep) for key, value in node.value}

    def _key(self, node: yaml.Node) -> str:
        key = self.construct_object(node)
        return key if isinstance(key, str) else json.dumps(key)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value.

        Raises:
            UsageError: it makes no sense, such as a date that no calendar has, after its tag.
        """
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            why = f"Line {node.start_mark.line + 1}: {error}."
            raise UsageError("The manifest can't be read.", why, "put the value in quotes if it is text") from None


def _size(node: yaml.Node, sizes: dict[yaml.Node, int]) -> int:
    """How many values a node has when every alias is written out.

    Args:
        node: to be counted.
        sizes: of nodes that were counted already; 0 for those that are being counted.
    """
    if node not in sizes:
        sizes[node] = 0
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        sizes[node] = 1 + sum(_size(it, sizes) for pair in below for it in (pair if isinstance(pair, tuple) else (pair,)))
    if not sizes[node]:
        raise yaml.MarkedYAMLError(problem="what stands here contains itself, by an alias (*)", problem_mark=node.start_mark)
    return sizes[node]


def _text(loader: Loader, node: yaml.ScalarNode) -> str:
    """The two characters that merge one mapping into another, where they are a value."""
    return str(loader.construct_scalar(node))


def _bool(loader: Loader, node: yaml.ScalarNode) -> bool:
    return str(loader.construct_scalar(node)).lower() in TRUE


def _int(loader: Loader, node: yaml.ScalarNode) -> int:
    digits = str(loader.construct_scalar(node)).replace("_", "").lower()
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", digits)
    return int(f"{octal[1]}0o{octal[2]}" if octal else digits, 0)


def _float(loader: Loader, node: yaml.ScalarNode) -> float | int:
    """A number; one without a fraction is whole, however it is written, because JSON knows one kind of number."""
    digits = str(loader.construct_scalar(node)).replace("_", "").lower()
    number = float(digits.replace(".inf", "inf").replace(".nan", "nan"))
    return int(number) if number.is_integer() else number


Loader.add_constructor(TAG + "merge", _text)
Loader.add_constructor(TAG + "bool", _bool)
Loader.add_constructor(TAG + "int", _int)
Loader.add_constructor(TAG + "float", _float)
