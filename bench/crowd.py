"""Containers that are made up: as many as are wanted, with everything that is drawn."""

from __future__ import annotations

from dataclasses import replace

from lab.picture.snapshot import Box, Container, Link, Network, Port

NETWORK_OF = 50
APP_OF = 10
SHARED = ("net", "ipc", "uts")


def crowd(size: int) -> Box:
    """A machine with so many containers: a network for every fifty, and deployments of eight that stand alone and a pod of two."""
    networks = [Network(f"{number:064x}", f"net-{number}", subnet=f"10.{number}.0.0/16") for number in range(size // NETWORK_OF)]
    return Box("box", tuple(_one(number, networks[number // NETWORK_OF]) for number in range(size)), tuple(networks))


def _one(number: int, network: Network) -> Container:
    app, copy = f"app-{number // APP_OF}", number % APP_OF
    found = Container(f"{number:064x}", f"{app}-{copy}", "app:v1", created=number, labels={"deployment": app})
    if copy == APP_OF - 1:
        return replace(found, shares=dict.fromkeys(SHARED, f"{number - 1:064x}"))
    address = f"{network.subnet.removesuffix('.0.0/16')}.{number >> 8}.{number & 255}"
    return replace(found, links=(Link(network.id, address, (app,)),), ports=(Port(8000 + number, 8080),) if copy == 0 else ())


def pause(box: Box, number: int) -> Box:
    """The same machine after one of its containers was paused."""
    containers = list(box.containers)
    containers[number] = replace(containers[number], state="paused")
    return replace(box, containers=tuple(containers))
