"""Who was there at which moment, and what follows for the whole time: how many at most, how few were ready, how many requests failed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ANSWERED, BROKEN_OFF, NOBODY, TOO_LATE, NOT_SENT = "answered", "broken off", "nobody", "too late", "not sent"
"""How a request ended, in the observer's words."""


@dataclass(frozen=True)
class Copy:
    """A container with the task's label that ran at one moment.

    Args:
        id: the engine's id of it.
        pid: of its process 1; another one after a restart.
        version: of the image that it was made of; empty where that is none of the task's.
    """

    id: str
    pid: int
    version: str


@dataclass(frozen=True)
class Moment:
    """What was seen at one moment.

    Args:
        at: seconds since 1970, as the machine counts.
        there: the copies, and containers of other images with the same label.
        ready: those of them that said they were.
    """

    at: float
    there: frozenset[Copy] = frozenset()
    ready: frozenset[Copy] = frozenset()

    @property
    def copies(self) -> frozenset[Copy]:
        """Those of the task's images."""
        return frozenset(one for one in self.there if one.version)

    def of(self, version: str) -> frozenset[Copy]:
        """Those of one version."""
        return frozenset(one for one in self.there if one.version == version)

    @property
    def versions(self) -> str:
        """How many of which version are there, and how many of them are ready, in words."""
        numbers = Counter(one.version for one in self.copies)
        ready = Counter(one.version for one in self.ready)
        return ", ".join(f"{number} of {version} ({ready[version]} ready)" for version, number in sorted(numbers.items())) or "none"


@dataclass(frozen=True)
class Timeline:
    """What was seen over a time.

    Args:
        moments: one after the other.
        requests: how many ended how.
    """

    moments: Sequence[Moment]
    requests: Mapping[str, int]

    @property
    def most(self) -> int:
        """How many copies there were at most.

        One that was ready, and is so no more, is about to end, and does not count; a ReplicaSet does not count one that is terminating,
        either.
        """
        numbers, were_ready = [0], frozenset[Copy]()
        for moment in self.moments:
            numbers.append(len(moment.copies - (were_ready - moment.ready)))
            were_ready |= moment.ready
        return max(numbers)

    @property
    def least_ready(self) -> int:
        """How few copies were ready, at the worst moment.

        Copies are asked one after the other, and again and again: one that was ready the last time, or is the next time, may have been at
        this moment, and counts.
        """
        ready = [moment.ready for moment in self.moments]
        return min((len(frozenset[Copy]().union(*ready[max(0, at - 1) : at + 2])) for at in range(len(ready))), default=0)

    @property
    def everyone(self) -> frozenset[Copy]:
        """All copies that were ever there."""
        return frozenset(one for moment in self.moments for one in moment.copies)

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(number for how, number in self.requests.items() if how != NOT_SENT)

    @property
    def failed(self) -> int:
        """How many of them were not answered."""
        return self.sent - self.requests.get(ANSWERED, 0)


def read(lines: Iterable[str], images: Mapping[str, str]) -> Timeline:
    """What the observer has noted.

    Args:
        lines: of JSON; one that is not whole yet is left out.
        images: the version that an image has, by its id.
    """
    moments, requests = list[Moment](), Counter[str]()
    for line in lines:
        if not line.endswith("}"):
            continue
        found = json.loads(line)
        if "request" in found:
            requests[found["request"]] += 1
            continue
        seen = {Copy(one, pid, images.get(image, "")): ready for one, pid, image, ready in found.get("copies", ())}
        moments.append(Moment(found["at"], frozenset(seen), frozenset(one for one, ready in seen.items() if ready)))
    return Timeline(moments, requests)
