"""What follows from who was there at which moment, without a machine."""

from __future__ import annotations

import json

import pytest

from autograder.checks.deployments.timeline import Copy, Moment, Timeline, read

IMAGES = {"sha256:1": "v1", "sha256:2": "v2"}


def moment(words: str, at: float = 0.0) -> Moment:
    """A moment from words such as ``a1! b2``: the copy ``a`` of v1, which is ready, and ``b`` of v2, which is not."""
    there = {Copy(word[0], 1, f"v{word[1]}"): word.endswith("!") for word in words.split()}
    return Moment(at, frozenset(there), frozenset(copy for copy, ready in there.items() if ready))


def timeline(*moments: str) -> Timeline:
    return Timeline([moment(words, at) for at, words in enumerate(moments)], {})


@pytest.mark.parametrize(
    ("moments", "most"),
    [
        ((), 0),
        (("a1! b1!", "a1! b1! c2", "b1! c2!"), 3),
        (("a1! b1!", "a1! b1! c2 d2", "c2! d2!"), 4),
        (("a1! b1!", "a1! b1! c2!", "a1 b1! c2! d2"), 3),  # a was ready, and is about to end
        (("a1 b1", "a1 b1 c2 d2"), 4),  # none has been ready yet
    ],
)
def test_who_is_about_to_end_does_not_count(moments: tuple[str, ...], most: int) -> None:
    assert timeline(*moments).most == most


@pytest.mark.parametrize(
    ("moments", "least"),
    [
        ((), 0),
        (("a1! b1!", "a1! b1!", "a1! b1!", "a1! b1! c2!", "b1! c2!"), 2),
        (("a1! b1!", "a1! b1!", "b1! c2", "b1! c2!"), 2),  # between two looks c may have got ready before a ended
        (("a1! b1!", "b1! c2", "b1! c2", "b1! c2", "b1! c2!"), 1),
        (("a1! b1!", "", "", "", "c2! d2!"), 0),
    ],
)
def test_a_copy_was_ready_as_long_as_it_may_have_been(moments: tuple[str, ...], least: int) -> None:
    assert timeline(*moments).least_ready == least


def test_what_the_observer_notes_is_read() -> None:
    notes: list[dict[str, object]] = [
        {"at": 1.0, "copies": [["a", 7, "sha256:1", True], ["b", 8, "sha256:2", False], ["c", 9, "sha256:3", True]]},
        {"at": 1.1, "request": "answered"},
        {"at": 1.2, "request": "nobody"},
        {"at": 1.2, "request": "not sent"},
        {"at": 1.3, "engine": False},
    ]
    seen = read([*map(json.dumps, notes), '{"at": 1.4, "cop'], IMAGES)
    first, second = seen.moments
    assert first.versions == "1 of v1 (1 ready), 1 of v2 (0 ready)"
    assert {copy.id for copy in first.there - first.copies} == {"c"}
    assert (second.at, second.versions) == (1.3, "none")
    assert (seen.sent, seen.failed) == (2, 1)


def test_a_copy_that_was_started_anew_is_another() -> None:
    before, after = (read([json.dumps({"at": 1, "copies": [["a", pid, "sha256:1", True]]})], IMAGES).moments[0] for pid in (7, 8))
    assert before.copies != after.copies
