"""A machine that is a container: where its start fails, nothing of it stays on the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.box import lifecycle
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import box_record
from lab.box.drivers.container import node
from lab.box.errors import CourseError
from lab.box.instances import startup
from tests.support.course import own_state, traces

if TYPE_CHECKING:
    from tests.conftest import Running

pytestmark = pytest.mark.parametrize("running", ["container"], indirect=True)


def nothing_runs(installation: Installation, running: Running) -> None:
    """Only logs may be left of a start that failed."""
    left = traces(installation.root, installation.runtime, running.environment)
    assert set(left) <= {str(installation.runtime), str(installation.boxes / "container")}
    assert not (installation.runtime / "box").exists()
    assert box_record(installation) is None


def test_a_box_that_can_not_be_reached_leaves_nothing(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_state(running.installation) as root:
        installation = Installation(root)
        monkeypatch.setattr(node, "AGENT", ["/usr/bin/false"])
        with pytest.raises(CourseError) as raised:
            lifecycle.up("container", installation=installation)
        assert raised.value.what == "What was to bring the box's relay has ended."
        assert "no greeting" in raised.value.why
        nothing_runs(installation, running)


def test_a_box_whose_engine_fails_says_its_last_words_and_leaves_nothing(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_state(running.installation) as root:
        installation = Installation(root)
        monkeypatch.setattr(startup, "READY_TIMEOUT_S", 4)
        monkeypatch.setattr("lab.box.channel.access.Access.ping", lambda _: open("/nowhere"))  # noqa: PTH123, SIM115
        with pytest.raises(CourseError, match="Waited 4 s for the box's Docker Engine") as raised:
            lifecycle.up("container", installation=installation)
        assert "level=info" in raised.value.why
        nothing_runs(installation, running)
