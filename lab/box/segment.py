"""The private network on which an installation's machines see each other.

Virtual machines are on a hub (``hub.py``) whose sockets only the owner can reach.  Containers are on a network of the outer Docker engine
that leads nowhere else, and on which that engine's own computer has no address.  Whoever may use that engine can join it, as they can do
all else there: on that backend the wall is the engine's.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.box import engine
from lab.box.errors import CourseError
from lab.box.place import machines_of
from lab.box.processes import Process, spawn_module
from lab.box.state import State, lock, private_directory
from lab.box.wait import wait_for

if TYPE_CHECKING:
    import docker
    from docker.models.networks import Network

PREFIX = "10.30.0"
"""The network of virtual machines; containers have the first of 10.30.0 to 10.30.255 that their engine has not given away."""
START_S = 10
NO_ADDRESS_HERE = {"com.docker.network.bridge.inhibit_ipv4": "true"}


def hub_socket(state: State) -> Path:
    """Where virtual machines send their frames; nothing is lost but frames while no hub is there."""
    return state.runtime / "hub.sock"


def mac(number: int) -> str:
    """The Ethernet address of a seat; of those that anybody may use."""
    return f"02:00:10:30:00:{number:02x}"


def opened(state: State, backend: str, environment: dict[str, str]) -> str:
    """Have a segment for what a backend runs; the first three parts of the addresses on it.

    Args:
        state: of the installation.
        backend: ``microvm`` or ``container``.
        environment: the variables that name the outer engine.

    Raises:
        CourseError: it could not be made.
    """
    if backend == "microvm":
        open_hub(state)
        return PREFIX
    with closing(engine.client(environment)) as outer:
        return address_on(network(outer, state), 0).rpartition(".")[0]


def open_hub(state: State) -> None:
    """Have a hub that runs.

    Raises:
        WaitTimeout: it did not start.
    """
    remembered, path = machines_of(state) / "hub.json", hub_socket(state)
    with lock(machines_of(state), "hub"):
        with suppress(OSError, ValueError, TypeError):
            if Process(**json.loads(remembered.read_text())).alive:
                return
        private_directory(path.parent)
        path.unlink(missing_ok=True)
        log = machines_of(state) / "hub.log"
        hub = spawn_module("lab.box.hub", str(path), log=log)
        remembered.write_text(json.dumps(asdict(hub)))
        wait_for("the machines' network", path.stat, timeout_s=START_S, log=log, alive=lambda: hub.alive)


def network(outer: docker.DockerClient, state: State) -> Network:
    """The installation's network on an engine, made where it is missing.

    Raises:
        CourseError: the engine refuses.
    """
    import docker  # noqa: PLC0415

    with lock(machines_of(state), "network"):
        if found := find_network(outer, state):
            return found
        why = ""
        for third in range(256):
            try:
                return outer.networks.create(
                    f"course-{state.owner}-segment-{secrets.token_hex(2)}", driver="bridge", internal=True, check_duplicate=True,
                    labels={engine.OWNER_LABEL: state.owner}, options=NO_ADDRESS_HERE, ipam=_pool(f"10.30.{third}.0/24"),
                )  # fmt: skip
            except docker.errors.APIError as error:
                why = str(error.explanation)
                if "overlap" not in why.lower():
                    break
    raise CourseError("Your Docker Engine made no network for the machines.", why, "docker network ls")


def find_network(outer: docker.DockerClient, state: State) -> Network | None:
    """The installation's network, where there is one."""
    found = outer.networks.list(filters={"label": f"{engine.OWNER_LABEL}={state.owner}"})
    return found[0] if found else None


def address_on(network: Network, number: int) -> str:
    """The address of a seat on an engine's network."""
    return str(ipaddress.ip_network(network.attrs["IPAM"]["Config"][0]["Subnet"])[number])


def _pool(subnet: str) -> Any:
    from docker.types import IPAMConfig, IPAMPool  # noqa: PLC0415

    return IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])
