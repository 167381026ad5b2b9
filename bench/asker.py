"""Runs on a machine, from its standard input: asks over HTTP, one connection for each request, and prints what came of it as JSON.

``latency ROUNDS NAME=HOST:PORT,… …``: one request by each name in turn, to one of its addresses; prints the seconds of each.
``steady RATE FILE HOST:PORT``: so many requests a second until there is a file of that name; prints their number, and why some failed.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time
from collections import Counter
from pathlib import Path

ASKED = b"GET / HTTP/1.1\r\nHost: web\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
PATIENCE_S = 5.0


def ask(address: str) -> float:
    """The seconds from the request for a connection to the end of the answer."""
    host, _, port = address.partition(":")
    began = time.perf_counter()
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        connection.sendall(ASKED)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    took = time.perf_counter() - began
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(answer[:40])
    return took


def latency(rounds: str, *written: str) -> dict[str, list[float]]:
    targets = {name: addresses.split(",") for name, _, addresses in (one.partition("=") for one in written)}
    times: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(int(rounds)):
        for name in random.sample(list(targets), len(targets)):
            times[name].append(ask(random.choice(targets[name])))  # noqa: S311  (nobody is to be kept from guessing it)
    return times


async def once(address: str, failed: Counter[str]) -> None:
    host, _, port = address.partition(":")
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(ASKED)
            answer = await reader.read()
            writer.close()
        if not answer.startswith(b"HTTP/1.1 200"):
            failed[answer[:30].decode(errors="replace") or "closed without an answer"] += 1
    except OSError as error:  # a time that is up is one, too
        failed[type(error).__name__] += 1


async def steady(rate: str, end: str, address: str) -> dict[str, object]:
    began, failed, asked = time.monotonic(), Counter[str](), list[asyncio.Task[None]]()
    while not Path(end).exists():  # noqa: ASYNC240  (a look takes microseconds)
        asked.append(asyncio.create_task(once(address, failed)))
        await asyncio.sleep(max(0.0, began + len(asked) / float(rate) - time.monotonic()))
    spent = time.monotonic() - began
    await asyncio.gather(*asked)
    return {"sent": len(asked), "seconds": spent, "failed": failed}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print(json.dumps(latency(*rest) if what == "latency" else asyncio.run(steady(*rest))))
