"""A reverse proxy in front of a Service: HAProxy in a container, which is told of its endpoints while it works.

It is told over its runtime API: it has a number of places, each with an endpoint's address, or closed.  Nothing is started anew,
so no request is lost: whoever is being served is served to the end.  What it was told last stands in its configuration as well, for the
case that it is started again.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from lab.box.errors import CourseError
from lab.objects.engine import remove
from lab.objects.published import Published

if TYPE_CHECKING:
    from lab.objects.node import Node

IMAGE, LABEL, INSIDE = "proxy", "course.reverse-proxy", 8080
"""Its image; the label with the name of its Service; the port that it listens on in its container."""
HOME = "/run/course/reverse-proxy"
PLACES = 64
NOWHERE = "0.0.0.0:1"
CONFIG = """
global
    log stdout format raw daemon
    stats socket /etc/haproxy/api.sock mode 600 level admin
    nbthread 1
    hard-stop-after 2s
defaults
    mode http
    log global
    option httplog
    option redispatch 1
    retries 3
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend entry
    bind :{inside}
    default_backend group
backend group
    balance roundrobin
{servers}
"""
TELL = "socat -t 10 - UNIX-CONNECT:{home}/api.sock"


class ReverseProxy:
    """One proxy on one node; several are several ways.

    Args:
        node: that its container runs on, and on whose network of pods it is.
        service: the name of the Service; its first port is served.
        port: of the node, that leads to the proxy; none if it is not given.
    """

    def __init__(self, node: Node, service: str, port: int = 0) -> None:
        self._node, self._service, self._port = node, service, port
        self._machine, self._home = node.machine, f"{HOME}/{service}-{port}"
        self._label = f"{LABEL}={service}-{port}"

    def follow(self, services: Sequence[Published]) -> None:
        """Lead to the endpoints of the Service; to nobody where there is none.  See ``Way``."""
        wanted = next((it.ready for it in services if it.spec.name == self._service), ())
        if len(wanted) > PLACES:
            raise CourseError(f"The proxy has {PLACES} places, and {self._service} has {len(wanted)} endpoints.", "", "another way to it")
        running = bool(self._containers(all=False))
        places = self._places() if running else {}
        there = {endpoint: place for place, endpoint in places.items() if endpoint}
        free = iter([f"pod{n}" for n in range(1, PLACES + 1) if not places.get(f"pod{n}")])
        told = {str(one): there.get(str(one)) or next(free) for one in wanted}
        self._write(told)
        if running:
            closed = [f"set server group/{place} state maint" for endpoint, place in there.items() if endpoint not in told]
            opened = [_opened(place, endpoint) for endpoint, place in told.items() if endpoint not in there]
            self._tell(*closed, *opened)
        else:
            self._start()

    def remove(self) -> None:
        """Remove the container; see ``Way``."""
        for it in self._containers(all=True):
            remove(self._api, it["Id"], 0)
        self._machine.sh(f"rm -rf {self._home}", check=True)

    @property
    def address(self) -> str:
        """IPv4, where it listens on port 8080; empty while it does not run."""
        networks = [net for it in self._containers(all=False) for net in it["NetworkSettings"]["Networks"].values()]
        return next((str(net["IPAddress"]) for net in networks), "")

    @property
    def container(self) -> str:
        """The name of its container; empty while there is none."""
        return next((str(it["Names"][0]).lstrip("/") for it in self._containers(all=True)), "")

    @property
    def _api(self) -> Any:
        return self._machine.docker.api

    def _containers(self, *, all: bool) -> list[dict[str, Any]]:  # noqa: A002  (as the engine calls it)
        return list(self._api.containers(all=all, filters={"label": self._label}))

    def _places(self) -> dict[str, str]:
        """Where each place leads, as the proxy itself says; empty text where it is closed."""
        rows = [line.split() for line in self._tell("show servers state group").splitlines()]
        return {row[3]: f"{row[4]}:{row[18]}" if row[6] == "0" else "" for row in rows if len(row) > 18 and row[1] == "group"}

    def _tell(self, *commands: str) -> str:
        """What the proxy says to some commands; without any, nothing is said."""
        return (
            self._machine.sh(TELL.format(home=self._home), check=True, stdin=f"{'; '.join(commands)}\n".encode()).stdout if commands else ""
        )

    def _write(self, told: dict[str, str]) -> None:
        leads = {place: endpoint for endpoint, place in told.items()}
        names = [f"pod{n}" for n in range(1, PLACES + 1)]
        servers = "\n".join(f"    server {name} {leads.get(name, NOWHERE)}{'' if name in leads else ' disabled'}" for name in names)
        text = CONFIG.format(inside=INSIDE, servers=servers)
        self._machine.sh(f"mkdir -p {self._home} && cat > {self._home}/haproxy.cfg", check=True, stdin=text.encode())

    def _start(self) -> None:
        """Start its container, which may have been stopped, or make it.

        Raises:
            CourseError: the engine refuses, as where somebody else has the port.
        """
        try:
            for it in self._containers(all=True):
                self._api.start(it["Id"])
                return
            self._machine.docker.containers.run(
                IMAGE, name=f"{self._service}-proxy-{secrets.token_hex(3)}", labels=dict([self._label.split("=")]), detach=True,
                network=self._node.network, ports={f"{INSIDE}/tcp": self._port} if self._port else {},
                volumes={self._home: {"bind": "/etc/haproxy", "mode": "rw"}},
            )  # fmt: skip
        except APIError as error:
            self.remove()
            what = f"The proxy of {self._service} can't be started."
            raise CourseError(what, f"{error.explanation}.", "another port, or stop who has this one") from None


def _opened(place: str, endpoint: str) -> str:
    address, _, port = endpoint.rpartition(":")
    return f"set server group/{place} addr {address} port {port}; set server group/{place} state ready"
