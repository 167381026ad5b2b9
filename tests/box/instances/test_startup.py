"""One sequence starts every machine; where a step of it fails, nothing is left.  The driver is a fake, the files and processes are not."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir, box_record
from lab.box.core.processes import Process, spawn
from lab.box.core.record import Origin
from lab.box.errors import BoxNotRunning, CourseError, UsageError, WaitTimeout
from lab.box.instances import startup
from lab.box.instances.box import Box
from tests.support.course import until
from tests.support.driver import FakeDriver
from tests.support.progress import Titles

WAITING = "Waiting until another command has finished: "


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[InstanceDir]:
    installation = Installation(tmp_path)
    yield InstanceDir(installation, "container")
    shutil.rmtree(installation.runtime, ignore_errors=True)


@pytest.fixture
def driver(directory: InstanceDir, tmp_path: Path) -> Iterator[FakeDriver]:
    relay = spawn([shutil.which("sleep") or "sleep", "300"], tmp_path / "relay.log")
    yield FakeDriver(directory, relay)
    relay.kill()


def test_a_start_ends_in_a_record_that_tells_all(driver: FakeDriver, directory: InstanceDir) -> None:
    record = startup.start(driver, directory)
    assert directory.load() == record
    assert (record.alive, record.origin, record.creator) == (True, driver.origin, Process.of(os.getpid()))
    assert record.ready_s > 0
    (identity,) = driver.access.asked
    assert identity["hostname"] == record.name
    assert not {"interface", "time"} & set(identity)


def test_a_machine_beside_the_box_is_not_listed_by_its_start(driver: FakeDriver, directory: InstanceDir) -> None:
    beside = InstanceDir(directory.installation, "container", "web-1", 11)
    driver.directory = beside
    record = startup.start(driver, beside, peers={"web-1": "10.30.0.11"})
    assert (record.name, record.address, record.ready_s > 0) == ("web-1", "10.30.0.11", True)
    kept = beside.load()
    assert kept
    assert kept.ready_s == 0
    assert driver.access.asked[0]["interface"] == {}


def fails_to_launch(driver: FakeDriver) -> None:
    driver.error = CourseError("Your Docker Engine did not start the box.")


def has_a_relay_that_ended(driver: FakeDriver) -> None:
    driver.relay.kill()


def has_an_agent_that_refuses(driver: FakeDriver) -> None:
    driver.access.error = CourseError("The box did not take on its identity.")


def has_an_engine_that_never_answers(driver: FakeDriver) -> None:
    driver.access.ping = lambda: driver.relay.kill() or open("/nowhere")  # type: ignore[method-assign] # noqa: PTH123, SIM115


@pytest.mark.parametrize(
    "flaw", [fails_to_launch, has_a_relay_that_ended, has_an_agent_that_refuses, has_an_engine_that_never_answers], ids=lambda f: f.__name__
)
def test_a_start_that_fails_leaves_nothing(driver: FakeDriver, directory: InstanceDir, flaw: object) -> None:
    flaw(driver)  # type: ignore[operator]
    helper = None

    def launch_a_helper(*what: Any) -> object:
        nonlocal helper
        helper = spawn([shutil.which("tail") or "tail", "-F", f"{directory.sockets}/helper"], directory.log)
        return FakeDriver.launch(driver, *what)

    driver.launch = launch_a_helper  # type: ignore[assignment, method-assign]
    with pytest.raises((CourseError, WaitTimeout)):
        startup.start(driver, directory)
    assert driver.done[-1] == "stop"
    assert helper is not None
    assert not helper.alive
    assert not directory.sockets.exists()
    assert directory.load() is None


def test_a_relay_that_was_killed_is_started_once_more(driver: FakeDriver, directory: InstanceDir) -> None:
    startup.start(driver, directory)
    startup.repair(driver, directory)
    assert "start relay" not in driver.done
    driver.relay.kill()
    driver.relay = spawn([shutil.which("sleep") or "sleep", "300"], directory.log)
    startup.repair(driver, directory)
    record = directory.load()
    assert record
    assert record.launched
    assert (record.launched.relay, driver.done.count("start relay")) == (driver.relay, 1)


def test_a_machine_that_has_ended_or_was_replaced_gets_no_relay(driver: FakeDriver, directory: InstanceDir) -> None:
    startup.start(driver, directory)
    driver.relay.kill()
    driver.runs = False
    startup.repair(driver, directory)
    assert "start relay" not in driver.done
    driver.runs = True
    new = spawn([shutil.which("sleep") or "sleep", "300"], directory.log)
    driver.start_relay = lambda: directory.forget() or new  # type: ignore[func-returns-value, method-assign]
    startup.repair(driver, directory)
    assert not new.alive
    assert directory.load() is None


def test_changes_of_the_box_exclude_each_other_and_say_what_they_wait_for(driver: FakeDriver, directory: InstanceDir) -> None:
    startup.start(driver, directory)
    box, titles = Box(directory, driver), Titles()
    driver.go.clear()
    driver.launching.clear()
    slow = threading.Thread(target=box.reset)
    slow.start()
    assert driver.launching.wait(20)
    before = list(driver.done)
    others = [
        threading.Thread(target=lambda: box.rewind("lunch", titles)),
        threading.Thread(target=lambda: box.checkpoint("tea", titles)),
        threading.Thread(target=lambda: box.reset(titles)),
    ]
    for other in others:
        other.start()
    until("their waiting", lambda: len(titles) == len(others))
    assert titles == [f"{WAITING}resetting the box (process {os.getpid()})"] * len(others)
    assert driver.done == before
    driver.go.set()
    for thread in (slow, *others):
        thread.join(20)
    steps = [step.split()[0] for step in driver.done[len(before) :]]
    assert sorted(steps) == ["checkpoint", "launch", "launch", "stop", "stop"]
    assert all(steps[number - 1] == "stop" for number, step in enumerate(steps) if step == "launch")


def test_an_up_waits_for_a_reset_and_finds_its_box(driver: FakeDriver, directory: InstanceDir, monkeypatch: pytest.MonkeyPatch) -> None:
    startup.start(driver, directory)
    monkeypatch.setattr(lifecycle.registry, "driver_of", lambda _: driver)
    driver.go.clear()
    driver.launching.clear()
    reset = threading.Thread(target=Box(directory, driver).reset)
    reset.start()
    assert driver.launching.wait(20)
    titles, found = Titles(), []
    up = threading.Thread(target=lambda: found.append(lifecycle.up("auto", titles, directory.installation)))
    up.start()
    until("its waiting", lambda: titles)
    assert titles == [f"{WAITING}resetting the box (process {os.getpid()})"]
    driver.go.set()
    reset.join(20)
    up.join(20)
    assert len(found) == 1
    assert len([step for step in driver.done if step.startswith("launch")]) == 2
    record = box_record(directory.installation)
    assert record
    assert record.ready_s


def test_a_reset_that_can_not_be_done_costs_no_box(driver: FakeDriver, directory: InstanceDir) -> None:
    before = startup.start(driver, directory)
    driver.outdated = True
    with pytest.raises(CourseError, match="No pristine box"):
        Box(directory, driver).reset()
    assert "stop" not in driver.done
    assert directory.load() == before


def test_a_box_whose_place_another_has_taken_is_left_alone(driver: FakeDriver, directory: InstanceDir) -> None:
    record = startup.start(driver, directory)
    directory.save(replace(record, origin=Origin("another", "native")))
    done = list(driver.done)
    for change in (Box(directory, driver).reset, lambda: Box(directory, driver).checkpoint("tea")):
        with pytest.raises(BoxNotRunning, match="This box is gone"):
            change()
    assert driver.done == done


def test_nobody_reads_what_an_earlier_command_did(driver: FakeDriver, directory: InstanceDir) -> None:
    installation, titles = directory.installation, Titles()
    startup.start(driver, directory)
    Box(directory, driver).reset()
    with installation.keeping_the_box("creating web-1", titles):
        waiting = threading.Thread(target=lambda: Box(directory, driver).reset(titles))
        waiting.start()
        until("its waiting", lambda: titles)
    waiting.join(20)
    assert titles[0] == f"{WAITING}creating web-1 (process {os.getpid()})"


def test_a_checkpoint_that_is_not_there_costs_no_box(driver: FakeDriver, directory: InstanceDir) -> None:
    before = startup.start(driver, directory)
    with pytest.raises(UsageError):
        Box(directory, driver).rewind("dinner")
    assert "stop" not in driver.done
    assert directory.load() == before
    Box(directory, driver).rewind("lunch")
    after = directory.load()
    assert after
    assert after.name == "box-1234"
