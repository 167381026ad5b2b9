"""Pages are asked for until somebody answers; behind a container's wall of the network there is a localhost of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.box.errors import WaitTimeout
from lab.observe import APP, localhost, page

if TYPE_CHECKING:
    from lab.box.instances.box import Box

PORT = 8097
PAIR = f"""
docker run -d --name look-app -p {PORT}:8080 app:v1
docker run -d --name look-helper --network container:look-app base sleep 1000
"""


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_two_that_share_a_network_have_one_localhost(pair: Box) -> None:
    assert "count: 1\n" in localhost(pair, "look-app")
    assert "count: 2\n" in localhost(pair, "look-helper", "/?who=isn't-it")
    assert "count: 3\n" in page(pair, PORT)
    assert localhost(pair, "look-helper", port=9090, patience_s=0) == ""


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_where_nobody_answers_the_wait_says_from_which_port(box: Box) -> None:
    with pytest.raises(WaitTimeout, match=r"an answer from port 8098 of the box"):
        page(box, 8098, timeout_s=0.5)


def test_the_source_of_the_app_is_there() -> None:
    compile(APP.read_text(), APP.name, "exec")
