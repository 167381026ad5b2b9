"""What a check of pods says first: whether the containers run, and in one network; and why the first that does not run has ended."""

from __future__ import annotations

from autograder.checks.pods.members import Member, Members
from autograder.framework.fact import Fact
from autograder.inspect import goes_on, state
from lab.box.machine import Machine

KILLED = 137
LINE_LENGTH = 120
"""Characters of a log line, or of the engine's complaint, that are shown."""
JOIN = (
    "docker ps -a lists also those that have ended, and docker logs NAME what one of them said.",
    "Pause first, with --ipc shareable; the others with --network container:NAME, and the like for each wall that is to go.",
)


def all_run(machine: Machine, members: Members) -> Fact:
    """The fact that all containers of a pod run, and do not just run at the moment."""
    what, down = "your containers", next((member for member in members.each if not member.runs), None)
    again = None if down else restarting(machine, members)
    if again:
        return Fact(what, ok=False, saw=f"{again.role} does not go on running", hints=(why_again(machine, again), *JOIN))
    return Fact(what, members.all_run, members.described, (why_not_running(machine, down) if down else "", *JOIN))


def restarting(machine: Machine, members: Members) -> Member | None:
    """The first of those that run which ends again and again, and is restarted by the engine; waits until that can be told."""
    return next((it for it in members.each if it.runs and it.found and it.found["RestartCount"] and not goes_on(machine, it.found)), None)


def why_again(machine: Machine, member: Member) -> str:
    """That a container ends again and again, and what it said last, for the learner."""
    said = last_line(machine, member)
    return f"{member.called} ends again and again. {f'It said last: {said}' if said else ''}"


def run_in_one_network(machine: Machine, members: Members) -> Fact:
    """The fact that all containers of a pod run in one network, which is not the machine's."""
    if not (running := all_run(machine, members)).ok:
        return running
    hint = "They all run, and each has a network of its own: in a pod they are behind one wall together."
    if members.opened("net"):
        hint = "A container is in the network of the box itself. A pod has a wall around it, and none between its containers."
    elif not members.joined("net") and len(set(members.numbers("net"))) < len(members.each):
        hint = "Not all of them are in the same network. Who joined whom, and was that one started anew since?"
    saw = "running, in one network" if members.joined("net") else "running, not in one network of their own"
    return Fact("your pod", members.joined("net"), saw, (hint, *JOIN))


def why_not_running(machine: Machine, member: Member) -> str:
    """Why a container does not run, in a sentence for the learner."""
    if not member.found:
        return f"There is no container {member.name}, which is what the task calls {member.role}."
    called, error = member.found["Name"][1:], str(member.found["State"]["Error"]).strip()[-LINE_LENGTH:]
    if state(member.found) == "paused":
        return f"{called} is frozen: docker unpause."
    if state(member.found) == "created":
        return f"{called} was made, and never ran. {f'The engine said: …{error}' if error else 'Start it, and read what is said.'}"
    said = last_line(machine, member)
    ended = "ends again and again" if state(member.found) == "restarting" else "has ended"
    why = "A container ends when its program does, and base has none that goes on."
    if member.found["State"]["ExitCode"] == KILLED:
        why = "137 is 128 + 9: it was killed, by somebody or with its process tree."
    return f"{called} {ended}. {f'It said last: {said}' if said else why}"


def last_line(machine: Machine, member: Member) -> str:
    """The last line of a container's log, cut at 120 characters; empty where there is none."""
    return log(machine, member, lines=1).strip()[:LINE_LENGTH]


def log(machine: Machine, member: Member, lines: int = 2000) -> str:
    """The last lines of a container's log; empty where the engine keeps none."""
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    try:
        return str(machine.docker.api.logs(member.found["Id"] if member.found else member.name, tail=lines).decode(errors="replace"))
    except docker.errors.APIError:
        return ""
