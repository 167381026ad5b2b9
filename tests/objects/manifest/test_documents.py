"""YAML that can't be read is told by its line."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from lab.box.errors import UsageError
from tests.objects.manifests import WEB, content_of

LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(f"{n}: &{n} [{', '.join([f'*{a}'] * 10)}]\n" for a, n in pairwise("abcdefghi"))
"""Nine lines, and a billion values."""
TWICE = "kind: Pod\nkind: Pod\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WEB.replace("\n    emptyDir", "\n\t  emptyDir"), ["a tab at the start of line 10", "two spaces"]),
        ("a: [1, 2\n", ["Line 2", "indented"]),
        ("a: b: c", ["Line 1"]),
        (TWICE, ["Line 2", "kind stands here for the second time"]),
        ("spec: {a: 1, a: 2}", ["a stands here"]),
        ("", ["empty", "apiVersion"]),
        ("# nothing but a remark\n---\n", ["empty"]),
        ("pod.yaml", ["not a manifest", "read_text()"]),
        ("- a\n- b\n", ["not a manifest", "a list"]),
        (f"{WEB}\n---\n- a\n", ["not a manifest", f"Line {WEB.count(chr(10)) + 3}"]),
        ("a: !!python/object/apply:os.system [true]", ["not YAML"]),
        ("a: \x00", ["not YAML"]),
        ("[" * 10_000, ["can't be read"]),
        ("a: !!timestamp 2001-99-99", ["can't be read", "quote"]),
        ("image: {{ .Values.image }}", ["Line 1 has double braces", "helm template"]),
        ("a: &it 1\n---\nb: *it", ["Line 3", "undefined alias 'it'", "others do not know it"]),
        ("a: 1\nb: &it [*it]", ["Line 2", "contains itself"]),
        (LAUGHS, ["more than 100,000 values", "without anchors"]),
        ("a:\n\t- b", ["a tab at the start of line 2"]),
        ("text: |\n  a\n  \tb\nc: [", ["not YAML", "an open quote"]),
        ("? [1]\n: 2\n", ["not YAML"]),
    ],
)
def test_text_that_is_no_manifest_is_told_why(text: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        content_of(text)
    assert [word for word in words if word not in str(refused.value)] == []
    assert refused.value.try_next


def test_a_manifest_may_stand_between_lines_of_hyphens() -> None:
    assert content_of(f"---\n{WEB}\n---\n")["kind"] == "Pod"


def test_a_tab_in_a_text_is_part_of_it() -> None:
    assert content_of("script: |\n  if true\n  then\n  \tls\n  fi\n") == {"script": "if true\nthen\n\tls\nfi\n"}


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_a_manifest_may_be_json(indent: int | str | None) -> None:
    content = content_of(WEB)
    assert content_of(json.dumps(content, indent=indent)) == content
