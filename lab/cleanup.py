"""Taking away from a box what a lesson or a task made there: whatever has a name with the lesson's prefix."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from lab.box.parallel import in_parallel

if TYPE_CHECKING:
    from docker.api.client import APIClient

    from lab.box.machine import Machine

BESIDE_DOCKER = """
rm -f /var/lib/course/objects/*/"$prefix"*.json
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
    box.sh(f"prefix={shlex.quote(prefix)}\n{BESIDE_DOCKER}")
    api = box.docker.api
    for found in (_containers, _images, _networks, _volumes):
        in_parallel(_unless_refused, found(api, prefix))
    _unless_refused(api.prune_images)


def _containers(api: APIClient, prefix: str) -> Iterator[Callable[[], object]]:
    for one in api.containers(all=True, filters={"name": f"^{prefix}"}):
        yield partial(api.remove_container, one["Id"], force=True, v=True)


def _images(api: APIClient, prefix: str) -> Iterator[Callable[[], object]]:
    for one in api.images(filters={"reference": f"{prefix}*"}):
        for name in one["RepoTags"] or ():
            if name.startswith(prefix):
                yield partial(api.remove_image, name, force=True)


def _networks(api: APIClient, prefix: str) -> Iterator[Callable[[], object]]:
    for one in api.networks(filters={"name": f"^{prefix}"}):
        yield partial(api.remove_network, one["Id"])


def _volumes(api: APIClient, prefix: str) -> Iterator[Callable[[], object]]:
    for one in api.volumes(filters={"name": f"^{prefix}"})["Volumes"] or ():
        yield partial(api.remove_volume, one["Name"])


def _unless_refused(remove: Callable[[], object]) -> None:
    """Remove something; that somebody else is removing it at this moment, or still uses it, is no matter."""
    from docker.errors import APIError  # noqa: PLC0415  (docker is imported by who uses a box, not by who imports lab)

    with suppress(APIError):
        remove()
