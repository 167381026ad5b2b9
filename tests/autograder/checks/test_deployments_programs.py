"""The programs of lesson 05, on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

import pytest

from autograder.testing import Graded, graded, hints, oks
from lab.box.machine import Machine

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]


def left(text: str) -> str:
    """A script that leaves a program on the box."""
    return f"cat > $program <<'PROGRAM'\n{text}\nPROGRAM"


@pytest.mark.parametrize("task", ["reconcile"])
def test_no_program_is_worth_nothing(graded: Graded, task: str) -> None:
    verdict = graded(f"deployments.{task}")
    assert verdict.score == 0
    assert {len(list(filter(None, fact.hints))) for fact in verdict.facts} == {3}


# deployments.reconcile

LOOP = """#!/bin/bash
while sleep 0.5; do
  copies=$(docker ps -q --filter label=$label) || continue
  for more in $(seq $(($(echo $copies | wc -w) + 1)) $replicas); do docker run -d --label $label --name $name-$RANDOM $image; done
  echo "$copies" | tail -n +$((replicas + 1)) | xargs -r docker rm -f
done"""


@pytest.mark.parametrize("text", [LOOP])
def test_a_loop_keeps_copies(graded: Graded, text: str) -> None:
    verdict = graded("deployments.reconcile", left(text))
    assert verdict.score == 1, verdict.text(hints=3)
