"""How many machines there may be: a number that a variable changes, and the memory that is free here."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.record import Origin, Record
from lab.box.errors import CourseError, UsageError
from lab.box.instances import quota


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.delenv(quota.QUOTA_VARIABLE, raising=False)
    monkeypatch.setattr(quota, "free_mb", lambda: 10_000.0)
    return Installation(tmp_path)


@pytest.mark.parametrize(("there", "more", "allowed"), [(0, 5, True), (4, 1, True), (5, 1, False), (0, 6, False), (9, 0, False)])
def test_five_are_allowed(installation: Installation, there: int, more: int, allowed: bool) -> None:
    if allowed:
        quota.require(installation, "microvm", there, more)
    else:
        with pytest.raises(CourseError, match="allows 5 machines") as raised:
            quota.require(installation, "microvm", there, more)
        assert f"{quota.QUOTA_VARIABLE}={there + more}" in raised.value.try_next


def test_a_variable_allows_more_or_fewer(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quota.QUOTA_VARIABLE, "7")
    quota.require(installation, "microvm", 5, 2)
    monkeypatch.setenv(quota.QUOTA_VARIABLE, "1")
    with pytest.raises(CourseError, match="allows 1 machines"):
        quota.require(installation, "microvm", 1, 1)


@pytest.mark.parametrize("value", ["many", "-1", "2.5"])
def test_what_is_no_number_is_wrong_usage(installation: Installation, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(quota.QUOTA_VARIABLE, value)
    with pytest.raises(UsageError) as raised:
        quota.require(installation, "microvm", 0, 1)
    assert raised.value.try_next == f"unset {quota.QUOTA_VARIABLE}"


def test_memory_counts_by_what_a_machine_of_the_backend_takes(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "free_mb", lambda: 400.0)
    quota.require(installation, "container", 0, 2)
    with pytest.raises(CourseError, match="1 more need 600 MB"):
        quota.require(installation, "microvm", 0, 1)


def test_the_memory_of_another_computer_is_not_ours_to_count(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "free_mb", lambda: 0.0)
    elsewhere = Origin("recipe", "native", {"DOCKER_HOST": "ssh://lab.example"})
    InstanceDir(installation, "container").save(Record("box-1234", "container", elsewhere))
    quota.require(installation, "container", 0, 1)


def test_a_group_that_sets_no_limit_leaves_the_computers_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert quota._left_in_group(tmp_path) == []
    (tmp_path / "memory.max").write_text("1000000000\n")
    (tmp_path / "memory.current").write_text("900000000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 200000000\n")
    assert quota._left_in_group(tmp_path) == [300.0]


def test_a_limit_of_the_older_control_groups_counts_as_well(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    for name, text in {
        "limit_in_bytes": "2000000000\n",
        "usage_in_bytes": "1500000000\n",
        "stat": "cache 1\ntotal_inactive_file 100000000\n",
    }.items():
        (tmp_path / f"memory/memory.{name}").write_text(text)
    assert quota._left_in_group(tmp_path) == [600.0]
