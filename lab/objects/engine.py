"""What all objects need of a machine's engine: errors as sentences, and removal that can be repeated.

Removing what is already gone is no error here, so that a removal which was interrupted can be started again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from docker.errors import APIError, ImageNotFound, NotFound

from lab.box.errors import CourseError
from lab.box.wait import wait_until

REMOVAL_S = 30.0
"""Seconds that a removal may take which somebody else has begun."""


@contextmanager
def in_words(api: Any, pod: str) -> Iterator[None]:
    """Turn the engine's errors in a ``with`` block, which is about a pod, into sentences for a learner.

    Args:
        api: of the engine.
        pod: its name.

    Raises:
        CourseError: the engine refused something, or did not answer.
    """
    try:
        yield
    except ImageNotFound as error:
        there = sorted(tag for image in api.images() for tag in image["RepoTags"] or ())
        why = f"There are: {', '.join(there)}. A box fetches none."
        raise CourseError(f"The pod {pod} can't be made: {error.explanation}.", why, "name one of those as image") from None
    except APIError as error:
        what = f"The engine refuses something of the pod {pod}."
        raise CourseError(what, f"{error.explanation}.", "delete the pod if it is there, mend the manifest, and create it again") from None
    except OSError as error:
        raise CourseError(f"The machine of the pod {pod} does not answer.", f"{type(error).__name__}: {error}.", "course status") from None


def inspect(api: Any, container: str) -> dict[str, Any] | None:
    """The engine's long answer about a container; nothing where there is no such container."""
    with suppress(NotFound):
        return dict(api.inspect_container(container))
    return None


def refuse_root(api: Any, container: str, image: str) -> None:
    """Refuse a container that is not to run as root, and would by its image.

    Args:
        api: of the engine.
        container: its name in the manifest.
        image: that it is made of.

    Raises:
        CourseError: the image names no user but root, or one whose number is not known.
    """
    user = str(api.inspect_image(image)["Config"]["User"]).partition(":")[0]
    if not user.isdigit() or int(user) == 0:
        why = "A name does not say which number it has, and that could be 0." if user else "Its image names no user."
        what = f"The container {container} would run as {user or 'root'}, and runAsNonRoot is true."
        raise CourseError(what, why, "add runAsUser: 1000 to its securityContext")


def remove(api: Any, container: str, grace_s: int) -> None:
    """Stop and remove a container.  It is no error if there is none, or if somebody else is removing it at the moment.

    Args:
        api: of the engine.
        container: its name or id.
        grace_s: seconds that it has to end by itself before it is killed; 0 to kill it at once.

    Raises:
        WaitTimeout: somebody else is removing it, and does not finish.
        docker.errors.APIError: the engine refuses.
    """
    with suppress(NotFound):
        if grace_s:
            api.stop(container, timeout=grace_s)
        try:
            api.remove_container(container, v=True, force=True)
        except APIError as error:
            if error.status_code != 409:  # anything but "removal is already in progress"
                raise
            wait_until("a container to be removed", lambda: not inspect(api, container), timeout_s=REMOVAL_S)


def remove_volume(api: Any, name: str) -> None:
    """Remove a volume that no container uses any more; it is no error if there is none."""
    with suppress(NotFound):
        api.remove_volume(name)
