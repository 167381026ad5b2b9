"""All benchmarks: ``python -m bench``."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain

from bench import box, machines, objects, topology
from bench.rows import show

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        show(chain(box.rows(), topology.rows(), objects.rows(), machines.rows()))
