"""Golden images: what makes a machine other than a pristine one, kept and put on fresh ones.

An image is the files that were changed since the machine got its identity, the names of those that are gone, and nothing that is its own:
no host name, keys or addresses, nothing that is mounted, and nothing of an engine's store.  So it is small, fits either backend, and a
machine made from it is still a machine of its own.  Then init reads ``/etc/inittab`` again: a service that was added there starts.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab.box.errors import CourseError, UsageError
from lab.box.rootfs import OWN
from lab.box.state import State, lock

if TYPE_CHECKING:
    from lab.box.machine import Machine

BENCH = "/run/course/golden"
FIND = f"""
export LC_ALL=C
mkdir -p {BENCH} && cd /
skip() {{ find . -xdev -mindepth 1 \\( {" -o ".join(f"-path ./{path}" for path in OWN)} \\) -prune -o "$@"; }}
"""
BAKE = f"""{FIND}
skip -cnewer /run/course/born ! -type s -print0 | tar -c --null --no-recursion -T - -f {BENCH}/files.tar || exit 1
skip -print | sort | comm -13 - /usr/lib/course/files > {BENCH}/gone
"""
RELOAD = "kill -HUP 1"
"""BusyBox init reads its table again, and starts the services that were added."""
APPLY = f"cd / && tar -x -p -f {BENCH}/files.tar && xargs -rd '\\n' rm -rf < {BENCH}/gone && rm -rf {BENCH} && {RELOAD}"
RECIPE_S, BAKE_S = 300, 180


def images_of(state: State) -> Path:
    """One directory per image, by name."""
    return state.boxes / "images"


def names(state: State) -> list[str]:
    """Of all images."""
    return sorted(path.name for path in images_of(state).glob("*/") if not path.name.startswith("."))


def require(state: State, image: str) -> None:
    """Make sure that there is such an image.

    Raises:
        UsageError: there is none.
    """
    if image not in names(state):
        known = ", ".join(names(state)) or "none yet"
        raise UsageError(f"There is no image {image!r}.", f"There are: {known}.", f'machines.bake(machine, "{image}")')


def bake(state: State, machine: Machine, image: str) -> None:
    """Keep what was changed on a machine as an image, in the place of an earlier one of that name.

    Raises:
        CourseError: it could not be read.
    """
    machine.sh(BAKE, check=True, timeout=BAKE_S)
    scratch = images_of(state) / f".{image}"
    with lock(images_of(state), "bake"):
        shutil.rmtree(scratch, ignore_errors=True)
        machine.get(BENCH, scratch)
        shutil.rmtree(images_of(state) / image, ignore_errors=True)
        scratch.rename(images_of(state) / image)
    machine.sh(f"rm -rf {BENCH}")


def apply(state: State, machine: Machine, image: str = "", recipe: str = "") -> None:
    """Make a fresh machine what an image holds, then what a recipe does, and start the services of both.

    Args:
        state: has the images.
        machine: a fresh one.
        image: a name.
        recipe: a shell script.

    Raises:
        CourseError: the recipe failed; with its last lines.
    """
    if image:
        machine.put(images_of(state) / image, BENCH)
        machine.sh(APPLY, check=True, timeout=BAKE_S)
    if recipe:
        done = machine.sh(f"set -e\n{recipe}", timeout=RECIPE_S)
        if done.code:
            said = "\n".join(str(done).strip().splitlines()[-8:]) or "It said nothing."
            raise CourseError(f"The recipe failed with exit code {done.code}, so the machine was removed.", said, "mend the recipe")
        machine.sh(RELOAD, check=True)


def forget(state: State, *images: str) -> None:
    """Remove images; what is gone already is fine."""
    for image in images or names(state):
        if image in names(state):
            shutil.rmtree(images_of(state) / image)
