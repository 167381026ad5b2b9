"""Wait for something, with a deadline; the error says what was awaited, what was seen last, and the last lines of a log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lab.box.errors import WaitTimeout

T = TypeVar("T")


def wait_for(
    what: str,
    probe: Callable[[], T],
    *,
    timeout_s: float,
    every_s: float = 0.02,
    log: Path | None = None,
    alive: Callable[[], bool] = lambda: True,
) -> T:
    """Call *probe* until it doesn't raise an ``OSError``, and return what it returned.

    Args:
        what: what is waited for, to be read after "waited for".
        probe: raises an OSError while it is not there.
        timeout_s: seconds until it is given up.
        every_s: seconds between two looks.
        log: its last lines are shown when the wait fails.
        alive: false when there is no use in waiting any longer.

    Raises:
        WaitTimeout: with what was seen last.
    """

    def look() -> T:
        if not alive():
            raise WaitTimeout(f"What was to bring {what} has ended.", tail(log), "course doctor")
        return probe()

    attempts = Retrying(stop=stop_after_delay(timeout_s), wait=wait_fixed(every_s), retry=retry_if_exception_type(OSError))
    try:
        return attempts(look)
    except RetryError as gave_up:
        last = gave_up.last_attempt.exception()
        seen = "" if isinstance(last, _NotYet) else f"Seen last: {type(last).__name__}: {last}."
        seen = f"{seen}\n{tail(log)}".strip()
        raise WaitTimeout(f"Waited {timeout_s:g} s for {what}.", seen, "course doctor") from None


class _NotYet(OSError):
    """What is waited for has not come, and there is no more to say."""


def wait_until(
    what: str,
    predicate: Callable[[], object],
    *,
    timeout_s: float,
    every_s: float = 0.02,
    log: Path | None = None,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Call *predicate* until it returns something true.  Use ``wait_for`` if the probe can say why it is not ready yet.

    Raises:
        WaitTimeout: it did not come true.
    """

    def look() -> None:
        if not predicate():
            raise _NotYet

    wait_for(what, look, timeout_s=timeout_s, every_s=every_s, log=log, alive=alive)


def tail(log: Path | None, lines: int = 8) -> str:
    """The last lines of a log; empty if there is no log."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log else ""
    except OSError:
        return ""
