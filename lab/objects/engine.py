"""Speaking with a machine's engine: several requests side by side, its complaints in words, and removal that does not mind what is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from docker.errors import APIError, ImageNotFound, NotFound

from lab.box.errors import CourseError
from lab.box.wait import wait_for

A = TypeVar("A")
B = TypeVar("B")
AT_ONCE = 8
"""Requests side by side."""
REMOVAL_S = 30.0


def together(action: Callable[[A], B], things: Iterable[A]) -> list[B]:
    """The results of an action on several things, side by side; the first failure is raised when all have ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(action, things))


@contextmanager
def in_words(api: Any, pod: str) -> Iterator[None]:
    """The engine's complaints about a pod, as sentences.

    Raises:
        CourseError: the engine complained.
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


def look(api: Any, container: str) -> dict[str, Any] | None:
    """The engine's long answer about a container; nothing where it is gone."""
    with suppress(NotFound):
        return dict(api.inspect_container(container))
    return None


def remove(api: Any, container: str, grace_s: int) -> None:
    """Stop and remove a container.  That it is gone, or that somebody else is removing it, is no error.

    Args:
        api: the engine's.
        container: its name or id.
        grace_s: seconds that it has to end by itself.
    """

    def must_be_gone() -> None:
        if look(api, container):
            raise BlockingIOError("it is still there")

    with suppress(NotFound):
        if grace_s:
            api.stop(container, timeout=grace_s)
        try:
            api.remove_container(container, v=True, force=True)
        except APIError as error:
            if error.status_code != 409:  # anything but "removal is already in progress"
                raise
            wait_for("a container to be removed", must_be_gone, timeout_s=REMOVAL_S)


def remove_volume(api: Any, name: str) -> None:
    """Remove a volume that nobody uses any more; that it is gone is no error."""
    with suppress(NotFound):
        api.remove_volume(name)
