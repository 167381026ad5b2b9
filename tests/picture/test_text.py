"""The graph as text: one line for each node, whatever it is called."""

from __future__ import annotations

import pytest

from lab.picture.snapshot import Box
from lab.picture.text import plain, text
from tests.picture.boxes import ODD, busy, drawn, odd, shop


def test_the_tree_shows_what_is_in_what() -> None:
    assert text(drawn(busy(5), Box("box-2"))).splitlines() == [
        "your computer",
        "├─ box box-1  (5 containers)",
        "│  ├─ pod app-0  (running, 3 containers)  10.0.0.2  published 8000→8080  on network-0",
        "│  │  ├─ container app-0-0  (running)  app:v1",
        "│  │  ├─ container app-0-1  (running)  app:v1  no wall for net, ipc to app-0-0; no wall for uts to the box",
        "│  │  └─ container app-0-2  (running)  app:v1  no wall for net to app-0-0; no wall for uts to the box",
        "│  ├─ container app-0-3  (exited, code 1)  app:v1  10.0.0.5  on network-0",
        "│  ├─ container app-0-4  (paused)  app:v1  10.0.0.6, 10.1.0.6  published 8004→8080  on network-0, network-1",
        "│  ├─ service service-0  (a name for 3)  → app-0, app-0-3, app-0-4",
        "│  ├─ network network-0  (bridge)  10.0.0.0/24",
        "│  ├─ network network-1  (bridge)  10.1.0.0/24",
        "│  ├─ network network-2  (bridge)  10.2.0.0/24",
        "│  └─ network network-3  (bridge)  10.3.0.0/24",
        "└─ box box-2  (0 containers)",
    ]


def test_a_service_names_its_pods() -> None:
    lines = text(drawn(shop(("v1", 2, 1), name="b"))).splitlines()
    assert ("   ├─ service web  (2 of 3 ready, left out: web-v1-2 (is not ready))  10.96.0.10:80  → web-v1-0, web-v1-1") in lines
    assert "   │  └─ pod web-v1-2  (running, 2 containers, left out of web: is not ready)  10.244.1.5  on pods" in lines


def test_two_hundred_pods_are_a_few_lines() -> None:
    some = "web-v2-70, web-v2-71 and 10 more"
    assert text(drawn(shop(("v1", 120, 0), ("v2", 70, 12), wanted=200))).splitlines() == [
        "your computer",
        "└─ box box-1  (405 containers)",
        "   ├─ deployment web  (running, 190 of 200 ready, 120 of template v1, 82 of template v2 (wanted))",
        "   │  ├─ group app:v1: 120 ready  (template v1 (old))  on pods",
        "   │  ├─ group app:v2: 70 ready  (template v2 (wanted))  on pods",
        "   │  └─ group app:v2: 12 not ready  (12 HTTP 503, template v2 (wanted), 12 left out of web)  on pods",
        "   ├─ container proxy  (running)  proxy  10.244.0.2  published 80→8080  on pods",
        f"   ├─ service web  (190 of 202 ready, left out: {some} (is not ready))  10.96.0.10:80  → app:v1: 120 ready, app:v2: 70 ready",
        "   └─ network pods  (bridge)  10.244.1.0/24",
    ]


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_every_node_is_one_line_of_text_whatever_it_is_called(name: str) -> None:
    found = odd(name)
    lines = text(found).splitlines()
    assert len(lines) == len(found)
    assert all(line.isprintable() for line in lines)


def test_a_long_name_says_that_it_goes_on() -> None:
    assert plain("x" * 60) == "x" * 60
    assert plain("x" * 61) == "x" * 59 + "…"
