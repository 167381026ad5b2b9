"""Where the quota allows fewer machines than a lesson wants, it goes on with fewer, and says why."""

from __future__ import annotations

import pytest

from lab.box import machines


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
@pytest.mark.usefixtures("box")
def test_where_the_quota_refuses_there_are_fewer_machines_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["look-1", "look-2", "look-3"]
    monkeypatch.setenv("COURSE_MACHINES", "3")
    assert machines.affordable(names, 2, "So there are two.") == names
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("COURSE_MACHINES", "2")
    assert machines.affordable(names, 2, "So there are two.") == names[:2]
    said = capsys.readouterr().out
    assert said.startswith("The quota allows 2 machines")
    assert said.endswith("So there are two.\n")
