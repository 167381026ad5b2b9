"""A machine that boots on the screen: the console's tail, and what is said where there is no virtual machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import machines
from lab.box.drivers.microvm import qemu
from lab.widgets.console import LAST, boot, tail

if TYPE_CHECKING:
    from lab.box.instances.box import Box


def test_the_last_lines_are_shown_and_the_others_counted() -> None:
    lines = tail("\n".join(f"[{number}] " + "x" * 200 for number in range(100))).splitlines()
    assert lines[0].startswith("[0] ")
    assert lines[1] == f"… {100 - LAST} lines …"
    assert lines[-1].startswith("[99] ")
    assert max(map(len, lines)) < 120


def test_before_anything_is_printed_the_power_is_on() -> None:
    assert tail("\n \n") == "The power is on."


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_where_no_virtual_machine_can_be_had_it_is_said(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(qemu, "version", lambda: None)
    try:
        made = boot("plays-a-machine")
        assert (made.backend, made.sh("cat /proc/1/comm").stdout) == ("container", "init\n")
        assert box.sh("ping -c 1 plays-a-machine").code == 0
    finally:
        machines.delete("plays-a-machine")
    assert "is not installed" in capsys.readouterr().out
