"""What a kubelet is told to do for a container, and where it writes down what it has found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY, ORDERS = "course.pod.key", "course.pod.kubelet"
"""The labels that have the random part of the pod's names, and the orders as JSON."""
LEAST_GRACE_S = 2
"""Seconds that a container has to end after its hook, however long that took; as in Kubernetes."""
HOME = Path("/run/course/kubelet")
"""On the machine: has a file for each container, and the lock of the kubelet that runs."""


@dataclass(frozen=True)
class Orders:
    """What is to be done for a container.

    Args:
        restart: its restart policy: ``Always``, ``OnFailure`` or ``Never``.
        kind: ``app``, ``init`` or ``sidecar``.
        place: its number among the containers of its pod, in the order of the manifest.
        grace_s: seconds that it has to end by itself before it is killed.
        pause: the name of the container that has its network.
        probes: for ``startup``, ``liveness`` and ``readiness``, what ``handler.Probe`` has.
        pre_stop: what ``handler.Handler`` has; nothing if there is no hook.
    """

    restart: str
    kind: str
    place: int
    grace_s: int
    pause: str
    probes: dict[str, dict[str, Any]] = field(default_factory=dict)
    pre_stop: dict[str, Any] | None = None
