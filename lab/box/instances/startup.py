"""How a machine starts, is repaired and ends, whatever runs it: one sequence, which leaves nothing behind where it fails."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from lab.box.channel.identity import new_identity
from lab.box.core import processes
from lab.box.core.installation import lock
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.processes import Process
from lab.box.core.record import Launched, Record
from lab.box.drivers.base import Driver
from lab.box.errors import WaitTimeout
from lab.box.wait import wait_for

READY_TIMEOUT_S = 90


def start(
    driver: Driver,
    directory: InstanceDir,
    *,
    name: str = "",
    peers: Mapping[str, str] | None = None,
    checkpoint: str = "",
    original: Driver | None = None,
) -> Record:
    """Start a machine, give it an identity, and wait until it can be used: the engine of the box, commands on a machine beside it.

    The record of the box is complete when this returns; a machine beside it is listed only when whoever creates it says so.

    Args:
        driver: of the machine.
        directory: of the machine.
        name: the host name of a box that goes on from a checkpoint; without one it gets a new one.
        peers: addresses by name of all machines on the segment, for a machine that is beside the box.
        checkpoint: go on from there; without one the machine is pristine.
        original: of a running machine, of which this one is to be a copy.

    Returns:
        Its record, with ``ready_s``.

    Raises:
        WaitTimeout: it did not answer.
        CourseError: it could not be started, or did not take on its identity.
    """
    name = directory.name if not directory.is_box else name or f"box-{secrets.token_hex(2)}"
    try:
        launch = partial(driver.launch, name, checkpoint, original)
        return _start(driver, directory, name, dict(peers or {}), launch)
    except BaseException:
        end(driver, directory)
        raise


def _start(driver: Driver, directory: InstanceDir, name: str, peers: dict[str, str], launch: Callable[[], Launched]) -> Record:
    began = time.monotonic()
    directory.create()
    number = 0 if directory.is_box else directory.number
    record = Record(name, directory.backend, driver.origin, launch(), Process.of(os.getpid()), number=number, address=peers.get(name, ""))
    directory.save(record)
    identity = new_identity(directory.installation, directory.sockets, name, own_kernel=driver.features.own_kernel)
    relay_socket, log = directory.sockets / "dial.sock", directory.log
    wait_for("the box's relay", relay_socket.stat, timeout_s=READY_TIMEOUT_S, every_s=0.005, log=log, alive=lambda: record.alive)
    clock = {"time": time.time()} if driver.features.own_kernel else {}
    interface = {} if directory.is_box else {"interface": driver.interface()}
    driver.access.control({**identity, **clock, **interface, "peers": peers})
    if directory.is_box:
        _await_engine(driver, directory, record)
    record = replace(record, ready_s=_since(began))
    if directory.is_box:
        directory.save(record)
    return record


def _await_engine(driver: Driver, directory: InstanceDir, record: Record) -> None:
    what = "the box's Docker Engine"
    try:
        wait_for(what, driver.access.ping, timeout_s=READY_TIMEOUT_S, log=directory.log, alive=lambda: record.alive)
    except WaitTimeout as error:
        raise WaitTimeout(error.what, f"{error.why}\n{driver.engine_log()}".strip(), error.try_next) from None


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def repair(driver: Driver, directory: InstanceDir) -> None:
    """Start the relay of a machine again, where it was killed and the machine still runs.

    Raises:
        BoxNotRunning: the machine has ended.
        WaitTimeout: its engine did not answer through the new relay.
    """
    with lock(directory.files, "repair"):
        record = directory.load()
        if not record or not record.launched or record.launched.relay.alive or not driver.alive():
            return
        relay = driver.start_relay()
        if directory.load() != record:  # it was ended or replaced at this moment
            relay.kill()
            return
        directory.save(replace(record, launched=replace(record.launched, relay=relay)))
        log = directory.log
        wait_for("the box's relay", driver.access.ping, timeout_s=READY_TIMEOUT_S, log=log, alive=lambda: relay.alive)


def end(driver: Driver, directory: InstanceDir) -> None:
    """End a machine, also one that is only half there.

    Its checkpoints and logs stay.  The record of the box is removed; that of another machine stays, because it holds the machine's name.

    Raises:
        CourseError: what runs it can't be reached; no record is removed then.
    """
    driver.stop()
    processes.end_all(f"{directory.sockets}/")
    shutil.rmtree(directory.sockets, ignore_errors=True)
    if directory.is_box:
        directory.forget()
