"""What a cell shows ends when it has run again, in a real kernel that is asked as JupyterLab asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from pathlib import Path

SHOW = "print('closed:', *closed); ends_with_its_cell(lambda name={0!r}: closed.append(name))"
Cell = Callable[[str, str], str]


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    """Run code in the cell of a name; what it printed."""
    with ExitStack() as after:
        manager = KernelManager(transport="ipc", ip=str(tmp_path / "k"))
        manager.start_kernel()
        after.callback(manager.shutdown_kernel, now=True)
        client = manager.client()
        client.start_channels()
        after.callback(client.stop_channels)
        client.wait_for_ready(timeout=60)

        def run(name: str, code: str) -> str:
            content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
            request = client.session.msg("execute_request", content, metadata={"cellId": name} if name else {})
            client.shell_channel.send(request)
            said = ""
            while True:
                message = client.get_iopub_msg(timeout=30)
                if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                    continue
                if message["msg_type"] in ("stream", "error"):
                    said += str(message["content"].get("text") or message["content"])
                elif message["content"].get("execution_state") == "idle":
                    return said.strip()

        assert run("first", "from lab.widgets.cell import ends_with_its_cell\nclosed = []") == ""
        yield run


def test_what_a_cell_showed_before_ends_and_what_it_shows_now_stays(cell: Cell) -> None:
    assert cell("one", SHOW.format("a") + f"; {SHOW.format('b')}") == "closed:\nclosed:"
    assert cell("two", SHOW.format("c")) == "closed:"
    assert cell("one", SHOW.format("d")) == "closed:"
    assert cell("look", "print(closed)") == "['a', 'b']"
    assert "ZeroDivisionError" in cell("one", "1 / 0")  # it shows nothing any more, so what it showed has gone
    assert cell("look", "print(closed)") == "['a', 'b', 'd']"


def test_a_front_end_that_names_no_cells_ends_nothing(cell: Cell) -> None:
    for name in ("a", "b"):
        assert cell("", SHOW.format(name)) == "closed:"
    assert cell("", "print(closed)") == "[]"


def test_without_a_kernel_nothing_is_kept() -> None:
    from lab.widgets import cell as module  # noqa: PLC0415  (the name is the fixture's here)

    module.ends_with_its_cell(lambda: None)
    assert not module._shown
