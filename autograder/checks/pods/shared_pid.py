"""One process tree for a whole pod: pause is process 1 in it, and collects processes that have ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.checks.pods.diagnosis import run_in_one_network
from autograder.checks.pods.members import look, names
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from lab.box.machine import Machine

ROLES = ("pause", "app", "sidecar")
ORPHAN = r"""
orphan=$(nsenter --target $pid --pid sh -c '(read -r me rest </proc/self/stat; echo $me; exec sleep 0.3 >/dev/null 2>&1) &')
[ -d "/proc/$orphan" ] && [ -n "$orphan" ] || exit 2
for look in $(seq 25); do [ -d "/proc/$orphan" ] || exit 0; sleep 0.2; done
exit 1
"""
"""A shell in the container's process tree starts a sleep and ends: the sleep becomes an orphan, a child of process 1 there.  When the sleep
has ended and process 1 has collected it, ``/proc`` of the box has no entry for it any more."""
TREE = ("docker exec NAME ps shows whom a container sees.", "--pid container:NAME; in a manifest, shareProcessNamespace: true.")
FIRST = ("The last number of NSpid in /proc/PID/status is how a process is counted behind its wall.", "Who owns the tree has number 1.")
REAP = (
    "docker exec NAME ps: a zombie has Z for its state.",
    "Process 1 must wait for children that it never had. The image pause does; sleep does not.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:  # noqa: ARG001
    """The names of three containers."""
    return names(key, *ROLES)


@check("pods.shared-pid", kind="state", parts=4, draw=draw)
def shared_pid(machine: Machine, task: Task) -> Iterator[Fact]:
    """Pause, app and sidecar are one process tree, in which pause is number 1 and collects the dead."""
    pod = look(machine, task, *ROLES)
    yield run_in_one_network(machine, pod)
    if not pod.all_run:
        return
    one, trees = pod.joined("pid"), len(set(pod.numbers("pid")))
    hint = "The wall around their processes still stands between them: each sees its own alone." if trees > 1 else ""
    if pod.opened("pid"):
        hint = "host is the tree of the box itself: the pod would see, and could kill, everything. It is to have a tree of its own."
    elif trees == len(ROLES) - 1:
        hint = "Two of them are in one tree, and one is not."
    saw = "one for all" if one else "the box's own" if pod.opened("pid") else f"{trees} for {len(ROLES)} containers"
    yield Fact("process trees", one, saw, (hint, *TREE))

    first = [member.role for member in pod.each if _number(machine, member.pid) == 1]
    is_pause = one and first == ["pause"]
    hint = "First it is to be one tree."
    if one:
        hint = f"Number 1 is {first[0]}: the tree is its own, and ends with it." if first else "None of the three is number 1 of this tree."
    yield Fact("process 1", is_pause, first[0] if one and first else "not pause", (hint, *FIRST))

    reaped = machine.sh(f"pid={pod['pause'].pid}\n{ORPHAN}").code if is_pause else 2
    hint = "First pause is to be process 1."
    if is_pause:
        hint = "An orphan has ended in your tree, and process 1, its parent now, does not collect it: it stays, as a zombie."
    saw = {0: "collected", 1: "a zombie stays"}.get(reaped, "not tried")
    yield Fact("an orphan that has ended", reaped == 0, saw, (hint, *REAP))


def _number(machine: Machine, pid: int) -> int:
    """The id of a process in its own process tree; 0 where it has ended."""
    return int((machine.sh(f"grep ^NSpid: /proc/{pid}/status").stdout.split() or ["0"])[-1])
