"""Clones of one template wake up equal; before anybody can use them they must have become machines of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lab.box import lifecycle
from lab.box.core.installation import Installation
from tests.support.course import own_state

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running

pytestmark = pytest.mark.parametrize("running", ["microvm"], indirect=True)

CLOCK_S = 3
LOOK = """
sha256sum < /etc/ssh/course_host_key
cat /etc/machine-id
hostname
head -c 32 /dev/urandom | sha256sum
cat /proc/sys/kernel/random/uuid
date +%s.%N
"""
DRAW = """
import os, random, secrets, ssl, uuid
print(os.urandom(8).hex(), random.random(), secrets.token_hex(8), ssl.RAND_bytes(8).hex(), uuid.uuid4())
"""


@dataclass(frozen=True)
class Looks:
    """What tells two machines apart, and how far a clock is off, in seconds."""

    host_key: str
    machine_id: str
    hostname: str
    random: str
    uuid: str
    kernel_key: str
    drawn: tuple[str, ...]
    clock_off_s: float


def look(box: Box) -> Looks:
    """At a machine that has just started."""
    host_key, machine_id, hostname, random, uuid, clock = box.sh(LOOK, check=True).stdout.splitlines()
    off = time.time() - float(clock)
    with box.kernel() as client:
        said: list[str] = []
        client.execute_interactive(DRAW, timeout=60, output_hook=lambda message: said.append(message["content"].get("text", "")))
        key = box.sh("jq -r .key /run/course/kernels/*.json", check=True).stdout
    return Looks(host_key, machine_id, hostname, random, uuid, key, tuple("".join(said).split()), off)


@pytest.fixture
def second(running: Running) -> Iterator[Box]:
    """A box of another installation, cloned from the same template."""
    with own_state(running.installation) as root:
        installation = Installation(root)
        box = lifecycle.up("microvm", installation=installation)
        with closing(box.docker):
            yield box
        lifecycle.down(installation)


def test_two_clones_at_once_are_two_machines(fresh: Box, second: Box) -> None:
    one, two = look(fresh), look(second)
    assert [name for name in vars(one) if getattr(one, name) == getattr(two, name)] == []
    assert set(one.drawn).isdisjoint(two.drawn)
    assert len(one.drawn) == 5
    assert one.machine_id == one.machine_id.strip()
    assert len(one.machine_id) == 32
    assert abs(one.clock_off_s) < CLOCK_S
    assert abs(two.clock_off_s) < CLOCK_S


def test_each_answers_to_its_own_name_and_key(fresh: Box, second: Box) -> None:
    assert fresh.docker.info()["Name"] == fresh.sh("hostname").stdout.strip() == fresh.status().name
    assert second.docker.info()["Name"] == second.sh("hostname").stdout.strip() == second.status().name
    fresh.sh("touch /root/first")
    assert second.sh("ls /root/first").code != 0


def test_a_reset_is_another_machine(fresh: Box) -> None:
    before = fresh.sh(LOOK, check=True).stdout.splitlines()
    fresh.reset()
    after = fresh.sh(LOOK, check=True).stdout.splitlines()
    assert set(before).isdisjoint(after)
