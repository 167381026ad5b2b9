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


@pytest.mark.parametrize("task", ["reconcile", "rolling", "rollback"])
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


# deployments.rolling

ROLL = """
of() { docker ps -q --filter label=$label --filter ancestor=$1; }
begin() {
  copy=$(docker run -d --label $label --name $name-$RANDOM $1)
  address=$(docker inspect -f "{{.NetworkSettings.IPAddress}}" $copy)
  for look in $(seq $((${patience:-60} * 5))); do curl -sf $address:8080/ready && return; sleep 0.2; done
  return 1
}
roll() {
  for old in $(docker ps -q --filter label=$label | grep -vxF "$(of $1)"); do
    [ $(of $1 | wc -w) -lt $replicas ] && { begin $1 || exit 1; }
    docker stop $old && docker rm $old
  done
  for more in $(seq $(($(of $1 | wc -w) + 1)) $replicas); do begin $1 || exit 1; done
}
"""
UPDATE = f"#!/bin/bash\n{ROLL}\nroll $image"


@pytest.mark.parametrize("text", [UPDATE])
def test_an_update_that_nobody_notices(graded: Graded, text: str) -> None:
    verdict = graded("deployments.rolling", left(text))
    assert verdict.score == 1, verdict.text(hints=3)


# deployments.rollback

ROLLOUT = f"""#!/bin/bash
{ROLL}
case $1 in
deploy) echo $2 >> revisions; roll $2 ;;
undo) image=$(tail -n 2 revisions | head -n 1); echo $image >> revisions; roll $image ;;
history) cat -n revisions ;;
esac
"""


@pytest.mark.parametrize("text", [ROLLOUT])
def test_a_way_back(graded: Graded, text: str) -> None:
    verdict = graded("deployments.rollback", left(text))
    assert verdict.score == 1, verdict.text(hints=3)
