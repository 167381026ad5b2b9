"""Run a test's coroutine so that nothing goes wrong unseen."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
SOON_S = 40.0


def run(main: Coroutine[Any, Any, T], seconds: float = SOON_S) -> T:
    """What *main* returns.  Fails if it takes too long, and if any task or callback beside it ended in an error that nobody looked at."""
    complaints: list[dict[str, Any]] = []

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with asyncio.timeout(seconds):
            return await main

    result = asyncio.run(watched())
    gc.collect()
    assert not complaints, complaints
    return result


async def until(true: Callable[[], object], seconds: float = SOON_S / 2) -> None:
    """Return once *true()* is; fail if it does not come."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.002)
