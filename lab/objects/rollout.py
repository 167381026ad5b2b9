"""What a Deployment is to do next: the wish and what there is go in, pods to make and to delete come out.  No input and no output.

This is the whole of a rolling update.  Pods of the new template come, as far as ``max_surge`` allows; pods of older ones go, as far as
enough others can be asked.  Which pods there were a moment ago does not matter: whoever begins anew, after any failure, does the same next.

The arithmetic is that of Kubernetes' Deployment and ReplicaSet controllers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Replica:
    """One pod of a Deployment, as it is now.

    Args:
        name: of the pod.
        template: the hash of the template that it was made from.
        node: that it is on.
        created: seconds since 1970.
        ready_since: seconds since 1970; nothing where it is not ready.
        failed: whether it has ended, and nobody starts it again.
        restarts: of its containers, together.
    """

    name: str
    template: str
    node: str = ""
    created: float = 0.0
    ready_since: float | None = None
    failed: bool = False
    restarts: int = 0

    def available_at(self, min_ready_s: float) -> float:
        """From when on it counts as one that can be asked; never where it is not ready."""
        return float("inf") if self.ready_since is None or self.failed else self.ready_since + min_ready_s


@dataclass(frozen=True)
class Wish:
    """What is wanted.

    Args:
        replicas: how many pods.
        template: the hash of the template that all of them are to be made from.
        max_unavailable: how many of them may be missing during an update.
        max_surge: how many more than ``replicas`` there may be during an update.
        min_ready_s: seconds that a pod must be ready until it counts.
    """

    replicas: int
    template: str
    max_unavailable: int = 0
    max_surge: int = 1
    min_ready_s: float = 0.0


@dataclass(frozen=True)
class Step:
    """What is to be done now.

    Args:
        create: how many pods of the wished template.
        delete: the names of pods.
    """

    create: int = 0
    delete: tuple[str, ...] = ()


def step(wish: Wish, there: Collection[Replica], now: float) -> Step:
    """What is to be done now, so that in the end there is what is wanted, and enough can be asked all the time.

    Args:
        wish: what is wanted.
        there: the pods that there are.
        now: seconds since 1970.
    """
    failed = [pod for pod in there if pod.failed]
    beside = Counter((pod.template, pod.node) for pod in there if not pod.failed)
    living = sorted((pod for pod in there if not pod.failed), key=lambda pod: _first_to_go(pod, beside[pod.template, pod.node]))
    new = [pod for pod in living if pod.template == wish.template]
    old = [pod for pod in living if pod.template != wish.template]

    def available(pods: Collection[Replica]) -> int:
        return sum(pod.available_at(wish.min_ready_s) <= now for pod in pods)

    surplus = new[: max(0, len(new) - wish.replicas)]
    kept = new[len(surplus) :]
    create = max(0, min(wish.replicas - len(kept), wish.replicas + wish.max_surge - len(kept) - len(old)))
    enough = max(0, wish.replicas - wish.max_unavailable)
    may_go = len(kept) + len(old) - enough - (len(kept) - available(kept))
    unhealthy = [pod for pod in old if pod.available_at(wish.min_ready_s) > now][: max(0, may_go)]
    healthy = [pod for pod in old if pod.available_at(wish.min_ready_s) <= now][: max(0, available(kept) + available(old) - enough)]
    return Step(create, tuple(pod.name for pod in (*failed, *surplus, *unhealthy, *healthy)))


def next_look_s(wish: Wish, there: Collection[Replica], now: float) -> float | None:
    """Seconds until a pod will have been ready for long enough; nothing where none is on its way to that."""
    times = [pod.available_at(wish.min_ready_s) for pod in there]
    return min((at - now for at in times if now < at < float("inf")), default=None)


def resolve(written: int | str, replicas: int, *, up: bool) -> int:
    """A number of pods that may be written as a share of all, such as ``25%``.

    Args:
        written: the number, or the share.
        replicas: all.
        up: which way a fraction is rounded; Kubernetes rounds ``maxSurge`` up and ``maxUnavailable`` down.
    """
    if isinstance(written, int):
        return written
    parts = int(written.removesuffix("%")) * replicas
    return -(-parts // 100) if up else parts // 100


def _first_to_go(pod: Replica, beside: int) -> tuple[bool, int, float, int, float]:
    """For sorting: who is not ready goes first; then who is beside most others, got ready last, was restarted most, is youngest."""
    return pod.ready_since is not None, -beside, -(pod.ready_since or 0.0), -pod.restarts, -pod.created
