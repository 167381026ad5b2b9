"""How many machines there may be: a number that a variable changes, and the memory that is free here."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.box.core import memory
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.record import Origin, Record
from lab.box.drivers.registry import BACKENDS
from lab.box.errors import CourseError, UsageError
from lab.box.instances import quota


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.delenv(quota.QUOTA_VARIABLE, raising=False)
    monkeypatch.setattr(memory, "free_mb", lambda: 10_000.0)
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
    monkeypatch.setattr(memory, "free_mb", lambda: 400.0)
    quota.require(installation, "container", 0, 2)
    with pytest.raises(CourseError, match="1 more need 600 MB"):
        quota.require(installation, "microvm", 0, 1)


def test_the_memory_of_another_computer_is_not_ours_to_count(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_mb", lambda: 0.0)
    elsewhere = Origin("recipe", "native", {"DOCKER_HOST": "ssh://lab.example"})
    InstanceDir(installation, "container").save(Record("box-1234", "container", elsewhere))
    quota.require(installation, "container", 0, 1)


def test_a_box_is_refused_where_there_is_no_memory_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    microvm, here = BACKENDS["microvm"], Origin("recipe", "tcg")
    monkeypatch.setattr(memory, "free_mb", lambda: 700.0)
    quota.require_memory(microvm, here)
    monkeypatch.setattr(memory, "free_mb", lambda: 300.0)
    with pytest.raises(CourseError, match="not enough memory for a box") as raised:
        quota.require_memory(microvm, here)
    assert "300 MB are free" in raised.value.why
