"""A pod is one unit: its containers are made together, started again by its policy, end together, and are removed together.

An engine knows containers and no pods.  What makes a pod a unit is how it is built, and two programs: one makes it, one removes it.  The
check runs both and, in between, kills processes of the pod from the box, because ``docker kill`` would cancel the restart policy.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from autograder.checks.pods import programs
from autograder.checks.pods.diagnosis import run_in_one_network
from autograder.checks.pods.members import PORT, Member, Members, is_the_app, look, names
from autograder.checks.pods.programs import ROLES, watch
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import Ran, page, state
from lab.box.machine import Machine

UP = ("running", "restarting", "paused")
"""The states of a container that has not ended for good."""
BACK_S, DEAD_S, STILL_S = 20, 20, 7
ALL_THERE = r"""
docker ps -a --format '{{.Names}}'
docker volume ls -q | sed 's/^/volume /'
docker network ls --format '{{.Name}}' | sed 's/^/network /'
"""
WRITE = (
    "Try it yourself, in a cell with --set life.pause,life.app,life.sidecar: bash CREATE, docker ps -a, bash DELETE.",
    "The programs get the names in variables: $pause, $app, $sidecar. docker run needs -d, or it waits.",
)
AGAIN = ("docker inspect has RestartCount; docker events shows what the engine does.", "docker run --restart …")
POLICY = ("There are always, on-failure, unless-stopped, and no.", "docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' NAME")
AS_ONE = (
    "Kill pause's process from the box by yourself, and look at docker ps.",
    "Where a process tree loses its number 1, the kernel ends all that are in it.",
)
REMOVE = ("docker ps -a, docker volume ls, after DELETE.", "docker rm -fv takes several names, and does not mind what has ended.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The names of three containers and two programs, and a restart policy in the words of a manifest."""
    programs = {name: f"/root/{key}/{name}" for name in ("create", "delete")}
    return {**names(key, *ROLES), "policy": dice.one(("Always", "OnFailure")), **programs}


@check("pods.lifecycle", kind="program", parts=5, draw=draw, timeout_s=220)
def lifecycle(machine: Machine, task: Task) -> Iterator[Fact]:
    """Two programs make and remove a pod whose app is started again by policy, and which dies as one."""
    missing = [one for one in ("create", "delete") if machine.sh(f"test -s {task.values[one]}").code]
    if missing:
        hint = f"Write two programs for the shell: {task.create} makes the pod, {task.delete} removes it."
        yield Fact("your programs", ok=False, saw=f"missing: {', '.join(missing)}", hints=(hint, *WRITE))
        return
    with programs.bystander(machine) as runs:
        programs.run(machine, task, "delete")
        before = set(machine.sh(ALL_THERE).stdout.splitlines())
        yield _created(machine, task)
        whole = look(machine, task, *ROLES).joined("net")
        if whole:
            yield _counted(machine, task)
            yield _by_policy(machine, task)
            yield _dead_as_one(machine, task)
        ran = programs.run(machine, task, "delete")
        left = _left(machine, task, before)
        for part in ("app", "pause"):  # half a pod is to be deleted as well, whichever half
            if whole and not left:
                programs.run(machine, task, "create")
                machine.sh(f"docker rm -f {look(machine, task, part)[part].called}")
                ran = programs.run(machine, task, "delete")
                left = _left(machine, task, before)
        if whole:
            yield _deleted(task, ran, left, unhurt=runs())
        for volume in (one.partition(" ")[2] for one in left if one.startswith("volume ")):
            machine.sh(f"docker volume rm {volume}")


def _left(machine: Machine, task: Task, before: Container[str]) -> list[str]:
    """The containers, volumes and networks that were not there before, or have the pod's name."""
    now = machine.sh(ALL_THERE).stdout.splitlines()
    return [one for one in now if one not in before or one.rpartition(" ")[2].startswith(task.pod)]


def _created(machine: Machine, task: Task) -> Fact:
    what, ran = "made as one", programs.run(machine, task, "create")
    pod = look(machine, task, *ROLES)
    fact = run_in_one_network(machine, pod)
    answers = fact.ok and bool(page(machine, pod["app"].pid, PORT))
    if fact.ok and not (answers and is_the_app(machine, pod["app"])):
        hint = "The app is to be app:v1, on its usual port."
        saw = "another program" if answers else f"nobody answers on port {PORT}"
        return Fact(what, ok=False, saw=saw, hints=(hint, *WRITE))
    hint = fact.hints[0]
    if ran.hung:
        hint = f"{task.create} did not end within {programs.RUN_S} s. docker run without -d waits until its container ends."
    elif "already in use" in ran.said:
        hint = f"A container of that name was there, though {task.delete} was run just before: it does not remove all."
    elif ran.code and not pod.all_run:
        hint = f"{task.create} ended with {ran.code}, and said last: {ran.said or 'nothing'}"
    return Fact(what, fact.ok and not ran.hung, f"it did not end within {programs.RUN_S} s" if ran.hung else fact.saw, (hint, *WRITE))


