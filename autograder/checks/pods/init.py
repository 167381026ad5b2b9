"""An init container prepares something and ends; only then does the app begin."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from autograder.checks.pods.diagnosis import last_line, why_not_running
from autograder.checks.pods.members import PORT, Member, Members, look, names, shared_directories
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import page, state
from lab.box.machine import Machine

ROLES = ("init", "app")
END = (
    "docker ps -a shows how it ended, docker logs what it said.",
    "docker run without -d waits for the end, and without --rm the container stays to be asked.",
)
ORDER = ("docker inspect has StartedAt and FinishedAt.", "docker run INIT && docker run -d APP; in a manifest, initContainers.")
VOLUME = ("docker inspect lists what a container has mounted, under Mounts.", "-v NAME:DIRECTORY for both; in a manifest, emptyDir.")
READ = (
    "The app says what GREETING holds, and a shell can fill that from a file just before it starts the app.",
    "sh -c 'GREETING=$(cat FILE) exec python3 -I -S /srv/app/server.py'",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The names of two containers, and a word to prepare."""
    return {**names(key, *ROLES), "word": f"ready-{dice.nonce()}"}


@check("pods.init", kind="state", parts=4, draw=draw)
def init(machine: Machine, task: Task) -> Iterator[Fact]:
    """An init container prepares a word and ends with 0 before the app starts, which says that word."""
    pod = look(machine, task, *ROLES)
    first, app = pod["init"], pod["app"]
    ended = first.found is not None and state(first.found) == "exited"
    well = first.found is not None and ended and first.found["State"]["ExitCode"] == 0 and _when(first, "FinishedAt").year > 1
    yield Fact("the init container", well, first.described.partition(" ")[2], (_about_end(machine, first), *END))

    waited = well and app.runs and _when(first, "FinishedAt") <= _first_start(machine, app)
    saw = app.described if not app.runs else "began after its end" if waited else "began before its end" if ended else "can't be told yet"
    yield Fact("the app", waited, saw, (_about_order(machine, pod, ended=ended), *ORDER))
    if not app.runs:
        return
    shared = shared_directories(first, app)
    hint = "What init has written is in its own file system, which the app does not see, unless it is in a directory that both see."
    yield Fact("a directory in common", bool(shared), f"{len(shared)} found" if shared else "none", (hint, *VOLUME))
    yield _says(machine, task, pod, prepared=bool(shared) and _prepared(machine, task, first, shared))


def _first_start(machine: Machine, app: Member) -> datetime:
    """When a container was started for the first time, as far back as the engine remembers."""
    started = _when(app, "StartedAt")
    if not app.found or not app.found["RestartCount"]:
        return started
    wanted, now = {"container": [app.found["Id"]], "event": ["start"]}, int(machine.sh("date +%s", check=True).stdout)
    told = machine.docker.api.events(since=0, until=now, filters=wanted, decode=True)
    return min([started, *(datetime.fromtimestamp(event["timeNano"] / 1e9, UTC) for event in told)])


def _prepared(machine: Machine, task: Task, first: Member, directories: Iterable[str]) -> bool:
    """Whether the word is in a file of these directories that was written between the making of the init container and its end."""
    if not first.found:
        return False
    made = math.floor(datetime.fromisoformat(str(first.found["Created"])).timestamp())
    ended = f"! -newermt @{math.ceil(_when(first, 'FinishedAt').timestamp()) + 1}" if state(first.found) == "exited" else ""
    return bool(
        machine.sh(f"find {shlex.join(directories)} -type f -newerct @{made} {ended} -exec grep -l {task.word} {{}} +").stdout.strip()
    )


def _says(machine: Machine, task: Task, pod: Members, *, prepared: bool) -> Fact:
    """The fact that the app says the word, and has read it from what the init container has prepared."""
    app = pod["app"]
    answer = page(machine, app.pid, PORT)
    told = task.word in json.dumps([(app.found or {})["Config"][key] for key in ("Entrypoint", "Cmd", "Env")])
    if not answer:
        saw, hint = "no answer", f"Nobody answers at port {PORT} of the app."
    elif task.word not in answer:
        saw, hint = "another greeting", f"{task.word} is not in what the app says. Is it in the file, and does the app read that file?"
    elif told:
        saw, hint = "what it was told", "The word is in the app's own command or variables. It is to come from what init has prepared."
    elif not prepared:
        hint = "The app says the word, and init has left no file with it in a directory that both see: from where has the app got it?"
        saw = "the word, from elsewhere"
    else:
        saw, hint = "the word", ""
    return Fact("what the app says", not hint, saw, (hint, *READ))


def _when(member: Member, what: str) -> datetime:
    """A time from ``docker inspect``, such as ``StartedAt``."""
    return datetime.fromisoformat(str((member.found or {})["State"][what]))


def _about_end(machine: Machine, first: Member) -> str:
    if not first.found:
        return f"There is no container {first.name}. One that was started with --rm is gone, and nobody knows any more how it ended."
    if state(first.found) in ("running", "restarting", "paused"):
        return "It has not ended for good. An init container does one thing and ends; who keeps on running is a sidecar."
    if state(first.found) == "created":
        return why_not_running(machine, first)
    said = last_line(machine, first)
    return f"It has failed{f', and said last: {said}' if said else ''}. Begin again with a command that ends with 0."


def _about_order(machine: Machine, pod: Members, *, ended: bool) -> str:
    first, app = pod["init"], pod["app"]
    if not app.runs:
        return why_not_running(machine, app)
    if not first.found:
        return "Whether it began after the end of init, nobody knows."
    if not ended:
        return "The app runs, though init has not ended."
    if _when(first, "StartedAt") > _when(app, "StartedAt"):
        return "Init began when the app was there already. If it is to be of use, the app has to begin after it."
    if first.found["State"]["ExitCode"]:
        return "Init has failed, and the app was started all the same."
    return "The app was started while init was still at work."
