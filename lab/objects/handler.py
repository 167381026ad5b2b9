"""What a kubelet does to a container from outside: the probes that ask how it is, and the hook before its end.

Here it is read from a manifest; ``kubelet`` carries it out.  The names, defaults and limits of the numbers are those of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.box.errors import UsageError
from lab.objects.manifest.fields import Fields

PROBES = {"startup": "startupProbe", "liveness": "livenessProbe", "readiness": "readinessProbe"}
"""The fields of the three kinds of probe."""
OTHERS = ("grpc", "tcpSocket", "sleep")
"""What can stand there in a cluster, and here in some places only."""
TYPES = {"exec": "ExecAction", "httpGet": "HTTPGetAction", "tcpSocket": "TCPSocketAction", "sleep": "SleepAction"}


@dataclass(frozen=True)
class Handler:
    """One thing to do to a container.

    Args:
        kind: ``exec``, ``httpGet``, ``tcpSocket`` or ``sleep``.
        command: to run in it.
        port: to ask, or to connect to.
        host: that has the port; the pod's own address if it is empty.
        path: to ask for.
        scheme: ``HTTP`` or ``HTTPS``; the certificate is not looked at.
        headers: of the request.
        seconds: to sleep.
    """

    kind: str
    command: tuple[str, ...] = ()
    port: int = 0
    host: str = ""
    path: str = "/"
    scheme: str = "HTTP"
    headers: tuple[tuple[str, str], ...] = ()
    seconds: int = 0


@dataclass(frozen=True)
class Probe:
    """A question that is put to a container again and again.

    Args:
        handler: how it is put.
        delay_s: seconds from the container's start to the first time.
        period_s: seconds from one time to the next.
        timeout_s: seconds that an answer may take.
        successes: how many in a row count as good, after a failure.
        failures: how many in a row count as bad.
        grace_s: seconds that the container has to end if it is ended for this; as the pod's if there is no number.
    """

    handler: Handler
    delay_s: int = 0
    period_s: int = 10
    timeout_s: int = 1
    successes: int = 1
    failures: int = 3
    grace_s: int | None = None


def probes(fields: Fields, ports: Mapping[str, int]) -> dict[str, Probe]:
    """The probes of a container: by ``startup``, ``liveness`` or ``readiness``.

    Args:
        fields: the container's part of a manifest.
        ports: the numbers of its ports that have a name.

    Raises:
        UsageError: one makes no sense; names the field by its path, and by its line if there is one.
    """
    return {what: _probe(fields.inside(key, "Probe"), what, ports) for what, key in PROBES.items() if fields.has(key)}


def pre_stop(fields: Fields, ports: Mapping[str, int]) -> Handler | None:
    """What is to be done in a container before it is told to end; nothing if that is not asked for.

    Raises:
        UsageError: it makes no sense; names the field by its path, and by its line if there is one.
    """
    lifecycle = fields.inside("lifecycle", "Lifecycle")
    found = None
    if lifecycle.has("preStop"):
        part = lifecycle.inside("preStop", "LifecycleHandler")
        found = _handler(part, ("exec", "httpGet", "sleep"), ports)
        part.done()
    lifecycle.done()
    return found


def _probe(fields: Fields, what: str, ports: Mapping[str, int]) -> Probe:
    numbers = {
        "delay_s": fields.within("initialDelaySeconds", 0, 2**31 - 1, 0),
        # To a cluster 0 is as good as absent.
        "period_s": fields.within("periodSeconds", 0, 2**31 - 1, 0) or 10,
        "timeout_s": fields.within("timeoutSeconds", 0, 2**31 - 1, 0) or 1,
        "successes": fields.within("successThreshold", 0, 2**31 - 1, 0) or 1,
        "failures": fields.within("failureThreshold", 0, 2**31 - 1, 0) or 3,
    }
    if what != "readiness":
        numbers["grace_s"] = fields.within("terminationGracePeriodSeconds", 1, 3600, None)
        if numbers["successes"] != 1:
            why = f"A {what} probe has succeeded as soon as it succeeds once."
            raise UsageError(f"{fields.at('successThreshold')} must be 1.", why, "take it out")
    found = Probe(_handler(fields, ("exec", "httpGet", "tcpSocket"), ports), **numbers)
    fields.done()
    return found


def _handler(fields: Fields, kinds: Iterable[str], ports: Mapping[str, int]) -> Handler:
    there = [kind for kind in kinds if fields.has(kind)]
    if other := next((key for key in OTHERS if not there and fields.peek(key) is not None), ""):
        what = f"{fields.at(other)} is a field of Kubernetes that is not supported here."
        raise UsageError(what, f"It has one of {', '.join(kinds)}.", "ask in one of those ways")
    if len(there) != 1:
        what = f"{fields.position} says {', '.join(there) if there else 'not'} how{' at once' if there else ''}."
        raise UsageError(what, f"It has one of {', '.join(kinds)}.", 'write for example exec: {command: ["true"]}')
    (kind,) = there
    part = fields.inside(kind, TYPES[kind])
    if kind == "exec":
        found = Handler(kind, command=part.texts("command"))
        if not found.command:
            raise UsageError(f"{part.at('command')} is missing.", "It is a list: the program, and its words.", 'write command: ["true"]')
    elif kind == "sleep":
        found = Handler(kind, seconds=part.within("seconds", 1, 3600))
    elif kind == "tcpSocket":
        found = Handler(kind, port=_port(part, ports), host=part.take("host", str, ""))
    else:
        headers = tuple((it.take("name", str), it.take("value", str, "")) for it in part.each("httpHeaders", "HTTPHeader"))
        path = part.take("path", str, "/") or "/"
        scheme = part.one_of("scheme", ("HTTP", "HTTPS"))
        found = Handler(kind, (), _port(part, ports), part.take("host", str, ""), path if path[0] == "/" else f"/{path}", scheme, headers)
    part.done()
    return found


def _port(fields: Fields, ports: Mapping[str, int]) -> int:
    """A port by its number, or by the name that the container gives it."""
    name = fields.peek("port")
    if not isinstance(name, str):
        return int(fields.within("port", 1, 65535))
    fields.take("port", str)
    if name not in ports:
        why = f"The container's ports with a name: {', '.join(ports) or 'none'}."
        hint = f"write {name} without quotes" if name.isdigit() else "name one of those, or write its number"
        raise UsageError(f"{fields.at('port')}: there is no port {name}.", why, hint)
    return ports[name]
