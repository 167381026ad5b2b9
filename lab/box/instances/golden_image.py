"""Golden images: the files that were changed on a machine, saved under a name, and unpacked on new machines.

An image is the files that were changed since the machine got its identity, the names of those that are gone, and nothing that is its own:
no host name, keys or addresses, nothing that is mounted, and nothing of an engine's store.  So it is small, fits either backend, and a
machine made from it is still a machine of its own.  Then init reads ``/etc/inittab`` again: a service that was added there starts.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from lab.box.build.rootfs import EXCLUDED_FROM_IMAGES
from lab.box.core.installation import Installation, lock
from lab.box.errors import CourseError, UsageError

if TYPE_CHECKING:
    from lab.box.machine import Machine

SCRATCH = "/run/course/golden"
FIND = f"""
export LC_ALL=C
mkdir -p {SCRATCH} && cd /
skip() {{ find . -xdev -mindepth 1 \\( {" -o ".join(f"-path ./{path}" for path in EXCLUDED_FROM_IMAGES)} \\) -prune -o "$@"; }}
"""
BAKE = f"""{FIND}
skip -cnewer /run/course/born ! -type s -print0 | tar -c --null --no-recursion -T - -f {SCRATCH}/files.tar || exit 1
skip -print | sort | comm -13 - /usr/lib/course/files > {SCRATCH}/gone
"""
RELOAD = "kill -HUP 1"
"""BusyBox init reads its table again, and starts the services that were added."""
APPLY = f"cd / && tar -x -p -f {SCRATCH}/files.tar && xargs -rd '\\n' rm -rf < {SCRATCH}/gone && rm -rf {SCRATCH} && {RELOAD}"
RECIPE_S, BAKE_S = 300, 180


def names(installation: Installation) -> list[str]:
    """The names of all golden images, sorted."""
    return sorted(path.name for path in installation.golden_images.glob("*/") if not path.name.startswith("."))


def require(installation: Installation, image: str) -> None:
    """Make sure that there is such an image.

    Raises:
        UsageError: there is none.
    """
    if image not in names(installation):
        known = ", ".join(names(installation)) or "none yet"
        raise UsageError(f"There is no image {image!r}.", f"There are: {known}.", f'machines.bake(machine, "{image}")')


def bake(installation: Installation, machine: Machine, image: str) -> None:
    """Keep what was changed on a machine as an image, in the place of an earlier one of that name.

    Raises:
        CourseError: it could not be read.
    """
    machine.sh(BAKE, check=True, timeout=BAKE_S)
    scratch = installation.golden_images / f".{image}"
    with lock(installation.golden_images, "bake"):
        shutil.rmtree(scratch, ignore_errors=True)
        machine.get(SCRATCH, scratch)
        shutil.rmtree(installation.golden_images / image, ignore_errors=True)
        scratch.rename(installation.golden_images / image)
    machine.sh(f"rm -rf {SCRATCH}")


def apply(installation: Installation, machine: Machine, image: str = "", recipe: str = "") -> None:
    """Unpack an image on a new machine, run a recipe on it, and have init start the services that they added.

    Args:
        installation: has the images.
        machine: a fresh one.
        image: a name.
        recipe: a shell script.

    Raises:
        CourseError: the recipe failed; with its last lines.
    """
    if image:
        machine.put(installation.golden_images / image, SCRATCH)
        machine.sh(APPLY, check=True, timeout=BAKE_S)
    if recipe:
        done = machine.sh(f"set -e\n{recipe}", timeout=RECIPE_S)
        if done.code:
            said = "\n".join(str(done).strip().splitlines()[-8:]) or "It said nothing."
            raise CourseError(f"The recipe failed with exit code {done.code}, so the machine was removed.", said, "mend the recipe")
        machine.sh(RELOAD, check=True)


def forget(installation: Installation, *images: str) -> None:
    """Remove images; what is gone already is fine."""
    for image in images or names(installation):
        if image in names(installation):
            shutil.rmtree(installation.golden_images / image)
