"""Whatever there is, the steps lead to what is wanted, and enough pods can be asked all the way."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.objects.rollout import Replica, Step, Wish, next_look_s, resolve, step

NOW = 1000.0
TEMPLATES = ("v1", "v2", "v3")


def ready(name: str, template: str = "v1", **more: object) -> Replica:
    return replace(Replica(name, template, created=1.0, ready_since=10.0), **more)


def starting(name: str, template: str = "v1", **more: object) -> Replica:
    return replace(Replica(name, template, created=900.0), **more)


def three(template: str = "v1") -> list[Replica]:
    return [ready(name, template) for name in "abc"]


@pytest.mark.parametrize(
    ("wish", "there", "expected"),
    [
        (Wish(3, "v1"), [], Step(3)),
        (Wish(3, "v1"), three(), Step()),
        (Wish(0, "v1"), three(), Step(0, ("a", "b", "c"))),
        (Wish(3, "v1"), three()[:2], Step(1)),
        (Wish(3, "v1"), [*three()[:2], ready("x", failed=True)], Step(1, ("x",))),
        (Wish(2, "v1"), [*three()[:2], starting("x")], Step(0, ("x",))),
        # An update: one more at a time, and none goes before another can be asked.
        (Wish(3, "v2"), three(), Step(1)),
        (Wish(3, "v2"), [*three(), starting("d", "v2")], Step()),
        (Wish(3, "v2"), [*three(), ready("d", "v2")], Step(0, ("a",))),
        (Wish(3, "v2", max_unavailable=1, max_surge=0), three(), Step(0, ("a",))),
        (Wish(3, "v2", max_unavailable=1, max_surge=0), three()[1:], Step(1)),
        (Wish(3, "v2", max_unavailable=3, max_surge=0), three(), Step(0, ("a", "b", "c"))),
        (Wish(3, "v2", max_surge=3), three(), Step(3)),
        # A pod that can't be asked does not hold up an update, nor does it make room for more.
        (Wish(3, "v2"), [*three()[:2], starting("x")], Step(1)),
        (Wish(3, "v2", max_unavailable=1), [*three()[:2], starting("x")], Step(1, ("x",))),
        # Back again, from an update that never gets ready.
        (Wish(3, "v1"), [*three(), starting("d", "v2")], Step(0, ("d",))),
        # Ready is not enough where it is to last.
        (Wish(1, "v2", min_ready_s=5), [ready("a"), ready("b", "v2", ready_since=NOW - 4)], Step()),
        (Wish(1, "v2", min_ready_s=5), [ready("a"), ready("b", "v2", ready_since=NOW - 5)], Step(0, ("a",))),
    ],
)
def test_what_is_to_be_done(wish: Wish, there: list[Replica], expected: Step) -> None:
    assert step(wish, there, NOW) == expected


@pytest.mark.parametrize(
    ("stays", "goes"),
    [
        (ready("a"), starting("b")),
        (ready("a", ready_since=5.0), ready("b", ready_since=6.0)),
        (ready("a"), ready("b", restarts=1)),
        (ready("a", created=1.0), ready("b", created=2.0)),
    ],
)
def test_who_goes_first(stays: Replica, goes: Replica) -> None:
    for order in ([stays, goes], [goes, stays]):
        assert step(Wish(1, "v1"), order, NOW).delete == (goes.name,)


def test_of_two_on_one_node_one_goes_before_one_that_is_alone() -> None:
    there = [ready("alone", node="n1", ready_since=90.0), ready("x", node="n2", ready_since=20.0), ready("y", node="n2", ready_since=10.0)]
    assert step(Wish(2, "v1"), there, NOW).delete == ("x",)


def test_when_to_look_again() -> None:
    wish = Wish(2, "v1", min_ready_s=30)
    assert next_look_s(wish, [ready("a", ready_since=NOW - 10), ready("b", ready_since=NOW - 20), starting("c")], NOW) == 10.0
    assert next_look_s(wish, [ready("a"), starting("c")], NOW) is None


@pytest.mark.parametrize(
    ("written", "replicas", "surge", "unavailable"), [(2, 9, 2, 2), ("25%", 10, 3, 2), ("50%", 4, 2, 2), ("0%", 5, 0, 0), ("100%", 3, 3, 3)]
)
def test_a_share_is_rounded_as_kubernetes_does(written: int | str, replicas: int, surge: int, unavailable: int) -> None:
    assert (resolve(written, replicas, up=True), resolve(written, replicas, up=False)) == (surge, unavailable)


wishes = st.builds(
    Wish, st.integers(0, 8), st.sampled_from(TEMPLATES), st.integers(0, 3), st.integers(0, 3), st.sampled_from([0.0, 3.0])
).filter(lambda wish: wish.max_unavailable + wish.max_surge > 0)
pods = st.builds(
    Replica,
    st.uuids().map(str),
    st.sampled_from(TEMPLATES),
    st.sampled_from(["n1", "n2"]),
    st.floats(0, NOW),
    st.none() | st.floats(0, NOW),
    st.booleans(),
    st.integers(0, 3),
)


def can_be_asked(wish: Wish, there: list[Replica], now: float) -> int:
    return sum(pod.available_at(wish.min_ready_s) <= now for pod in there)


@given(wishes, st.lists(pods, max_size=10, unique_by=lambda pod: pod.name), st.randoms(use_true_random=False))
def test_it_converges_and_never_has_too_few_nor_too_many(wish: Wish, there: list[Replica], chance: random.Random) -> None:
    """Pods get ready in any order, a while after they were made; some are lost on the way."""
    now, losses = NOW, 3
    for made in range(400):
        todo = step(wish, there, now)
        if todo == Step() and all(pod.available_at(wish.min_ready_s) <= now for pod in there):
            break
        before, going = can_be_asked(wish, there, now), set(todo.delete)
        assert len(going) == len(todo.delete)
        assert going <= {pod.name for pod in there}
        living = [pod for pod in there if not pod.failed]
        if todo.create:
            assert len(living) - len(going & {pod.name for pod in living if pod.template == wish.template}) + todo.create <= (
                wish.replicas + wish.max_surge
            )
        there = [pod for pod in there if pod.name not in going]
        assert can_be_asked(wish, there, now) >= min(before, wish.replicas - wish.max_unavailable)
        there += [Replica(f"{made}-{number}", wish.template, "n1", now) for number in range(todo.create)]
        now += 1
        if losses and there and chance.random() < 0.1:
            there.pop(chance.randrange(len(there)))
            losses -= 1
        there = [replace(pod, ready_since=now) if pod.ready_since is None and chance.random() < 0.5 else pod for pod in there]
    assert [pod.template for pod in there] == [wish.template] * wish.replicas
    assert not any(pod.failed for pod in there)


@given(wishes, st.lists(pods, max_size=10, unique_by=lambda pod: pod.name))
def test_an_update_that_never_gets_ready_leaves_enough_of_the_old(wish: Wish, there: list[Replica]) -> None:
    """Nothing that is made gets ready, for ever."""
    now, before = NOW + 100, can_be_asked(wish, there, NOW + 100)
    for made in range(50):
        todo = step(wish, there, now)
        there = [pod for pod in there if pod.name not in todo.delete]
        there += [Replica(f"{made}-{number}", wish.template, "n1", now) for number in range(todo.create)]
        now += 10
    assert can_be_asked(wish, there, now) >= min(before, wish.replicas - wish.max_unavailable)
    assert step(wish, there, now) == Step()
