"""Watching a learner's program over its whole time: an observer on the machine notes who is there, and is asked what it has seen."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from autograder.checks.deployments.background import Program
from autograder.checks.deployments.timeline import Moment, Timeline, read
from autograder.framework.task import Task
from autograder.inspect import image, look_until
from lab.box.machine import Machine
from lab.box.wait import wait_until

OBSERVER = Path(__file__).with_name("observer.py")
EVERY_S, HOLD_S, BEGINS_S, ENDS_S = 0.2, 2.5, 30.0, 15.0
IDLE_S = 8.0
"""Seconds without a change after which nothing is waited for any more, if the program has ended."""
BEGIN = 'cat > $path.py && { setsid python3 -IS $path.py "$settings" </dev/null >$path.log 2>&1 & echo $! >$path.pid; }'
END = r"""
pid=$(cat $path.pid)
kill $pid
for look in $(seq $looks); do [ -e /proc/$pid ] || break; sleep 0.1; done
kill -9 $pid 2>/dev/null
tail -n 1 $path.log
"""


class Survey:
    """What an observer on the machine sees.

    Args:
        machine: that it is on.
        path: of what it notes.
        images: the version that an image has, by its id.
    """

    def __init__(self, machine: Machine, path: str, images: Mapping[str, str]) -> None:
        self._machine, self._path, self._images = machine, path, images

    @property
    def now(self) -> Moment:
        """What was seen last."""
        lines = self._machine.sh(f"grep -v request {self._path} | tail -n 2").stdout.splitlines()
        return next(reversed(read(lines, self._images).moments), Moment(0.0))

    def since(self, at: float) -> Timeline:
        """What was seen from a moment on; requests are all counted."""
        whole = read(self._machine.sh(f"cat {self._path}").stdout.splitlines(), self._images)
        return Timeline([moment for moment in whole.moments if moment.at >= at], whole.requests)

    def settled(self, wanted: Callable[[Moment], bool], timeout_s: float, program: Program, idle_s: float = IDLE_S) -> bool:
        """Whether it is as wanted in time, and stays so for a while, with the same copies.

        Args:
            wanted: says whether a moment is as it should be.
            timeout_s: seconds until it is given up.
            program: that is at work; where it has ended, what does not change any more is given up early.
            idle_s: seconds without a change until then: longer than a copy needs to get ready.
        """
        last = self.now
        changed = last.at + EVERY_S  # what was seen before this call does not count

        def over(moment: Moment) -> bool:
            nonlocal last, changed
            if (moment.there, moment.ready) != (last.there, last.ready):
                changed = moment.at
            last = moment
            still_s = moment.at - changed
            return (still_s >= HOLD_S and wanted(moment)) or (still_s >= idle_s and program.status.code is not None)

        seen = look_until("the copies", over, lambda: self.now, timeout_s=timeout_s + HOLD_S, every_s=EVERY_S)
        return wanted(seen) and seen.at - changed >= HOLD_S


@contextmanager
def survey(machine: Machine, task: Task, versions: Mapping[str, str], clients: int = 0) -> Iterator[Survey]:
    """Have everybody with the task's label watched, for as long as the ``with`` block lasts.

    Args:
        machine: to watch.
        task: has the label as ``label``.
        versions: what to call the copies that are made of an image, by the name of the image.
        clients: how many send requests, one after the other.

    Raises:
        WaitTimeout: the observer does not begin.
    """
    found = {name: image(machine, name) for name in versions}
    images = {str(it["Id"]): versions[name] for name, it in found.items() if it}
    path = f"/run/{task.key}-survey-{token_hex(3)}"
    settings = shlex.quote(json.dumps({"label": task.label, "images": list(images), "path": path, "clients": clients}))
    machine.sh(f"path={path} settings={settings}\n{BEGIN}", stdin=OBSERVER.read_bytes(), check=True)
    try:
        wait_until("the observer", lambda: machine.sh(f"[ -s {path} ]").code == 0, timeout_s=BEGINS_S, every_s=EVERY_S)
        yield Survey(machine, path, images)
    finally:
        machine.sh(f"path={path} looks={ENDS_S * 10:g}\n{END}rm -f {path}*", timeout=3 * ENDS_S)
