"""The disk is the same, byte for byte, whoever builds it, where and when: a saved machine goes on only with the disk that it had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.box.build import rootfs
from lab.box.build.steps import usual_rights

FILES = {"etc/motd": b"welcome\n", "usr/bin/tool": b"#!/bin/sh\n", "usr/lib/data": bytes(range(256)) * 100}


def tree(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(FILES[name])
    (root / "dev").mkdir()
    (root / "usr/bin/link").symlink_to("tool")
    return root


def disk(root: Path) -> bytes:
    out = root.with_suffix(".erofs")
    rootfs.only_what_everybody_has(root)
    rootfs.write_disk(root, out)
    return out.read_bytes()


@pytest.fixture
def ours(tmp_path: Path) -> bytes:
    with usual_rights():
        return disk(tree(tmp_path / "ours", list(FILES)))


def test_order_time_and_owners_preferences_do_not_matter(tmp_path: Path, ours: bytes) -> None:
    before = os.umask(0o077)
    try:
        with usual_rights():
            theirs = tree(tmp_path / "theirs", list(reversed(FILES)))
    finally:
        os.umask(before)
    os.utime(theirs / "etc/motd", (1, 1))
    os.setxattr(theirs / "etc/motd", "user.seen", b"yes")

    assert disk(theirs) == ours


def test_devices_and_rights_that_root_alone_can_unpack_are_left_out(tmp_path: Path, ours: bytes) -> None:
    with usual_rights():
        theirs = tree(tmp_path / "theirs", list(FILES))
    (theirs / "usr/bin/tool").chmod(0o4644)
    (theirs / "dev/pts").mkdir()

    assert disk(theirs) == ours


def test_other_content_is_another_disk(tmp_path: Path, ours: bytes) -> None:
    theirs = tree(tmp_path / "theirs", list(FILES))
    (theirs / "etc/motd").write_bytes(b"Welcome\n")

    assert disk(theirs) != ours
