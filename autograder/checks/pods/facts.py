"""What checks of pods say first: that the containers run, in one network; or what ails the first that does not."""

from __future__ import annotations

from autograder.checks.fact import Fact
from autograder.checks.pods.parts import Part, Parts
from autograder.checks.tools import state
from lab.box.machine import Machine

KILLED = 137
LAST_WORDS = 120
"""Characters of a line that a container has said last."""
JOIN = (
    "docker ps -a lists also those that have ended, and docker logs NAME what one of them said.",
    "Pause first, with --ipc shareable; the others with --network container:NAME, and the like for each wall that is to go.",
)


def up(machine: Machine, parts: Parts) -> Fact:
    """The fact that they run."""
    down = next((part for part in parts.each if not part.runs), None)
    return Fact("your containers", parts.run, parts.says, (ails(machine, down) if down else "", *JOIN))


def together(machine: Machine, parts: Parts) -> Fact:
    """The fact that they run, and in one network: a pod."""
    if not parts.run:
        return up(machine, parts)
    hint = "They all run, and each has a network of its own: in a pod they are behind one wall together."
    if parts.opened("net"):
        hint = "A container is in the network of the box itself. A pod has a wall around it, and none between its containers."
    elif not parts.joined("net") and len(set(parts.numbers("net"))) < len(parts.each):
        hint = "Not all of them are in the same network. Who joined whom, and was that one started anew since?"
    saw = "running, in one network" if parts.joined("net") else "running, not in one network of their own"
    return Fact("your pod", parts.joined("net"), saw, (hint, *JOIN))


def ails(machine: Machine, part: Part) -> str:
    """Why a container does not run, in a sentence."""
    if not part.found:
        return f"There is no container {part.name}, which is what the task calls {part.role}."
    called, error = part.found["Name"][1:], str(part.found["State"]["Error"]).strip()[-LAST_WORDS:]
    if state(part.found) == "paused":
        return f"{called} is frozen: docker unpause."
    if state(part.found) == "created":
        return f"{called} was made, and never ran. {f'The engine said: …{error}' if error else 'Start it, and read what is said.'}"
    said = last_words(machine, part)
    ended = "ends again and again" if state(part.found) == "restarting" else "has ended"
    why = "A container ends when its program does, and base has none."
    if part.found["State"]["ExitCode"] == KILLED:
        why = "137 is 128 + 9: it was killed, by somebody or with its process tree."
    return f"{called} {ended}. {f'It said last: {said}' if said else why}"


def last_words(machine: Machine, part: Part) -> str:
    """The last line that a container has said, or its beginning."""
    return printed(machine, part, lines=1).strip()[:LAST_WORDS]


def printed(machine: Machine, part: Part, lines: int = 2000) -> str:
    """What a container has said, its last lines; nothing where the engine keeps none of it."""
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    try:
        return str(machine.docker.api.logs(part.found["Id"] if part.found else part.name, tail=lines).decode(errors="replace"))
    except docker.errors.APIError:
        return ""
