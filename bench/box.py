"""How fast and how big a box is, beside its peers in the same run: a bare QEMU clone, and a bare privileged container.

``python -m bench.box --json`` prints rows ``{name, value, unit, limit, ok}``; a row without a limit is there to compare with.  What it
needs is built where the tests keep theirs (``COURSE_TEST_STATE``, else ``.tests``).  Medians of several runs; the exit code is always 0.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from bench.rows import RUNS, Row, on_an_engine, seconds, show
from lab.box import lifecycle
from lab.box.build.recipe import Recipe
from lab.box.build.steps import Artefacts
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import box_record
from lab.box.drivers.container import engine
from lab.box.drivers.microvm.qemu import PROGRAM, VirtualMachine
from lab.box.drivers.microvm.template import Template
from tests.support.course import state_directory

IDLE_S = 10


def home(name: str) -> Installation:
    """An installation that shares what the tests built; from now on this process finds it."""
    os.environ["COURSE_STATE"] = str(state_directory(name))
    return Installation.open()


@contextmanager
def bare_clone(template: Template, artefacts: Artefacts) -> Iterator[float]:
    """A clone without anything of ours around it; the seconds from its launch until it ran."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        directory = Path(scratch)
        machine = VirtualMachine(artefacts, template.memory, directory, directory / "console", template.accelerator)
        with template.state.open("rb") as saved:
            began = time.monotonic()
            process = subprocess.Popen(
                [PROGRAM, *machine.options(), "-S", "-incoming", "defer"], pass_fds=(saved.fileno(),), stderr=subprocess.DEVNULL
            )
            monitor = _connected(machine.monitor)
            file = monitor.makefile("rw")

            def command(name: str, **arguments: object) -> dict[str, object]:
                file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                file.flush()
                while "return" not in (answer := json.loads(file.readline())):
                    pass
                return dict(answer)

            file.readline()
            command("qmp_capabilities")
            command("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
            command("migrate-incoming", uri=f"fd:{saved.fileno()}")
            while command("query-status")["return"]["status"] == "inmigrate":  # type: ignore[index]
                pass
            command("cont")
            try:
                yield time.monotonic() - began
            finally:
                monitor.close()
                process.kill()
                process.wait()


def _connected(path: Path) -> socket.socket:
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
        else:
            return connection


def microvm() -> Iterator[Row]:
    """Figures of the emulated, or virtual, machine."""
    installation = home("microvm")
    box = lifecycle.up("microvm", installation=installation)
    recipe, accelerator = Recipe().key, box.status().accelerator
    template, artefacts = Template.of(installation, recipe, accelerator), Artefacts.of(installation, recipe)
    bare, ours, answers, resets = [], [], [], []
    for _ in range(RUNS):
        with bare_clone(template, artefacts) as took:
            bare.append(took)
        resets.append(seconds(box.reset, 1))
        record = box_record(installation)
        assert record
        assert record.launched
        ours.append(record.launched.running_s)
        answers.append(record.ready_s)
    kind = "virtual" if accelerator == "kvm" else "emulated"
    yield Row(f"{kind}: a bare QEMU clone runs", round(median(bare), 3), "s")
    yield Row(f"{kind}: our clone runs", round(median(ours), 3), "s", 0.3)
    yield Row(f"{kind}: its Docker answers through our access", round(median(answers), 3), "s", 2.0)
    yield Row(f"{kind}: reset", round(median(resets), 3), "s", 2.5)
    box.sh("true")
    yield Row(f"{kind}: a shell command", seconds(lambda: box.sh("true")), "s")
    yield Row(f"{kind}: checkpoint", seconds(lambda: box.checkpoint("bench"), 3), "s")
    yield Row(f"{kind}: rewind", seconds(lambda: box.rewind("bench"), 3), "s", 2.5)
    box.reset()
    yield Row(f"{kind}: the first container on a bridge starts", _starts(box.docker, 1), "s", 3.0)
    yield Row(f"{kind}: a container on a bridge starts", _starts(box.docker, 5), "s", 1.5)
    yield Row(f"{kind}: a container is run and removed", seconds(lambda: _run_and_remove(box.docker), 3), "s")
    yield Row(f"{kind}: the command docker version", seconds(lambda: box.sh("docker version", check=True), 5), "s", 0.4)
    yield Row("course up, when a box runs already", seconds(_course_up), "s", 1.0)
    second = home("microvm-2")
    lifecycle.up("microvm", installation=second)
    time.sleep(IDLE_S)
    record = box_record(second)
    assert record
    assert record.launched
    assert record.launched.vm
    yield Row(
        f"{kind}: a further idle clone, QEMU and relay", round(record.launched.vm.memory_mb + record.launched.relay.memory_mb), "MB", 250
    )
    lifecycle.down(second)
    home("microvm")
    lifecycle.down(installation)


def container() -> Iterator[Row]:
    """Figures of the container backend; the peer is the same image's container with nothing of ours around it."""
    installation = home("container")
    box = lifecycle.up("container", installation=installation)
    resets, answers = [], []
    for _ in range(RUNS):
        resets.append(seconds(box.reset, 1))
        record = box_record(installation)
        assert record
        answers.append(record.ready_s)
    assert record
    outer = engine.client(record.origin.engine)
    rights = json.loads((installation.root / "privileges.json").read_text())["privileges"]

    def peer() -> None:
        made = outer.containers.run(f"course-box:{Recipe().key}", detach=True, network_mode="none", volumes=["/var/lib/docker"], **rights)
        while made.exec_run(["docker", "version"]).exit_code:
            pass
        made.remove(force=True, v=True)

    yield Row("container: a bare container of the same image answers", seconds(peer, 3), "s")
    yield Row("container: a pristine box", round(median(answers), 3), "s", 3.0)
    yield Row("container: reset", round(median(resets), 3), "s")
    yield Row("container: a shell command", seconds(lambda: box.sh("true")), "s")
    yield Row("container: a container is run and removed", seconds(lambda: _run_and_remove(box.docker), 3), "s")
    outer.close()
    lifecycle.down(installation)


def _starts(client: object, runs: int) -> float:
    """Seconds that the start of a container takes that was created before, in the middle of so many."""
    took = []
    for _ in range(runs):
        made = client.containers.create("base", ["sleep", "1000"])  # type: ignore[attr-defined]
        took.append(seconds(made.start, 1))
        made.remove(force=True)
    return round(median(took), 3)


def _run_and_remove(client: object) -> None:
    client.containers.run("app:v1", ["true"], entrypoint="", network_mode="none", remove=True)  # type: ignore[attr-defined]


def _course_up() -> None:
    """As a user types it: with Python's compiled files, which some machines for tests switch off."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([Path(sys.executable).parent / "course", "up"], capture_output=True, check=True, env=env)


def rows() -> Iterator[Row]:
    """All figures."""
    yield Row("import lab", seconds(lambda: subprocess.run([sys.executable, "-c", "import lab"], check=True)), "s", 0.5)
    yield from microvm()
    yield from on_an_engine(container)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        show(rows())
