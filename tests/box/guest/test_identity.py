"""How a clone becomes a machine of its own: all of it or nothing, and without doing it to this computer."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from lab.box.guest import identity

WHO = {
    "time": 1.5e9, "entropy": "00" * 64, "hostname": "box-1234", "machine_id": "0" * 32, "host_key": "PRIVATE\n",
    "authorized_key": "ssh-ed25519 AAAA course",
}  # fmt: skip


Done = list[tuple[str, Any]]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Done:
    """What `become` did, in order; it does it to this list instead of to this computer."""
    seen: Done = []
    real = identity.write

    def write(path: str, text: str, mode: int) -> None:
        seen.append((path, oct(mode)))
        real(f"{tmp_path}{path}", text, mode)

    monkeypatch.setattr(identity, "write", write)
    monkeypatch.setattr(identity.socket, "sethostname", lambda name: seen.append(("hostname", name)))
    monkeypatch.setattr(identity.time, "clock_settime", lambda _, seconds: seen.append(("clock", seconds)))
    monkeypatch.setattr(identity, "reseed", lambda entropy: seen.append(("entropy", len(entropy))))
    return seen


def test_an_identity_is_taken_on(done: Done, tmp_path: Path) -> None:
    identity.apply_identity(WHO)
    assert done == [
        ("clock", 1.5e9), ("entropy", 64), ("hostname", "box-1234"), ("/etc/hostname", "0o644"), ("/etc/hosts", "0o644"),
        ("/etc/machine-id", "0o444"), ("/etc/ssh/course_host_key", "0o600"), ("/root/.ssh/authorized_keys", "0o600"),
        ("/run/course/born", "0o644"),
    ]  # fmt: skip
    assert (tmp_path / "etc/ssh/course_host_key").read_text() == "PRIVATE\n"
    assert "127.0.1.1 box-1234\n" in (tmp_path / "etc/hosts").read_text()


def test_a_machine_that_stood_still_is_told_the_time(done: Done) -> None:
    identity.set_clock({"time": 1.6e9})
    with pytest.raises(ValueError, match="noon"):
        identity.set_clock({"time": "noon"})
    assert done == [("clock", 1.6e9)]


def test_a_shared_kernel_keeps_its_clock_and_its_randomness(done: Done) -> None:
    identity.apply_identity({name: value for name, value in WHO.items() if name not in ("time", "entropy")})
    assert not {"clock", "entropy"} & {name for name, _ in done}


@pytest.mark.parametrize("missing", ["hostname", "machine_id", "host_key", "authorized_key"])
def test_half_an_identity_is_refused(done: Done, missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        identity.apply_identity({name: value for name, value in WHO.items() if name != missing})
    assert dict(done).get("/root/.ssh/authorized_keys") is None


@pytest.mark.parametrize("missing", ["hostname", "machine_id", "host_key", "authorized_key"])
def test_half_an_identity_changes_nothing(done: Done, missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        identity.apply_identity({name: value for name, value in WHO.items() if name != missing})
    assert done == []


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    identity.write(str(target), "old\n", 0o644)
    with target.open() as reader:
        identity.write(str(target), "new\n", 0o444)
        assert reader.read() == "old\n"
    assert target.read_text() == "new\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o444
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_could_not_be_written_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    identity.write(str(target), "old\n", 0o644)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "chmod", full)
    with pytest.raises(OSError, match="No space"):
        identity.write(str(target), "new\n", 0o600)
    assert target.read_text() == "old\n"


def test_a_secret_is_never_readable_by_others_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        modes.append(stat.S_IMODE(self.stat().st_mode))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    identity.write(str(tmp_path / "key"), "PRIVATE\n", 0o600)
    assert modes == [0o600]


def test_a_file_that_is_a_mount_is_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "hosts"
    target.write_text("old\n")
    inode = target.stat().st_ino
    monkeypatch.setattr(identity.os.path, "ismount", lambda path: path == str(target))
    identity.write(str(target), "new\n", 0o644)
    assert (target.read_text(), target.stat().st_ino) == ("new\n", inode)


def test_peers_are_introduced_and_the_learners_own_lines_stay() -> None:
    hosts = identity.HOSTS.format("web-1") + "10.9.8.7 mine\n"
    both = identity.hosts_file(hosts, {"web-1": "10.30.0.11", "web-2": "10.30.0.12"}, "web-1")
    assert "127.0.1.1" not in both
    assert [line.split()[:2] for line in both.splitlines()[2:]] == [["10.9.8.7", "mine"], ["10.30.0.11", "web-1"], ["10.30.0.12", "web-2"]]
    assert identity.hosts_file(both, {"web-1": "10.30.0.11"}, "web-1").count("web") == 1
