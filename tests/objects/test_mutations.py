"""A manifest with something wrong in it is read, or refused with a sentence; nothing that somebody types ends in a traceback."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from lab.box.errors import UsageError
from lab.objects.manifest.documents import documents
from lab.objects.spec import PodSpec, read
from tests.objects.test_real import FILES

MUTANTS = 10
"""Of each manifest, of each kind."""
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**70, 0.5, float("inf"), "", " ", "a b", "ÄÖ", "\0", "../../etc", "$(A", "1e999", "-", "a" * 300,
    [], [None], [[]], [{}], {}, {"a": None}, {"a": {"b": []}}, {"name": "x"}, ["a", 1], "true", "8080", "500m", "1Gi",
)  # fmt: skip
SCRAPS = (
    "\t",
    "  ",
    ":",
    "- ",
    "{",
    "]",
    '"',
    "'",
    "&a ",
    "*a",
    "!!int ",
    "|\n",
    "#",
    "---\n",
    "%",
    "é",
    "\0",
    "<<: ",
    "? ",
    "null",
    "~",
    "{{ x }}",
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every mapping or list in a value, with each of its keys or numbers."""
    for key, below in list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()):
        yield value, key
        yield from places(below)


def change(content: dict[str, Any], dice: random.Random) -> None:
    """Change one thing in a manifest."""
    where, key = dice.choice(list(places(content)))
    kind = dice.choice(("replace", "remove", "rename", "add", "double"))
    if kind == "remove":
        del where[key]
    elif kind == "rename" and isinstance(where, dict):
        where[dice.choice((f"{key}s", key[1:], key.upper(), f" {key}", ""))] = where.pop(key)
    elif kind == "add" and isinstance(where, dict):
        where[dice.choice(("name", "exec", "httpGet", "items", "nmae", "emptyDir", "value"))] = copy.deepcopy(dice.choice(ODD))
    elif kind == "double" and isinstance(where, list):
        where.append(copy.deepcopy(where[key]))
    else:
        where[key] = copy.deepcopy(dice.choice(ODD))


def spoil(text: str, dice: random.Random) -> str:
    """Put something odd into a text, or take some of it away."""
    at = dice.randrange(len(text))
    return text[:at] + dice.choice((*SCRAPS, "")) + text[at + dice.choice((0, 0, 1, 5)) :]


def is_read_or_refused(manifest: Any) -> bool:
    found = refusal = None
    try:
        found = read(manifest)
    except UsageError as error:
        refusal = error
    if refusal:
        assert all(refusal.args), (refusal, manifest)
        return False
    assert isinstance(found, PodSpec)
    assert read(found.source) == found
    return True


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_whatever_is_wrong_is_said(file: Any) -> None:
    text, dice = file.read_text(), random.Random(file.stem)  # noqa: S311  (the same ones each time)
    whole = {"apiVersion": "v1", "kind": "List", "items": [it.content for it in documents(text)]}
    for _ in range(MUTANTS):
        content = copy.deepcopy(whole)
        for _ in range(dice.choice((1, 1, 2, 3))):
            change(content, dice)
        is_read_or_refused(content)
        is_read_or_refused(spoil(text, dice))
