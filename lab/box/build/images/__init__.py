"""The course's container images, made from Debian packages: no registry, no engine and no privilege.

``catalogue`` says what is in them, ``debs`` reads packages, ``interpreter`` makes Python start fast, ``archive`` writes the file that an
engine loads.  ``app/`` and ``proxy/`` hold what a learner meets inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.box.build.images.archive import write_archive
from lab.box.build.images.catalogue import PACKAGES, images

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PACKAGES", "write_images"]


def write_images(debs: Path, out: Path, version: str) -> None:
    """Make all images and write them to one archive, for ``docker load`` or ``podman load``.

    The same packages and version give the same bytes.

    Args:
        debs: directory of ``.deb`` files; it must hold ``PACKAGES`` and what they depend on.
        out: the archive; its directory must exist.
        version: of the course, for the images' labels.

    Raises:
        BuildError: a package is missing or unreadable, or the images' Python can't be run here.
    """
    write_archive(images(debs, version), out)