def _counted(machine: Machine, task: Task) -> Fact:
    before = look(machine, task, *ROLES)
    machine.sh(f"kill -9 {before['app'].pid}")
    ended = programs.settled(lambda pod: state(pod["app"].found) == "exited")
    after = watch(machine, task, lambda pod: (pod["app"].runs and pod["app"].pid != before["app"].pid) or ended(pod), BACK_S)
    app, what = after["app"], "the app is killed"
    if not app.runs or app.pid == before["app"].pid:
        hint = "The app's process was killed, and nobody has started it again."
        return Fact(what, ok=False, saw=after.described, hints=(hint, *AGAIN))
    if _restarts(app) <= _restarts(before["app"]):
        hint = "It is back, and the engine has counted nothing: somebody else has started it. The engine does that by itself, if told to."
        return Fact(what, ok=False, saw="back, and not counted", hints=(hint, *AGAIN))
    if not after.joined("net") or after["pause"].pid != before["pause"].pid:
        hint = "The app is back, and the pod is another: pause is not the same, or not all are in its network."
        return Fact(what, ok=False, saw="back, in another pod", hints=(hint, *AGAIN))
    answers = bool(page(machine, app.pid, PORT, patience_s=BACK_S))
    hint = f"It was started again, and does not answer on port {PORT}."
    return Fact(what, answers, f"started again, counted {_restarts(app)}", (hint, *AGAIN))


def _restarts(member: Member) -> int:
    return int((member.found or {}).get("RestartCount", 0))


def _by_policy(machine: Machine, task: Task) -> Fact:
    what, before = f"the app ends with 0, by {task.policy}", look(machine, task, "app")["app"]
    if not before.runs:
        return Fact(what, ok=False, saw="not tried: it does not run", hints=("First it is to survive being killed.", *POLICY))
    machine.sh(f"kill {before.pid}")
    app = watch(machine, task, lambda pod: pod["app"].pid != before.pid, BACK_S)["app"]
    if app.pid == before.pid:
        hint = "It got SIGTERM, and did not end. app:v1 does; is there a shell around it?"
        return Fact(what, ok=False, saw="it did not end", hints=(hint, *POLICY))
    app = watch(machine, task, lambda pod: pod["app"].runs, BACK_S if task.policy == "Always" else programs.HOLD_S)["app"]
    if task.policy == "Always":
        ok, hint = app.runs and _restarts(app) > _restarts(before), "It ended with 0, and was not started again. Always means always."
    else:
        ok = app.found is not None and state(app.found) == "exited" and app.found["State"]["ExitCode"] == 0
        hint = "It had succeeded, and was started again all the same. OnFailure means: if it ended with anything but 0."
    return Fact(what, ok, "started again" if app.runs else app.described, (hint, *POLICY))


def _dead_as_one(machine: Machine, task: Task) -> Fact:
    what, app = "pause dies", look(machine, task, "app")["app"]
    if app.found and not app.runs:
        machine.sh(f"docker start {app.found['Id']}")
    before = watch(machine, task, lambda pod: pod.all_run, BACK_S)
    if not before["pause"].runs:
        return Fact(what, ok=False, saw="not tried: it does not run", hints=("First the pod is to stay up.", *AS_ONE))
    machine.sh(f"kill -9 {before['pause'].pid}")
    whole, still = programs.settled(lambda pod: _whole(before, pod)), programs.settled(lambda _: True, STILL_S)
    pod = watch(machine, task, lambda pod: whole(pod) or still(pod), DEAD_S)
    alive = [member.role for member in pod.each if state(member.found) in UP]
    hint = f"Pause is dead, and {', '.join(alive)} still there: in a network that nobody owns any more, and a new pause would not have."
    if "pause" in alive:
        hint = "Pause came back, behind new walls, and the others are not behind these with it: half a pod is worse than none."
    saw = "nobody lives on" if not alive else f"running: {', '.join(alive)}"
    return Fact(what, _whole(before, pod), saw, (hint, *AS_ONE))


def _whole(before: Members, pod: Members) -> bool:
    """Whether the pod is one unit still: all containers have ended, or all run again with a new pause."""
    dead = not any(state(member.found) in UP for member in pod.each)
    return dead or (pod.joined("net") and pod["pause"].pid != before["pause"].pid)


def _deleted(task: Task, ran: Ran, left: Sequence[str], *, unhurt: bool) -> Fact:
    hint = f"Something is left: {', '.join(left)[:80]}. Whatever {task.create} makes, {task.delete} removes, also if half of it is gone."
    if not unhurt:
        hint = "It has removed a container of somebody else, too. Name those of the pod, or give them a label."
    elif ran.hung:
        hint = f"{task.delete} did not end within {programs.RUN_S} s. docker stop gives each container 10 s; rm -f does not wait."
    elif ran.code and left:
        hint = f"{task.delete} ended with {ran.code}, and said last: {ran.said or 'nothing'}"
    saw = f"left: {', '.join(left)}"[:60] if left else "nothing is left"
    return Fact("removed as one", not left and unhurt, saw if unhurt else "somebody else is gone, too", (hint, *REMOVE))
