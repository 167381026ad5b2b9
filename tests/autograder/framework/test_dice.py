"""Drawing parameters: repeatable with a seed, and never twice the same port."""

from __future__ import annotations

import pytest

from autograder.framework.dice import FIRST_PORT, LAST_PORT, Dice


def test_a_seed_makes_what_is_drawn_repeatable() -> None:
    assert [Dice(1).nonce() for _ in range(2)] == [Dice(1).nonce()] * 2
    assert Dice(1).nonce() != Dice(2).nonce()


def test_without_a_seed_each_run_has_others() -> None:
    assert len({Dice().nonce() for _ in range(20)}) == 20


def test_ports_are_different_and_in_their_range() -> None:
    ports = Dice(1).ports(900)
    assert sorted(ports) == list(range(FIRST_PORT, LAST_PORT + 1))
    with pytest.raises(ValueError, match="larger"):
        Dice(1).ports(901)


def test_both_ends_can_be_drawn() -> None:
    dice = Dice(1)
    assert {dice.integer(3, 5) for _ in range(100)} == {3, 4, 5}
    assert {len(dice.some("abc", 1, 2)) for _ in range(100)} == {1, 2}
    assert {dice.one("abc") for _ in range(100)} == set("abc")


def test_no_choice_is_drawn_twice() -> None:
    assert sorted(Dice(1).some(range(9), 9, 9)) == list(range(9))
