"""How checks look: at containers by name, at web pages from where the machine stands, at answers that may be anything."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from autograder.checks.fact import Fact
from autograder.checks.task import Task
from lab.box.errors import WaitTimeout
from lab.box.machine import Machine
from lab.box.wait import wait_for

ASK = r"""
ask() { nsenter --target "$pid" --net curl -s --noproxy '*' "$@"; }
page() {
  for look in $(seq "$(($2 * 5))"); do
    ask --max-time 5 "$1" && return
    [ -d "/proc/$pid" ] || return
    sleep 0.2
  done
}
"""
"""Two shell functions for the container whose process 1 the box knows as ``$pid``: ``ask OPTION… URL`` is curl behind its network wall, and
``page URL SECONDS`` asks until there is an answer, the process has ended, or the time is up."""


def container(machine: Machine, name: str) -> Mapping[str, Any] | None:
    """What the engine knows of a container, or nothing if there is none of that name."""
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    try:
        return dict(machine.docker.api.inspect_container(name))
    except docker.errors.NotFound:
        return None


def image(machine: Machine, name: str) -> Mapping[str, Any] | None:
    """What the engine knows of an image, or nothing if there is none of that name."""
    import docker  # noqa: PLC0415

    try:
        return dict(machine.docker.api.inspect_image(name))
    except docker.errors.NotFound:
        return None


def state(found: Mapping[str, Any] | None) -> str:
    """In a word, what a container does."""
    return str(found["State"]["Status"]) if found else "missing"


def gone(task: Task, found: Mapping[str, Any] | None, name: str) -> Fact:
    """The fact that a container which the task itself started runs no longer."""
    hint = f'The task\'s own container is gone. Begin again: task("{task.name}", again=True)'
    return Fact(f"the container {name}", ok=False, saw=state(found), hints=(hint,))


def addresses(found: Mapping[str, Any]) -> list[str]:
    """A container's own addresses, one per network."""
    return [network["IPAddress"] for network in found["NetworkSettings"]["Networks"].values() if network["IPAddress"]]


def page(machine: Machine, pid: int, port: int, path: str = "/", patience_s: int = 10) -> str:
    """What a web server answers inside a container's network, asked until it does; empty if it never did.

    Args:
        machine: the container is on it.
        pid: of any process in the container, as the machine counts.
        port: inside the container.
        path: of the page.
        patience_s: seconds.
    """
    return machine.sh(f"pid={pid}\n{ASK}\npage {shlex.quote(f'http://127.0.0.1:{port}{path}')} {patience_s}").stdout


def comes_true(true: Callable[[], bool], *, within_s: float, every_s: float) -> bool:
    """Look again and again; whether it came true in time.  What was seen meanwhile, whoever looks keeps."""

    def look() -> None:
        if not true():
            raise BlockingIOError("not yet")

    try:
        wait_for("something to come true", look, timeout_s=within_s, every_s=every_s)
    except WaitTimeout:
        return False
    return True


def number(answer: object) -> float | None:
    """An answer as a number, also where it came as text; nothing where it is none."""
    if isinstance(answer, bool) or answer is None:
        return None
    try:
        return float(answer) if isinstance(answer, int | float) else float(re.sub(r"(?<=\d)[,_' ](?=\d{3})", "", str(answer).strip()))
    except ValueError:
        return None


def words(answer: object) -> set[str]:
    """An answer as a set of words, whether it came as a list or as one text."""
    parts = answer if isinstance(answer, list) else [answer] if isinstance(answer, str) else []
    return {word.lower() for part in parts for word in re.findall(r"[\w-]+", str(part))}


def said(answer: object) -> str:
    """An answer in words."""
    if answer is None:
        return "no answer yet"
    text = ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer).strip()
    return f"you said {text[:60]}" if text else "you said nothing"
