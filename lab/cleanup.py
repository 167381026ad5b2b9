"""Taking away from a box what a lesson or a task made there: whatever has a name with the lesson's prefix."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.box.machine import Machine

CLEAN = """
rm -f /var/lib/course/objects/*/"$prefix"*.json
docker ps -aqf "name=^$prefix" | xargs -r docker rm -fv
docker images --format '{{.Repository}}:{{.Tag}}' --filter "reference=$prefix*" | xargs -r docker rmi -f
docker image prune -f
docker network ls -qf "name=^$prefix" | xargs -r docker network rm
docker volume ls -qf "name=^$prefix" | xargs -r docker volume rm
rm -rf "/root/$prefix"*
if [ -d /var/lib/containers/storage ]; then
    podman pod ls --format '{{.Name}}' | grep "^$prefix" | xargs -r podman pod rm --force --time 0
fi
"""


def clean(box: Machine, prefix: str) -> None:
    """Remove what has a name that begins with a prefix: containers, images, networks, volumes, files in /root, and pods of Podman's.

    So is what is wished for under such a name (``lab.objects.store``), first of all, or a controller would make it again.

    Images that have no name any more are removed as well.  Where there is nothing to remove, nothing happens.

    Args:
        box: to clean.
        prefix: such as ``c02-``; it must not be empty.
    """
    box.sh(f"prefix={shlex.quote(prefix)}\n{CLEAN}")
