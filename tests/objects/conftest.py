"""A box for pods: nothing is on it before, and nothing but pods may be left on it after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.box.parallel import in_parallel
from lab.objects.pod import pods

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from lab.box.machine import Machine

SWEEP = """
docker ps -aq | xargs -r docker rm -fv
docker volume ls -q | xargs -r docker volume rm
"""


def on_it(machine: Machine) -> list[str]:
    """The names of all containers and volumes."""
    api = machine.docker.api
    return sorted([it["Names"][0] for it in api.containers(all=True)] + [it["Name"] for it in api.volumes()["Volumes"] or ()])


@pytest.fixture
def box(box: Box) -> Iterator[Box]:
    if on_it(box):
        box.sh(SWEEP, check=True)
    yield box
    in_parallel(lambda left: left.delete(grace_s=0), pods(box))
    assert on_it(box) == []
