"""The box's image on the outer engine: the root file system, with the course's images already in the store of the engine inside."""

from __future__ import annotations

import shutil
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from lab.box.build.steps import Artefacts
from lab.box.channel.access import Access
from lab.box.core import processes
from lab.box.core.installation import Installation, lock
from lab.box.core.progress import Progress
from lab.box.drivers.container import engine, node
from lab.box.errors import CourseError, WaitTimeout
from lab.box.wait import wait_for

if TYPE_CHECKING:
    import docker

REPOSITORY = "course-box"
CHANGES = ['ENTRYPOINT ["/sbin/init"]', "ENV COURSE_BACKEND=container"]
KEEP_IMAGES = """
touch /run/course/hold-dockerd && killall dockerd
while pidof dockerd >/dev/null; do sleep 0.1; done
rm -f /var/lib/docker/engine-id
cp -a /var/lib/docker /usr/lib/course/docker
"""
READY_TIMEOUT_S = 60
NAME, LABEL = "template", ".template"
"""Of the container that an image is made of; its label can't be a machine's name."""


def image_of(recipe: str) -> str:
    """The name of the box's image for a recipe.

    Args:
        recipe: its key.
    """
    return f"{REPOSITORY}:{recipe}"


def prepare(installation: Installation, artefacts: Artefacts, environment: dict[str, str], progress: Progress) -> None:
    """Give the outer engine the box's image, where it does not have it.

    Args:
        installation: that makes it.
        artefacts: the root file system and the course's images.
        environment: the variables that name the engine.
        progress: shows the steps.

    Raises:
        CourseError: the engine refused something.
    """
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    with lock(installation.build, "image"), closing(engine.client(environment)) as outer:
        try:
            outer.images.get(image_of(artefacts.key))
        except docker.errors.ImageNotFound:
            _remove_unused(outer)
            with progress.step("Giving your Docker Engine the box's image"):
                outer.api.import_image_from_file(str(artefacts.root_tar), f"{REPOSITORY}-root", artefacts.key, changes=CHANGES)
            with progress.step("Loading the course's images into it"):
                _preload(outer, environment, installation, artefacts)


def _preload(outer: docker.DockerClient, environment: dict[str, str], installation: Installation, artefacts: Artefacts) -> None:
    """Run a container of the root file system, load the course's images into its engine, and commit it as the box's image."""
    access, root = Access(installation.socket_directory(NAME)), f"{REPOSITORY}-root:{artefacts.key}"
    installation.boxes.mkdir(parents=True, exist_ok=True)
    _remove_container(installation, environment, access)  # of somebody who was killed while making an image
    installation.socket_directory(NAME)
    try:
        container = node.run(outer, environment, installation, image=root, name=NAME, machine=LABEL, network_mode="none")
        relay = node.start_relay_into(str(container.name), environment, access.directory, installation.boxes / f"{NAME}.log")
        try:
            wait_for("the box's Docker Engine", access.ping, timeout_s=READY_TIMEOUT_S, alive=lambda: relay.alive)
            with artefacts.images.open("rb") as archive:
                access.docker.images.load(archive)
            access.docker.close()
            code, output = container.exec_run(["sh", "-c", KEEP_IMAGES])
            if code:
                raise CourseError("The course's images could not be kept in the box's image.", output.decode(errors="replace"), "df -h")
            container.commit(REPOSITORY, artefacts.key)
        except WaitTimeout as error:
            raise WaitTimeout(error.what, f"{error.why}\n{node.engine_log(container)}".strip(), error.try_next) from None
    finally:
        _remove_container(installation, environment, access)
        outer.images.remove(root, force=True)


def _remove_container(installation: Installation, environment: dict[str, str], access: Access) -> None:
    """Remove the container that an image is made of, its relay, and the relay's sockets."""
    engine.remove_owned(environment, installation.owner, LABEL)
    processes.end_all(str(access.directory))
    shutil.rmtree(access.directory, ignore_errors=True)


def _remove_unused(outer: docker.DockerClient) -> None:
    """Remove the images of earlier recipes, unless a box still runs on one."""
    import docker  # noqa: PLC0415

    for outdated in outer.images.list(REPOSITORY):
        with suppress(docker.errors.APIError):
            outer.images.remove(outdated.id)
