"""Stopping a container: process 1 gets the signal, and has to pass it on, finish and end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import ASK, image
from lab.box.machine import Machine

SOON_S = 3.0
"""Seconds that a stop may take beside what the app has to finish, and what the ``docker`` command itself takes."""
KILLED = (9, 137)
HEEDED = ("SIGTERM", "15", "SIGINT", "2")
RECIPE = 'FROM app:v1\nCOPY start /start\nCMD ["sh", "/start"]\n'
DRIVE = r"""
docker rm -f "$name" >/dev/null 2>&1
docker build -q -t "$name" "$directory" >/dev/null 2>&1 && made=$(docker image inspect -f '{{.Id}}' "$name")
docker run -d --name "$name" "${made:-$image}" >/dev/null || exit 1
pid=$(docker inspect -f '{{.State.Pid}}' "$name")
answer=$(page http://127.0.0.1:8080/ 20)
greets=$(echo "$answer" | grep -cx "greeting: $greeting")
serves=$(echo "$answer" | grep -c '^container: ')
how=$(docker inspect -f '{{.State.Status}}' "$name")
last=$(docker logs --tail 1 "$name" 2>&1 | tr -dc 'A-Za-z0-9 .,:/_-' | cut -c1-60)
now() { date +%s%N; }
before=$(now); docker version >/dev/null; after=$(now); itself=$((after - before))
slow_ms=$((1000 + 2 * itself / 1000000)); slow=${slow_ms%???}.${slow_ms: -3}
ask --max-time 40 -o /dev/null -w '%{http_code}' "http://127.0.0.1:8080/slow?s=$slow" > "/tmp/$name" & asked=$!
sleep 0.5
before=$(now); docker stop -t $((8 + slow_ms / 500)) "$name" >/dev/null; after=$(now)
wait $asked
code=$(docker inspect -f '{{.State.ExitCode}}' "$name")
cat <<END
{"made": "$made", "greets": $greets, "serves": $serves, "how": "$how", "last": "$last", "ns": $((after - before)),
 "itself_ns": $itself, "slow_s": $slow, "code": $code, "slow": "$(cat "/tmp/$name")"}
END
docker rm -fv "$name" >/dev/null
docker rmi "$name" >/dev/null 2>&1
rm -f "/tmp/$name"
"""
"""``itself_ns`` is the time that the ``docker`` command itself takes, which is long on an emulated box.  So that the stop comes while the
app is at work, somebody waits for an answer (``slow_s``) for longer than that."""
NOTHING = """{"made": "", "greets": 0, "serves": 0, "how": "not started", "last": "",
 "ns": 0, "itself_ns": 0, "slow_s": 0, "code": 137, "slow": "000"}"""
BUILD = ("docker build has an option for the name.", "docker build -t NAME DIRECTORY")
GREET = ("docker logs tells what went wrong.", "The start script exports what the app needs, and must go on doing so.")
PASS_ON = ("List the container's processes, number 1 first.", "A shell can become the program that it starts: one word in start.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """A directory with an image's recipe, which stops badly, and a word that its app says."""
    return {"image": key, "directory": f"/root/{key}", "greeting": f"hello-{dice.nonce()}"}


def write(machine: Machine, task: Task) -> None:
    """Write the recipe of an image in which a shell starts the app, and does not pass signals on."""
    script = f'#!/bin/sh\nexport GREETING="{task.greeting}"\npython3 -I -S /srv/app/server.py\n'
    for name, text in (("start", script), ("Dockerfile", RECIPE)):
        machine.sh(f"mkdir -p {task.directory} && cat > {task.directory}/{name}", stdin=text.encode(), check=True)


@check("containers.graceful-stop", kind="program", parts=4, draw=draw, prepare=write)
def graceful_stop(machine: Machine, task: Task) -> Iterator[Fact]:
    """Mend an image, so that its container stops at once, finishes what it has begun, and is not killed."""
    made = image(machine, task.image)
    if not made:
        hint = f"Build it from {task.directory}, under the name {task.image}."
        yield Fact(f"your image {task.image}", ok=False, saw="missing", hints=(hint, *BUILD))
        return
    settings = f"name={task.key}-driven image={task.image} directory={task.directory} greeting={task.greeting}\n"
    said = machine.sh(settings + ASK + DRIVE, timeout=120).stdout.strip()
    seen: dict[str, Any] = json.loads(said if said.startswith("{") else NOTHING)
    greets, serves, seconds, code = seen["greets"] > 0, seen["serves"] > 0, seen["ns"] / 1e9, seen["code"]
    soon, survived = serves and seconds < SOON_S + seen["slow_s"] + seen["itself_ns"] / 1e9, serves and code not in KILLED

    hint = "The start script gives the app its greeting; whatever you change, the app must still get it, and listen on port 8080."
    if seen["how"] != "running":
        hint = "Its container ended by itself. A container ends when its process 1 does, whatever was started in the background."
    saw = "yes" if greets else f"no; the container is {seen['how']}" + (f" ({seen['last']})" if seen["last"] and not serves else "")
    outdated = seen["made"] != made["Id"]
    if outdated:
        hint = (
            f"{task.image} is not what the recipe in {task.directory} makes. It is the recipe that is to be mended, and to be built again."
        )
        saw = "another image than the recipe's" if seen["made"] else "the recipe can't be built"
    yield Fact("it says its greeting", greets and not outdated, saw, (hint, *GREET))
    if not serves:
        return
    hint = "Process 1 gets the signal. Who is process 1 here, and does it pass the signal on?"
    if (signal := str(made["Config"].get("StopSignal") or "SIGTERM")) not in HEEDED:
        hint = f"Your image asks to be stopped by {signal}; does whoever gets it heed that one? The app heeds SIGTERM."
    elif survived and not soon:
        hint = "The signal is passed on, and late: what else does process 1 wait for?"
    yield Fact("it stops soon", soon, f"after {seconds:.1f} s", (hint, *PASS_ON))
    if soon and not survived:
        hint = "137 is 128 + 9: killed. Another STOPSIGNAL is quick, and is no stop."
    yield Fact("it is not killed", survived, f"exit code {code}", (hint, *PASS_ON))
    finished = survived and seen["slow"] == "200"
    hint = "Somebody waited for an answer when the stop came, and got none."
    if survived:
        hint += " When process 1 ends, all others die with it: it has to wait until the app has finished, also where the signal woke it."
    yield Fact("who waits for an answer gets it", finished, "yes" if finished else "no", (hint, *PASS_ON))
