"""Figures, one a row, and how they are printed: as a table, or as ``--json``."""

from __future__ import annotations

import json
import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from tests.support.engine import answering_engine, private_engine, why_not

RUNS = 5


@dataclass(frozen=True)
class Row:
    """One figure; ``at_least`` is of the limit."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Within its limit, if it has one."""
        return self.limit is None or (self.value >= self.limit if self.at_least else self.value <= self.limit)


def on_an_engine(figures: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    """Figures that need a Docker engine: yours if it answers, else a private one; none where neither can be had."""
    if url := answering_engine():
        os.environ["DOCKER_HOST"] = url
        yield from figures()
    elif not why_not():
        with private_engine() as url:
            os.environ["DOCKER_HOST"] = url
            yield from figures()


def seconds(action: Callable[[], object], runs: int = RUNS) -> float:
    """The median time of several runs."""
    times = []
    for _ in range(runs):
        began = time.monotonic()
        action()
        times.append(time.monotonic() - began)
    return round(median(times), 3)


def options() -> Namespace:
    """What the command line asks for; another option ends the program, with a sentence."""
    parser = ArgumentParser(description="How fast, and how big: see bench/README.md.")
    parser.add_argument("--json", action="store_true", help="as a list of rows, instead of a table")
    parser.add_argument("--microvm", action="store_true", help="also what takes some minutes: objects and machines on virtual machines")
    return parser.parse_args()


def show(figures: Iterable[Row]) -> None:
    """Print the figures, in the way that the command line asks for."""
    if options().json:
        keys = ("name", "value", "unit", "limit", "ok")
        print(json.dumps([{key: getattr(row, key) for key in keys} for row in figures], indent=1))
        return
    print("| what | figure | limit | |\n|---|---|---|---|")
    for row in figures:
        limit = f"{'≥ ' if row.at_least else ''}{row.limit:g} {row.unit}" if row.limit is not None else ""
        print(f"| {row.name} | {row.value:g} {row.unit} | {limit} | {'' if row.ok else 'falls short'} |", flush=True)
