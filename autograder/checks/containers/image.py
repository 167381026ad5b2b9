"""A recipe gives the same image each time; a change that was made by hand in one container is not in the next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import ASK, container, image, never_started
from lab.box.errors import WaitTimeout
from lab.box.machine import Machine

DRIVE = r"""
before=$(docker images -qf dangling=true --no-trunc | sort)
clean() {
  docker rm -fv "$name"
  docker rmi -f "$name:first" "$name:second"
  docker images -qf dangling=true --no-trunc | sort | comm -13 <(echo "$before") - | xargs -r docker rmi
  rm -f "/tmp/$name"
} >/dev/null 2>&1
trap clean EXIT
for time in first second; do
  if ! docker build -q --no-cache --force-rm -t "$name:$time" "$directory" >/dev/null 2>"/tmp/$name"; then
    sed 's/\x1b\[[0-9;]*m//g' "/tmp/$name" | grep -v '^ *$' | tail -n 1 >&2
    exit 1
  fi
  sleep 1.1
done
docker run -d --name "$name" "$name:first" >/dev/null
pid=$(docker inspect -f '{{.State.Pid}}' "$name")
layers() { docker image inspect -f '{{json .RootFS.Layers}}' "$name:$1"; }
recipe() { docker image inspect -f '{{json .RootFS.Layers}} {{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Entrypoint}}' "$1"; }
about() { docker image inspect -f '{"Layers": {{json .RootFS.Layers}}, "Config": {{json .Config}}}' "$1"; }
answer=$(page http://127.0.0.1:8080/ 20)
greets=$(echo "$answer" | grep -cx "greeting: $greeting")
version=$(echo "$answer" | sed -n 's/^version: //p')
own=$(docker top "$name" -eo pid,args | grep -c ' /srv/app/server.py')
[ "$(recipe "$name:first")" = "$(recipe "$made")" ] && current=true || current=false
has=$(docker exec "$name" ls -d "$file" 2>/dev/null | grep -c .)
cat <<END
{"app": $(about app:v1), "made": $(about "$name:first"), "first": $(layers first), "second": $(layers second),
 "greets": $greets, "own": $own, "version": "$version", "current": $current, "has": $has}
END
"""
CONFIG = {
    "User": "its user",
    "WorkingDir": "its directory",
    "ExposedPorts": "its ports",
    "Volumes": "its volumes",
    "StopSignal": "its signal",
    "Healthcheck": "its health check",
    "Labels": "its labels",
}
"""What of an image's configuration is compared with that of app:v1, and in which words."""
BUILD_S = 170
RECIPE = ("Begin it FROM app:v1.", "docker build, and read what it says.")
SAME = (
    "What RUN writes has the time of day in it, and so has a directory that COPY writes into.",
    "Bring a file along to the top directory, or use no file at all: ENV.",
)
GREET = ("The app takes its greeting from a variable.", "ENV GREETING=…")
BY_HAND = ("docker exec works in a running container.", "docker diff lists what is not the image's.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """A directory for a recipe, a word that its app says, and a file to make by hand."""
    words = {"greeting": f"hello-{dice.nonce()}", "file": f"/srv/{dice.nonce()}"}
    return {"image": key, "directory": f"/root/{key}", "container": f"{key}-edited", **words}


@check("containers.image", kind="program", parts=4, draw=draw, timeout_s=240)
def image_twice(machine: Machine, task: Task) -> Iterator[Fact]:
    """Write a recipe that gives the same image twice; change a container by hand, and see that the next one is without the change."""
    settings = f"name={task.key}-driven made={task.image} directory={task.directory} greeting={task.greeting} file={task.file}\n"
    built, why = _built(machine, settings)
    if not built:
        yield Fact("your recipe", ok=False, saw=why[:100], hints=(f"It goes into {task.directory}/Dockerfile.", *RECIPE))
    else:
        same = built["first"] == built["second"]
        hint = "Something in the recipe comes out different each time that it runs."
        yield Fact("built twice, it is the same", same, "the same layers" if same else "other layers", (hint, *SAME))
        greets, other = built["greets"] > 0, _other_than_the_app(built)
        hint = "A container of it answers on port 8080, and its page should have the greeting, word for word."
        if other:
            hint = f"It is to be app:v1 but for the greeting: {other}."
        saw = f"{'yes' if greets else 'no'}{', and more is different' if other else ''}"
        yield Fact("it says the greeting", greets and not other, saw, (hint, *GREET))
    yield from _by_hand(machine, task, built or {})


def _built(machine: Machine, settings: str) -> tuple[dict[str, Any] | None, str]:
    """What the recipe comes to, built twice and run; nothing where it can't be built, and why."""
    try:
        done = machine.sh(settings + ASK + DRIVE, timeout=BUILD_S)
    except WaitTimeout:
        return None, f"it could not be built twice within {BUILD_S} s"
    if not done.stdout.startswith("{"):
        return None, (done.stderr.strip().splitlines() or ["nothing was built"])[-1]
    return json.loads(done.stdout), ""


def _other_than_the_app(built: Mapping[str, Any]) -> str:
    """What an image has otherwise than app:v1, beside a greeting and what says it; empty if there is nothing.

    The greeting may come by a variable, or by another command, so these two are not compared.
    """
    app, made = built["app"], built["made"]
    if made["Layers"][: len(app["Layers"])] != app["Layers"]:
        return "it does not begin FROM app:v1"
    if built["greets"] and not built["own"]:
        return "another program answers than app:v1 has"
    if built["version"] not in ("v1", ""):
        return f"it is made from the app's version {built['version']}"
    differs = [words for key, words in CONFIG.items() if (made["Config"].get(key) or None) != (app["Config"].get(key) or None)]
    own, theirs = ({one for one in it["Config"]["Env"] if not one.startswith("GREETING=")} for it in (made, app))
    differs += ["its variables"] if own != theirs else []
    return f"different: {', '.join(differs)}" if differs else ""


def _by_hand(machine: Machine, task: Task, built: Mapping[str, Any]) -> Iterator[Fact]:
    in_the_image = bool(built.get("has"))
    outdated = built.get("current") is False and built["first"] == built["second"]  # else it can't be told
    edited, made = container(machine, task.container), image(machine, task.image)
    changes = (machine.docker.api.diff(task.container) or []) if edited else []
    changed = any(change["Path"] == task.file for change in changes)
    started = edited is not None and not never_started(edited)
    own = started and edited is not None and made is not None and edited["Image"] == made["Id"] and not outdated
    if not made:
        hint = f"Build your recipe under the name {task.image} first."
    elif outdated:
        hint = f"{task.image} is not what your recipe makes now. Build it again, as the check does: of the directory, without options."
    elif edited and not started:
        hint = f"{task.container} was made, and has never run: docker start."
    elif edited and not own:
        hint = f"{task.container} was not started from {task.image} as it is now."
    elif in_the_image:
        hint = f"{task.file} is in the image itself, so it is no change by hand."
    else:
        hint = f"Start {task.container} from your image, and make the file {task.file} in it."
    if not edited:
        saw = f"no container {task.container}"
    elif not started:
        saw = "it never ran"
    else:
        saw = f"{'' if changed else 'not '}in docker diff{', of another image' if changed and not own else ''}"
    yield Fact("a change by hand", own and changed, saw, (hint, *BY_HAND))
    without = own and changed and not in_the_image
    saw = "is without it" if without else "has it, from the image" if in_the_image else "can't tell"
    yield Fact("the next container", without, saw, (hint, *BY_HAND))
