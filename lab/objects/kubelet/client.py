"""The way from a pod to its machine's kubelet; the one module of this package that stays where the notebook is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.objects.kubelet.orders import HOME

if TYPE_CHECKING:
    from lab.box.machine import Machine

CODE = HOME / "code"
THERE, COMMAND = f"cd {CODE}", "python3 -m lab.objects.kubelet"
EXTRA_S = 15.0
"""Seconds beside what a pod allows, for Python to start on an emulated machine."""


def begin(machine: Machine) -> None:
    """See to it that a kubelet runs on a machine; it ends by itself when it has nothing left to do.

    Raises:
        CourseError: the machine does not answer.
    """
    if machine.sh(f"mkdir -p {HOME}; flock --nonblock {HOME}/lock true").code:  # one runs, and looks once more before it ends
        return
    machine.put(Path(__file__).parent, str(CODE / "lab/objects/kubelet"))
    machine.sh(f"{THERE}; setsid {COMMAND} serve </dev/null >{HOME}/log 2>&1 &", check=True)


def hook(machine: Machine, container: str, grace_s: float) -> None:
    """Do what is to be done before a container is told to end; at most for as long as it has to end."""
    machine.sh(f"{THERE}; {COMMAND} hook {shlex.quote(container)}", timeout=grace_s + EXTRA_S)


def wait(machine: Machine, container: str, timeout_s: float) -> bool:
    """Whether a container, named by its id, has started, as its startup probe says, before the time is up."""
    return machine.sh(f"{THERE}; {COMMAND} wait {shlex.quote(container)} {timeout_s:.1f}", timeout=timeout_s + EXTRA_S).code == 0


def findings(machine: Machine, containers: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the kubelet has found out, by the containers' ids; see ``Run.write``.  A container that it does not know yet is not there."""
    names = " ".join(f"{HOME}/{it}.json" for it in containers)
    answer = machine.sh(f"cat {names} 2>/dev/null").stdout if names else ""
    return {it["id"]: it for it in map(json.loads, answer.splitlines())}
