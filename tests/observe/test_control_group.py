"""What containers use, as the kernel counts it, on either version of control groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.box.wait import wait_for
from lab.cleanup import clean
from lab.observe.control_group import WHOLE_MACHINE, read_usage, usage, used_mb

if TYPE_CHECKING:
    from lab.box.instances.box import Box

FILLED_MB = 40
FIRST = "0 ns 1000000000\na memory 2000000\na cpu_us 500000\na processes 2\nb memory 1000000\nb cpu_ns 1000000000\n"
LATER = "0 ns 3000000000\na memory 3000000\na cpu_us 1500000\na processes 3\nb memory 1000000\nb cpu_ns 1000000000\n"


def test_processors_are_what_was_used_since_the_reading_before() -> None:
    first, times = usage(FIRST, {})
    later, _ = usage(LATER, times)
    assert (first["a"].memory_mb, first["a"].cpus, first["a"].processes) == (2.0, 0.0, 2)
    assert (later["a"].memory_mb, later["a"].cpus, later["a"].processes) == (3.0, 0.5, 3)
    assert later["b"].cpus == 0


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_memory_that_containers_use_is_counted_together_and_one_by_one(box: Box) -> None:
    clean(box, "look-")
    before = used_mb(box)
    fill = f"base python3 -c 'import time; kept = bytearray({FILLED_MB} * 10**6); time.sleep(600)'"
    ids = box.sh(f"docker run -d --name look-1 {fill}; docker run -d --name look-2 {fill}", check=True).stdout.split()

    def both() -> float:
        if (used := used_mb(box) - before) < 2 * FILLED_MB:
            raise BlockingIOError(f"{used:.0f} MB so far")
        return used

    try:
        assert wait_for("both to have filled their memory", both, timeout_s=60, every_s=0.3) < 4 * FILLED_MB
        found, _ = read_usage(box, ids, {})
        assert set(found) == {*ids, WHOLE_MACHINE}
        assert all(FILLED_MB <= found[key].memory_mb < 2 * FILLED_MB and found[key].processes == 1 for key in ids)
    finally:
        clean(box, "look-")
    assert used_mb(box) <= before + 1
