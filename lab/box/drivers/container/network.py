"""The segment of machines that are containers: a network of the outer Docker engine that leads nowhere else.

The computer of that engine has no address on it.  Whoever may use the engine can join it, as they can do all else there: on this backend
the wall is the engine's.
"""

from __future__ import annotations

import ipaddress
import secrets
from typing import TYPE_CHECKING, Any

from lab.box.core.installation import Installation, lock
from lab.box.drivers.container import engine
from lab.box.errors import CourseError

if TYPE_CHECKING:
    import docker
    from docker.models.networks import Network

LEADS_NOWHERE = {"com.docker.network.bridge.inhibit_ipv4": "true", "com.docker.network.bridge.enable_ip_masquerade": "false"}
"""The engine's computer gets no address on the bridge, and lends it none.  A network that is ``internal`` would drop what machines send to
the networks behind one another, because its rules know this segment's addresses alone."""


def segment(outer: docker.DockerClient, installation: Installation) -> Network:
    """The installation's segment on an engine, made where it is missing.

    It is the first of the networks 10.30.0 to 10.30.255 that the engine has not given away.

    Raises:
        CourseError: the engine refuses.
    """
    import docker  # noqa: PLC0415

    with lock(installation.machines, "network"):
        if found := find_segment(outer, installation):
            return found
        why = ""
        for third in range(256):
            try:
                return outer.networks.create(
                    f"course-{installation.owner}-segment-{secrets.token_hex(2)}", driver="bridge", check_duplicate=True,
                    labels={engine.OWNER_LABEL: installation.owner}, options=LEADS_NOWHERE, ipam=_pool(f"10.30.{third}.0/24"),
                )  # fmt: skip
            except docker.errors.APIError as error:
                why = str(error.explanation)
                if "overlap" not in why.lower():
                    break
    raise CourseError("Your Docker Engine made no network for the machines.", why, "docker network ls")


def find_segment(outer: docker.DockerClient, installation: Installation) -> Network | None:
    """The installation's segment, where there is one."""
    found = outer.networks.list(filters={"label": f"{engine.OWNER_LABEL}={installation.owner}"})
    return found[0] if found else None


def address_on(network: Network, number: int) -> str:
    """The address of the machine with this number."""
    return str(ipaddress.ip_network(network.attrs["IPAM"]["Config"][0]["Subnet"])[number])


def _pool(subnet: str) -> Any:
    from docker.types import IPAMConfig, IPAMPool  # noqa: PLC0415

    return IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])
