"""The command: ``serve``, or one thing that a pod wants to have done on its machine."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress

from lab.objects.kubelet.engine import Engine
from lab.objects.kubelet.handlers import ask
from lab.objects.kubelet.orders import HOME
from lab.objects.kubelet.run import found
from lab.objects.kubelet.service import serve


def hook(container: str) -> None:
    """Do what is to be done before a container is told to end, if it runs and there is something."""
    run = found(Engine(), container)
    if run and run.orders.pre_stop:
        ask(run, run.orders.pre_stop, run.orders.grace_s)


def wait(container: str, timeout_s: float) -> bool:
    """Whether a container has started, as its startup probe says, before the time is up."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        with suppress(OSError, ValueError):
            if json.loads((HOME / f"{container}.json").read_text())["started"]:
                return True
        time.sleep(0.05)
    return False


def main(command: str, *words: str) -> int:
    """Do what the command line says; the exit code."""
    if command == "serve":
        serve()
    elif command == "hook":
        hook(words[0])
    elif command == "wait":
        return 0 if wait(words[0], float(words[1])) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
