"""How a learner's own words are read that say what each node lacks."""

from __future__ import annotations

import pytest

from autograder.checks.nodes.packing import CPU, MEMORY, named_by

RIGHT = {"n1": {MEMORY}, "n2": {CPU, MEMORY}, "n3": {CPU}}


@pytest.mark.parametrize(
    "told",
    [
        "n1: memory, n2: cpu and memory, n3: cpu",
        "N1 lacks RAM. N2: processor, ram; N3 too little CPU",
        "n3: cpu\nn1: memory\nn2: memory, and too little cpu",
        "n1 has enough cpu but too little memory; n2 cpu, memory; n3 not enough cpu",
        "too little memory on n1; too little cpu and memory on n2; too little cpu on n3",
        "memory (n1), cpu + memory (n2), cpu (n3)",
    ],
)
def test_right_words_are_read_in_any_order(told: str) -> None:
    assert named_by(told, list(RIGHT)) == RIGHT


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("", {"n1": set(), "n2": set(), "n3": set()}),
        ("memory", {"n1": set(), "n2": set(), "n3": set()}),
        ("n1: memory, n2: memory", {"n1": {MEMORY}, "n2": {MEMORY}, "n3": set()}),
        ("all lack memory: n1, n2, n3", {"n1": {MEMORY}, "n2": set(), "n3": set()}),
        ("n12: memory", {"n1": set(), "n2": set(), "n3": set()}),
    ],
)
def test_what_is_not_said_is_not_read(told: str, read: dict[str, set[str]]) -> None:
    assert named_by(told, ["n1", "n2", "n3"]) == read
