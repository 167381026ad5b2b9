"""A program for a machine: sends web requests from where it is started, and tells of each who answered.  It needs nothing but Python 3.12.

It reads JSON: the addresses, how many requests, how many at once, and how long one may take.  It prints a line of JSON for each request:
its id, the seconds it took, who answered, why it failed, and where it was sent; who and why are empty where there is nothing to say.  Each
request is a connection of its own, to one of the addresses that is taken by chance.
"""

from __future__ import annotations

import http.client
import json
import random
import secrets
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

BROKEN = {
    http.client.RemoteDisconnected: "closed without an answer",
    ConnectionRefusedError: "refused: nobody listens there",
    ConnectionResetError: "reset: it was broken off",
    socket.gaierror: "there is no such name",
}
"""Why a request has failed that had no answer, in the words of a network, by what Python raises."""


def main(urls: list[str], n: int, at_once: int, timeout_s: float) -> None:
    """Send all requests, and print what became of each as soon as it is known."""
    with ThreadPoolExecutor(at_once) as pool:
        for told in pool.map(lambda _: ask(random.choice(urls), timeout_s), range(n)):  # noqa: S311
            print(json.dumps(told), flush=True)  # noqa: T201


def ask(url: str, timeout_s: float) -> list[Any]:
    """Send one request; what is printed of it."""
    name, began, where = secrets.token_hex(8), time.monotonic(), urlsplit(url)
    by = trouble = ""
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=timeout_s)
    try:
        connection.request("GET", f"{where.path or '/'}?{where.query}".rstrip("?"), headers={"X-Request-Id": name, "Connection": "close"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        by = dict(line.partition(": ")[::2] for line in text.splitlines()).get("container", "")
        trouble = "" if answer.status < http.HTTPStatus.BAD_REQUEST else f"{answer.status} {answer.reason}"
    except TimeoutError:
        trouble = f"no answer within {timeout_s:g} s"
    except (OSError, http.client.HTTPException) as error:
        known = (words for kind, words in BROKEN.items() if isinstance(error, kind))
        trouble = next(known, getattr(error, "strerror", None) or type(error).__name__)
    finally:
        connection.close()
    return [name, time.monotonic() - began, by, trouble, url]


if __name__ == "__main__":
    main(**json.load(sys.stdin))
