"""A virtual machine needs no privilege: not root's, not a capability, not the right to gain one, and no Docker either."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.course import NOBODY, UNPRIVILEGED, Done, course, course_of, own_state, traces, why_no_other_user

if TYPE_CHECKING:
    from tests.conftest import Running

pytestmark = [
    pytest.mark.parametrize("running", ["microvm"], indirect=True),
    pytest.mark.skipif(bool(why_no_other_user()), reason=why_no_other_user()),
]

BESIDE = """
from lab import machines
machine = machines.create("beside")
print(machine.sh("ping -c1 -W10 box > /dev/null && hostname", check=True).stdout, end="")
"""
"""What runs the machine must be as powerless as what runs the box: it is looked for after the end, with all else."""


@pytest.fixture
def nobodys(running: Running) -> Iterator[tuple[Path, Callable[..., Done]]]:
    """A state directory that belongs to nobody, and ``course`` on it with no privilege whatever."""
    try:
        program, needs = course_of(NOBODY, *UNPRIVILEGED)
    except LookupError as error:
        pytest.skip(str(error))
    with own_state(running.installation, owner=NOBODY) as root:
        env = {name: text for name, text in os.environ.items() if name not in {"DOCKER_HOST", "HOME"}}
        env |= needs | {"COURSE_STATE": str(root)}

        def run(*args: str, stdin: str = "", code: str = program[-1]) -> Done:
            return course(*args, env=env, stdin=stdin, program=[*program[:-1], code])

        yield root, run
        run("down")


def processes() -> set[int]:
    """Nobody's, but for those that have ended and that init has not collected yet."""
    running = (process for process in psutil.process_iter(["uids", "status"]) if process.info["status"] != psutil.STATUS_ZOMBIE)
    return {process.pid for process in running if process.info["uids"].real == NOBODY}


def test_a_box_from_up_to_down(nobodys: tuple[Path, Callable[..., Done]]) -> None:
    root, run = nobodys
    before, sockets_before = processes(), set(Path("/tmp").glob(f"course-{NOBODY}-*"))

    up = run("up", "--json")
    assert up.code == 0, up.err
    state = json.loads(up.out)
    assert state["backend"] == "microvm"
    powers = [Path(f"/proc/{pid}/status").read_text() for pid in processes() - before]
    assert powers
    assert all("NoNewPrivs:\t1" in power and "CapBnd:\t0000000000000000" in power for power in powers)

    shell = run("shell", stdin="id -u; hostname; docker run --rm --network none base echo contained")
    assert (shell.code, shell.out) == (0, f"0\n{state['name']}\ncontained\n"), shell.err

    run("shell", stdin="echo first > /root/x")
    assert run("checkpoint", "first").code == 0
    run("shell", stdin="echo second > /root/x")
    assert run("rewind", "first").code == 0
    assert run("shell", stdin="cat /root/x").out == "first\n"

    beside = run(code=BESIDE)
    assert (beside.code, beside.out) == (0, "beside\n"), beside.err

    assert run("down").code == 0
    assert processes() - before == set()
    assert set(Path("/tmp").glob(f"course-{NOBODY}-*")) - sockets_before == set()
    assert traces(root, Path(state["docker_host"].removeprefix("unix://")).parents[1]) == []
