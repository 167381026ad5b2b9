"""The private engine runs containers, and nothing of it is left."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path

import docker
import psutil
import pytest

from tests.support.engine import private_engine, sweep, why_not

pytestmark = [pytest.mark.container, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]


SLEEPER = "from tests.support.engine import private_engine\nwith private_engine() as url: print(url, flush=True); input()"


def test_runs_containers_and_leaves_nothing() -> None:
    with private_engine() as url, closing(docker.DockerClient(base_url=url)) as client:
        name = Path(url).parent.name
        run_sleeper(client)
        assert len(client.containers.list()) == 1
        assert traces(name)

    assert traces(name) == []


def test_a_killed_run_leaves_no_process_and_is_swept_by_the_next() -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        name = Path(url).parent.name
        with closing(docker.DockerClient(base_url=url)) as client:
            run_sleeper(client)
        run.kill()

    wait_until_gone = time.monotonic() + 20
    while processes(name) and time.monotonic() < wait_until_gone:
        time.sleep(0.1)
    assert processes(name) == []

    sweep()
    assert traces(name) == []


def run_sleeper(client: docker.DockerClient) -> None:
    """Start a container of an image that holds nothing: its programs are this computer's."""
    tree = io.BytesIO()
    with tarfile.open(fileobj=tree, mode="w") as archive:
        for link in ("bin", "lib", "lib64"):
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{link}"
            archive.addfile(entry)
    client.api.import_image_from_data(tree.getvalue(), repository="bare", tag="latest")
    client.containers.run("bare:latest", ["/bin/sleep", "1000"], detach=True, volumes=["/usr:/usr:ro"], ports={"80/tcp": None})


def processes(name: str) -> list[str]:
    """Processes whose command line has the engine's name."""
    found = ((process.pid, " ".join(process.info["cmdline"] or [])) for process in psutil.process_iter(["cmdline"]))
    return [f"{pid}: {line}" for pid, line in found if name in line]


def traces(name: str) -> list[str]:
    """All that this computer shows of an engine: processes, mounts, files and control groups."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if name in line]
    places = [*Path(tempfile.gettempdir()).glob(name), *Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]
    return processes(name) + mounts + [str(place) for place in places]
