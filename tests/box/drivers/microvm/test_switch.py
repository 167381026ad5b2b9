"""The switch of virtual machines' segment: frames go where they belong, and nobody can hold it up."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.box.core.processes import spawn_module
from lab.box.drivers.microvm.switch import Switch
from tests.support.course import until

EVERYBODY = b"\xff" * 6
Port = Callable[[str], socket.socket]


def mac(number: int) -> bytes:
    return bytes([2, 0, 0, 0, 0, number])


def frame(to: bytes, sender: bytes, payload: bytes = b"hello") -> bytes:
    return to + sender + b"\x08\x00" + payload


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "hub.sock"
    process = spawn_module("lab.box.drivers.microvm.switch", str(path), log=tmp_path / "log")
    until("the hub", path.exists)
    yield path
    process.kill()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made: list[socket.socket] = []

    def plug_in(name: str) -> socket.socket:
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.append(one)
        one.settimeout(2)
        one.bind(str(tmp_path / name))
        return one

    yield plug_in
    for one in made:
        one.close()


def heard(one: socket.socket, within_s: float = 0.3) -> list[bytes]:
    one.settimeout(within_s)
    found = []
    with suppress(TimeoutError):
        while True:
            found.append(one.recv(1 << 17))
    return found


def test_what_is_known_goes_to_one_and_the_rest_to_all(hub: Path, port: Port) -> None:
    one, two, three = port("1"), port("2"), port("3")
    for number, who in enumerate((one, two, three), 1):
        who.sendto(frame(EVERYBODY, mac(number)), str(hub))
        time.sleep(0.05)
    assert [len(heard(who)) for who in (one, two, three)] == [2, 1, 0]
    one.sendto(frame(mac(2), mac(1)), str(hub))
    assert heard(two) == [frame(mac(2), mac(1))]
    assert heard(three) == heard(one) == []
    one.sendto(frame(mac(9), mac(1)), str(hub))
    assert [len(heard(who)) for who in (one, two, three)] == [0, 1, 1]


def test_who_has_gone_is_forgotten_and_who_comes_back_is_heard(hub: Path, port: Port, tmp_path: Path) -> None:
    one, two = port("1"), port("2")
    for number, who in enumerate((one, two), 1):
        who.sendto(frame(EVERYBODY, mac(number)), str(hub))
    heard(one)
    two.close()
    (tmp_path / "2").unlink()
    one.sendto(frame(mac(2), mac(1)), str(hub))
    again = port("2")
    again.sendto(frame(mac(1), mac(2)), str(hub))
    assert heard(one) == [frame(mac(1), mac(2))]
    one.sendto(frame(mac(2), mac(1)), str(hub))
    assert heard(again) == [frame(mac(2), mac(1))]


def test_who_takes_nothing_holds_up_nobody_for_long(hub: Path, port: Port) -> None:
    one, two, deaf = port("1"), port("2"), port("3")
    for number, who in enumerate((one, two, deaf), 1):
        who.sendto(frame(EVERYBODY, mac(number)), str(hub))
    heard(two)
    for _ in range(30):  # more than a socket holds
        one.sendto(frame(EVERYBODY, mac(1)), str(hub))
        two.settimeout(5)
        assert two.recv(1 << 17) == frame(EVERYBODY, mac(1))


@pytest.mark.parametrize("junk", [b"", b"short", b"x" * 14, b"\xff" * 70000])
def test_junk_is_no_reason_to_stop(hub: Path, port: Port, junk: bytes) -> None:
    one, two = port("1"), port("2")
    with suppress(OSError):
        one.sendto(junk, str(hub))
    for number, who in enumerate((one, two), 1):
        who.sendto(frame(EVERYBODY, mac(number)), str(hub))
    heard(one)
    heard(two)
    one.sendto(frame(mac(2), mac(1)), str(hub))
    assert heard(two) == [frame(mac(2), mac(1))]


def test_one_without_a_name_is_not_let_in(hub: Path, port: Port) -> None:
    one = port("1")
    one.sendto(frame(EVERYBODY, mac(1)), str(hub))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        nameless.sendto(frame(EVERYBODY, mac(9)), str(hub))
    assert heard(one) == []


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    path.touch()
    hub = Switch(path)
    assert path.is_socket()
    hub._socket.close()
