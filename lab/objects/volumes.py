"""The volumes of a pod on a machine: made, filled and owned as a kubelet does it, before any container has them.

They are volumes of the Docker Engine.  By itself Docker makes one when the first container asks for it, owned by root, with what the image
has at that place; a cluster makes it empty, and everybody may write to it.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lab.box.parallel import in_parallel
from lab.objects.volume import Volume

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.options import Identity

FOR_ALL, FOR_READERS = 0o777, 0o755
OF_GROUP = 0o2000
"""What is made in a directory with this bit belongs to the directory's group."""


def make(api: Any, pod: Identity) -> dict[str, str]:
    """Make the volumes of a pod, still empty.

    Args:
        api: of the machine's engine.
        pod: that has them.

    Returns:
        The directory of each on the machine, by its name in the manifest.
    """

    def one(it: Volume) -> tuple[str, str]:
        made = api.create_volume(pod.name(it.name), labels=pod.labels(it.name), driver_opts=_options(it, pod))
        return it.name, str(made["Mountpoint"])

    return dict(in_parallel(one, pod.spec.volumes))


def fill(machine: Machine, pod: Identity, directories: dict[str, str]) -> None:
    """Give the volumes of a pod their first content, and the rights to it.

    Args:
        machine: that they are on.
        pod: that has them.
        directories: see ``make``.

    Raises:
        CourseError: the machine does not answer.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for it in pod.spec.volumes:
            if not it.in_memory:
                for member, content in _members(it, pod, PurePosixPath(directories[it.name].lstrip("/"))):
                    tar.addfile(member, io.BytesIO(content))
    machine.sh("tar --extract --preserve-permissions --numeric-owner --directory /", stdin=packed.getvalue(), check=True)


def _options(it: Volume, pod: Identity) -> dict[str, str]:
    if not it.in_memory:
        return {}
    group = pod.spec.security.volume_group
    options = [f"mode={FOR_ALL | (0 if group is None else OF_GROUP):o}"]
    options += [f"size={it.size}"] if it.size else []
    options += [] if group is None else [f"gid={group}"]
    return {"type": "tmpfs", "device": "tmpfs", "o": ",".join(options)}


def _members(it: Volume, pod: Identity, at: PurePosixPath) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """What a volume begins with, itself first: its directories and files, each with its content."""
    group = pod.spec.security.volume_group
    rights = FOR_ALL if it.files is None else FOR_READERS
    parts = {mount.part for one in pod.spec.everyone for mount in one.mounts if mount.volume == it.name and mount.part}
    wanted = {PurePosixPath(path).parent for path in it.files} if it.files is not None else {PurePosixPath(part) for part in parts}
    for directory in sorted({PurePosixPath(), *wanted, *(above for path in wanted for above in path.parents)}):
        member = _member(at / directory, rights | (0 if group is None else OF_GROUP), group)
        member.type = tarfile.DIRTYPE
        yield member, b""
    for path, file in (it.files or {}).items():
        member = _member(at / path, file.mode | (0 if group is None else 0o440), group)
        member.size = len(file.content)
        yield member, file.content


def _member(path: PurePosixPath, mode: int, group: int | None) -> tarfile.TarInfo:
    member = tarfile.TarInfo(str(path))
    member.mode, member.gid = mode, group or 0
    return member
