"""The segment of virtual machines: real frames through the switch, which may be killed; a machine that boots; one beside a container."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

from lab import machines
from lab.box.core.installation import Installation
from lab.box.core.processes import Process
from lab.box.drivers.container import network as containers
from lab.box.drivers.container.engine import OWNER_LABEL
from lab.box.drivers.microvm import network, qemu
from lab.box.errors import NoBackend, UsageError
from tests.support.course import course, traces, until

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from lab.box.machine import Machine
    from tests.conftest import Running

ON_MICROVM = pytest.mark.parametrize("running", ["microvm"], indirect=True)
ON_CONTAINER = pytest.mark.parametrize("running", ["container"], indirect=True)
SERVE = "head -c 3000000 /dev/urandom > /root/blob && busybox httpd -p 9000 -h /root && sha256sum < /root/blob"
FETCH = "curl -s --max-time 60 http://web-1:9000/blob | sha256sum"


@pytest.fixture(autouse=True)
def tidy(box: Box) -> Iterator[None]:
    assert box
    machines.delete()
    yield
    machines.delete()


def reaches(caller: Machine, name: str) -> bool:
    return caller.sh(f"ping -c1 -W10 {name}").code == 0


def switch_of(running: Running) -> Process:
    return Process(**json.loads((running.installation.machines / "switch.json").read_text()))


@ON_MICROVM
def test_clones_share_a_wire_that_mends(box: Box, running: Running) -> None:
    one, two = machines.fleet("web-1", "web-2")
    assert (one.address, two.address) == ("10.30.0.11", "10.30.0.12")
    assert reaches(two, "web-1")
    assert reaches(two, "box")
    assert one.console == ""
    seen = {machine.sh("cat /sys/class/net/eth0/address /etc/machine-id").stdout for machine in (box, one, two)}
    assert len(seen) == 3
    sent = one.sh(SERVE, check=True).stdout
    assert two.sh(FETCH, timeout=90).stdout == sent
    switch_of(running).kill()
    assert not reaches(two, "web-1")
    machines.create("web-3")
    until("the way back", lambda: reaches(two, "web-1"), timeout_s=60)
    socket = network.switch_socket(running.installation)
    assert socket.parent.stat().st_mode & 0o077 == 0
    assert course("down", env=running.environment).code == 0
    assert traces(running.installation.root, running.installation.runtime) == []


@ON_MICROVM
@pytest.mark.full
def test_a_cold_machine_boots_before_your_eyes(box: Box) -> None:
    cold = machines.create("cold-1", cold=True)
    assert "Linux version 6.1" in cold.console
    assert "Run /init as init process" in cold.console
    assert cold.console.index("init: this machine is set up") < cold.console.index("init: agent starts")
    assert reaches(box, "cold-1")
    assert cold.docker.ping()
    assert "init: dockerd starts" in cold.console


@ON_CONTAINER
@pytest.mark.full
@pytest.mark.skipif(qemu.version() is None, reason=f"{qemu.PROGRAM} is not installed: tools/system-packages test")
def test_a_virtual_machine_beside_a_box_that_is_a_container(box: Box) -> None:
    machine = machines.create("vm-1", backend="microvm")
    assert machine.backend == "microvm"
    assert machine.sh("uname -r").stdout != box.sh("uname -r").stdout
    assert machine.sh("hostname").stdout == "vm-1\n"
    node = machines.create("node-1")
    assert node.backend == "container"
    assert [one.name for one in machines.all()] == ["node-1", "vm-1"]
    assert reaches(box, "node-1")
    assert box.sh("grep -c vm-1 /etc/hosts").stdout == "0\n"


@ON_CONTAINER
def test_a_container_does_not_boot(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    assert box
    with pytest.raises(UsageError, match="does not boot") as refused:
        machines.create("extra", cold=True)
    assert 'backend="microvm"' in refused.value.try_next
    monkeypatch.setattr(qemu, "version", lambda: None)
    with pytest.raises(NoBackend, match="microvm backend can't run here"):
        machines.create("extra", backend="microvm")


@ON_CONTAINER
def test_the_segment_of_containers_leads_nowhere_and_its_computer_is_not_on_it(running: Running, tmp_path: Path) -> None:
    machines.create("web-1")
    with closing(docker.from_env(environment=running.environment)) as outer:
        (found,) = outer.networks.list(filters={"label": f"{OWNER_LABEL}={running.installation.owner}"})
        other = containers.segment(outer, Installation(tmp_path))
        assert containers.address_on(other, 11) != machines.find("web-1").address
        assert containers.segment(outer, Installation(tmp_path)).id == other.id
        other.remove()
        options = {key.rpartition(".")[2]: value for key, value in found.attrs["Options"].items()}
        assert (options["inhibit_ipv4"], options["enable_ip_masquerade"]) == ("true", "false")
        gateway = found.attrs["IPAM"]["Config"][0].get("Gateway") or containers.address_on(found, 1)
    tried = machines.find("web-1").sh(
        f"ip route; ip route add 192.0.2.0/24 via {gateway}; ping -c 2 -W 1 {gateway}; ping -c 2 -W 1 192.0.2.1"
    )
    assert not re.search(r"^default via 10\.30\.", tried.stdout, re.MULTILINE)
    assert tried.stdout.count("0 received") == 2, tried
