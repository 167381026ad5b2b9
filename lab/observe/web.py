"""What web servers answer: on a port of the machine, or on localhost inside a container's network namespace."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from lab.box.build import images
from lab.box.wait import wait_for
from lab.observe.process import pid

if TYPE_CHECKING:
    from lab.box.machine import Machine

APP = Path(images.__file__).parent / "app/server.py"
"""The source of the course's web server, for machines that have no image of it."""


def page(box: Machine, port: int, path: str = "/", timeout_s: float = 60.0) -> str:
    """The text that a web server on a port of the box answers.

    It is asked again and again until somebody answers, because a container is there before its program listens.

    Args:
        box: that has the port.
        port: of TCP.
        path: of the page.
        timeout_s: seconds until it is given up.

    Raises:
        WaitTimeout: nothing answered in time.
    """
    address, what = box.url(port) + path, f"an answer from port {port} of the box"
    return str(wait_for(what, lambda: requests.get(address, timeout=timeout_s).text, timeout_s=timeout_s, every_s=0.2))


def localhost(box: Machine, container: str, path: str = "/", *, port: int = 8080, patience_s: float = 30.0) -> str:
    """The text that a web server on localhost answers to somebody in the same network namespace as a container.

    Args:
        box: that the container runs on.
        container: its name or id.
        path: of the page.
        port: of TCP.
        patience_s: seconds in which it is asked again.

    Returns:
        The answer; empty where nobody answered in time.

    Raises:
        docker.errors.NotFound: there is no such container.
    """
    ask = f"nsenter --target {pid(box, container)} --net curl -s --max-time 10 {shlex.quote(f'http://127.0.0.1:{port}{path}')}"
    until = f"end=$(( $(date +%s) + {patience_s:.0f} )); until {ask}; do [ $(date +%s) -lt $end ] || exit; sleep 0.2; done"
    return box.sh(until, timeout=patience_s + 60).stdout
