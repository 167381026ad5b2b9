"""A kernel in the box, started by its name, as nbclient and nbgrader start one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from lab.box import lifecycle
from tests.support.course import until
from tests.support.kernel import kernels

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running

KERNEL = "box"


def ran(*cells: str, timeout_s: int = 60) -> list[str]:
    """What the cells print, each, when a notebook of them is run in a kernel in the box."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name=KERNEL, timeout=timeout_s).execute()
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]


def test_jupyter_knows_it() -> None:
    specification = KernelSpecManager().get_kernel_spec(KERNEL)
    assert specification.display_name == "Python in the box"
    assert specification.interrupt_mode == "message"


@pytest.mark.above
def test_a_notebook_runs_in_the_box(box: Box) -> None:
    before = kernels(box)
    name, answer, own = ran(
        "import os; print(os.uname().nodename)",
        "from lab import connect; print(connect().sh('echo $((6 * 7))'))",
        "print(os.getcwd(), os.path.exists('/usr/lib/course/agent.py'))",
    )
    assert name.strip() == box.status().name
    assert answer.strip() == "42"
    assert own.strip() == "/root True"
    until("the kernel's end", lambda: kernels(box) == before)


@pytest.mark.above
def test_a_kernel_that_dies_is_noticed(box: Box) -> None:
    assert box
    with pytest.raises(DeadKernelError):
        ran("import os, time; os._exit(1)", "print('never')")


@pytest.mark.above
def test_a_kernel_is_interrupted_restarted_and_ended(running: Running, box: Box) -> None:
    before = kernels(box)
    manager = KernelManager(kernel_name=KERNEL)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute("import time; print('at work', flush=True); time.sleep(300)")  # "busy" comes before: a kernel heeds no interrupt then
    until("its work", lambda: "at work" in client.get_iopub_msg(timeout=60)["content"].get("text", ""), timeout_s=90)
    manager.interrupt_kernel()
    until("the interrupt", lambda: client.get_iopub_msg(timeout=60)["content"].get("ename") == "KeyboardInterrupt", timeout_s=90)
    client.stop_channels()
    manager.restart_kernel(now=True)
    assert manager.is_alive()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    assert not manager.is_alive()
    until("the kernels' end", lambda: kernels(box) == before)
    assert not list(running.installation.runtime.glob("box/k*-[1-5]"))


@pytest.mark.above
def test_without_a_box_there_is_a_sentence(running: Running, box: Box) -> None:
    assert box
    lifecycle.down(running.installation)
    with pytest.raises(Exception, match="There is no box"):
        ran("1")
