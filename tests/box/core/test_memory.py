"""The memory that there is, where a control group limits it: files of either version, as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from lab.box.core import memory


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    return tmp_path


def test_a_group_that_sets_no_limit_leaves_the_computers_memory(groups: Path) -> None:
    (groups / "memory.max").write_text("max\n")

    assert memory.total_mb() == psutil.virtual_memory().total / 1e6


def test_pages_that_can_be_dropped_count_as_free(groups: Path) -> None:
    (groups / "memory.max").write_text("1000000000\n")
    (groups / "memory.current").write_text("900000000\n")
    (groups / "memory.stat").write_text("anon 5\ninactive_file 200000000\nactive_file 100000000\n")

    assert (memory.total_mb(), memory.free_mb()) == (1000.0, 400.0)


def test_a_limit_of_the_older_control_groups_counts_as_well(groups: Path) -> None:
    (groups / "memory").mkdir()
    for name, text in {
        "limit_in_bytes": "2000000000\n",
        "usage_in_bytes": "1500000000\n",
        "stat": "cache 1\ntotal_inactive_file 100000000\ntotal_active_file 0\n",
    }.items():
        (groups / f"memory/memory.{name}").write_text(text)

    assert (memory.total_mb(), memory.free_mb()) == (2000.0, 600.0)
