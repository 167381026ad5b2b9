"""What an engine's event means for a picture."""

from __future__ import annotations

from typing import Any

import pytest

from lab.picture.events import Change, change


def event(kind: str, action: str, container: str = "c") -> dict[str, Any]:
    actor = {"ID": "net-1", "Attributes": {"container": container}} if kind == "network" else {"ID": container, "Attributes": {}}
    return {"Type": kind, "Action": action, "Actor": actor}


@pytest.mark.parametrize(
    ("kind", "action", "expected"),
    [
        ("container", "start", Change("c", details=True, started=True)),
        ("container", "die", Change("c", details=True, started=False)),
        ("container", "rename", Change("c", details=False, started=False)),
        ("container", "health_status: healthy", Change("c", details=False, started=False)),
        ("network", "connect", Change("c", details=True, started=False)),
        ("container", "exec_start: sh -c true", None),
        ("container", "kill", None),
        ("image", "tag", None),
        ("volume", "mount", None),
    ],
)
def test_an_event_says_what_has_changed(kind: str, action: str, expected: Change | None) -> None:
    assert change(event(kind, action)) == expected


def test_a_network_that_is_made_is_about_no_container() -> None:
    made = {"Type": "network", "Action": "create", "Actor": {"ID": "net-1", "Attributes": {"name": "front"}}}
    assert change(made) == Change("", details=False, started=False)


@pytest.mark.parametrize("nonsense", [[], None, "text", {"Type": "container", "Actor": None}])
def test_what_is_no_event_is_an_error(nonsense: Any) -> None:
    with pytest.raises(AttributeError):
        change(nonsense)
