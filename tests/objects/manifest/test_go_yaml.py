"""Words without quotes are what a cluster takes them for: the right column is what ``kubectl`` sends as JSON."""

from __future__ import annotations

import pytest

from tests.objects.manifests import content_of


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *((word, True) for word in ("y", "Y", "yes", "YES", "on", "On", "true", "TRUE")),
        *((word, False) for word in ("n", "N", "no", "No", "off", "OFF", "false")),
        *((word, None) for word in ("", "~", "null", "Null", "NULL")),
        ("0", 0), ("+5", 5), ("-7", -7), ("08", 8), ("017", 15), ("0022", 18), ("0o17", 15), ("0x1F", 31), ("0b11", 3), ("1_000", 1000),
        ("1e3", 1000), ("1.10", 1.1), ("1.", 1), (".5", 0.5), ("99999999999999999999", 99999999999999999999),
        *((text, text) for text in ("yEs", "nUll", "tRUE", "12:30", "1:20", "2001-12-14", "2001-13-45", "=", "<<", "0o8", "1e", "1.2.3")),
        *((f"'{text}'", text) for text in ("y", "1", "~", "1e3")),
    ],
)  # fmt: skip
def test_a_word_without_quotes_is_what_a_cluster_takes_it_for(written: str, value: object) -> None:
    found = content_of(f"it: {written}\n")["it"]
    assert (found, type(found)) == (value, type(value))


def test_a_key_is_text_whatever_it_looks_like() -> None:
    assert content_of("{1: a, y: b, 0x10: c, web: d}") == {"1": "a", "true": "b", "16": "c", "web": "d"}


def test_what_is_merged_in_gives_way_to_what_stands_there() -> None:
    assert content_of("base: &base {a: 1, b: 2}\nit: {<<: *base, b: 3}")["it"] == {"a": 1, "b": 3}
