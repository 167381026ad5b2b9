"""How a pod ends without a request being lost: first it leaves the lists of endpoints, and only then are its containers stopped.

Whoever removes a pod writes a mark.  The services' controller sees it, takes the pod from every list, and has each way to it follow.  The
one who removes waits for that, but not for ever: where no such controller is at work, nobody takes anything from a list.

Kubernetes marks a pod, too (``deletionTimestamp``), but nobody waits there: the end of a pod and of its endpoint begin at the same moment.
That is why many pods in clusters have a ``preStop`` hook that sleeps for a few seconds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab.objects.store import ENDING, ENDPOINTS, Store

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.pod import Pod

LEAVE_S = 5
"""Seconds that the lists have until a pod is removed although it stands in one of them."""
AWAIT = """
listed() {{ grep -qsF {pod} {lists}/*.json; }}
listed || exit 0
while listed && read -r _; do :; done < <(exec inotifywait -m -t {seconds} -e moved_to,delete {lists} 2>&1)
"""
"""Begins to look at the lists only after it hears of their changes."""


def depart(machine: Machine, pod: Pod) -> None:
    """Remove a pod, after it has left all lists of endpoints.

    Args:
        machine: that keeps the lists.
        pod: on any machine.

    Raises:
        CourseError: the engine refuses to remove it, or a machine does not answer.
    """
    marks, lists = Store(machine, ENDING), Store(machine, ENDPOINTS)
    marks.put(pod.key, {"pod": pod.spec.name})
    entry = json.dumps({"pod": pod.spec.name})[1:-1]
    machine.sh(AWAIT.format(pod=f"'{entry}'", lists=lists.home, seconds=LEAVE_S))
    pod.delete()
    marks.delete(pod.key)


def announced(machine: Machine) -> set[str]:
    """The keys of pods that somebody has begun to remove."""
    return set(Store(machine, ENDING).all())
