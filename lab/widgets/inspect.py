"""Details of a node of the picture: what the engine says about it, a command that makes one like it, and the last lines of its log."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.box.machine import Machine
from lab.observe.firewall import RULES, dropping
from lab.picture.nodes import Graph
from lab.picture.text import words

LOOK_S = 20.0
LOOK_INSIDE = rf"""
ss -Hltunp | while read -r kind state queue more address peer program; do
    program=${{program#*\"}}; echo "$address $kind ${{program%%\"*}}"
done
echo --
ip -o link | while read -r number name rest; do
    [ "$name" = lo: ] || echo "${{name%%[@:]*}}  MTU $(echo "$rest" | grep -o "mtu [0-9]*" | cut -d" " -f2)"
done
echo --
ip -o -4 addr show scope global | while read -r number name kind address rest; do echo "${{address%/*}}"; done
echo --
{RULES}
"""
"""For a shell in a container's network, with the machine's own programs.  It is put between single quotes."""
LINES, BYTES = 50, 16_000
"""How much of a log is shown, at most."""
MODES = {"network": "NetworkMode", "ipc": "IpcMode", "pid": "PidMode", "uts": "UTSMode"}
USUAL = ("default", "bridge", "private", "")
SWITCHES = {"Privileged": "--privileged", "ReadonlyRootfs": "--read-only", "Init": "--init", "PublishAllPorts": "-P", "AutoRemove": "--rm"}
LISTS = {"Binds": "-v", "CapAdd": "--cap-add", "CapDrop": "--cap-drop", "SecurityOpt": "--security-opt", "ExtraHosts": "--add-host"}
IMPLIED = ("label=disable",)
"""Options that the engine adds by itself where walls are missing."""
OF_THE_IMAGE = {"User": "--user", "WorkingDir": "--workdir", "StopSignal": "--stop-signal", "Tty": "-t", "OpenStdin": "-i"}
HEALTH = {"Interval": "--health-interval={}ns", "Timeout": "--health-timeout={}ns", "StartPeriod": "--health-start-period={}ns"}
HEALTH |= {"Retries": "--health-retries={}"}
Parts = list[tuple[str, str]]


def details(machines: Mapping[str, Machine], graph: Graph[str], node: str) -> tuple[str, Parts]:
    """The details of a node.

    Args:
        machines: by the id of their box in the graph.
        graph: that has the node.
        node: its id.

    Returns:
        A title, and pairs of a heading and a text.
    """
    if node not in graph:
        return "It is gone", []
    shown, machine = graph.nodes[node], machines.get(_box_of(graph, node))
    title, about = f"{shown['kind']} {shown['label']}", [("In words", words(graph, node))]
    try:
        if machine and shown["kind"] == "namespace":
            about += _seen_from_inside(machine, f"ip netns exec {shlex.quote(shown['label'])}", _bridges(graph, node))
        elif machine and shown["process"] and "/" in node:  # not Docker's
            about += [("Its process", str(shown["process"])), *_seen_from_inside(machine, _enter(shown["process"]), _bridges(graph, node))]
        elif machine and shown["kind"] == "container" and "/" not in node:
            about += _container(machine, node.partition(":")[2], _bridges(graph, node))
    except Exception as error:  # noqa: BLE001  (gone meanwhile, or an engine that does not answer: that is what there is to know)
        about.append(("The engine says", str(getattr(error, "explanation", None) or error)[:300]))
    return title, about


def _box_of(graph: Graph[str], node: str) -> str:
    while node and graph.nodes[node]["kind"] != "box":
        node = graph.nodes[node]["parent"]
    return node


def _bridges(graph: Graph[str], node: str) -> list[str]:
    """The bridges, by their names in the kernel, that a container or its pod is on."""
    pod = graph.nodes[node]["parent"]
    on = {network for unit in (node, pod) for network, edge in graph[unit].items() if edge["kind"] == "attached"}
    return [_bridge(network.rpartition("/")[2], graph.nodes[network]["label"]) for network in on]


def _bridge(network: str, label: str) -> str:
    """The name of a network's bridge in the kernel; Docker's first one has its own."""
    if network.startswith("bridge "):
        return label
    return "docker0" if label == "bridge" else f"br-{network[:12]}"


def _enter(process: int) -> str:
    return f"nsenter --target {process} --net"


def _container(machine: Machine, container: str, bridges: Sequence[str]) -> Parts:
    api = machine.docker.api
    found = api.inspect_container(container)
    logs = api.logs(container, tail=LINES)[-BYTES:].decode(errors="replace")
    state = found["State"]
    facts = {
        "id": found["Id"][:12],
        "process": state["Pid"] or "none",
        "started": "never" if state["StartedAt"].startswith("0001-") else state["StartedAt"][:19].replace("T", " "),
        "restarts": found["RestartCount"],
        "command": shlex.join([found["Path"], *found["Args"]]),
        "host name": found["Config"]["Hostname"],
        "memory": _limit(found["HostConfig"]["Memory"]),
        "mounts": ", ".join(f"{mount.get('Name') or mount.get('Source')} on {mount['Destination']}" for mount in found["Mounts"]) or "none",
    }
    if state.get("Error"):
        facts["trouble"] = state["Error"]
    listed = "\n".join(f"{name:<10} {value}" for name, value in facts.items())
    return [
        ("The engine says", listed),
        *(_seen_from_inside(machine, _enter(state["Pid"]), bridges) if state["Pid"] else ()),
        ("A command that makes one like it", command(found, api.inspect_image(found["Image"])["Config"])),
        (f"Its last {LINES} lines", logs or "It has said nothing."),
    ]


def _seen_from_inside(machine: Machine, enter: str, bridges: Sequence[str]) -> Parts:
    """What the kernel has for a network: where programs listen, how big packets may be, and which rules drop some, there or here.

    Args:
        machine: that it is on.
        enter: what runs a program in it.
        bridges: of the machine, that it is on.
    """
    printed = machine.sh(f"{enter} sh -c '{LOOK_INSIDE}'; echo --; {RULES}", timeout=LOOK_S).stdout
    listens, links, addresses, inside, outside = printed.split("--\n")
    where = "\n".join(_listener(*line.split(maxsplit=1)) for line in listens.splitlines()) or "nobody"
    drops = [f"in its network: {rule}" for rule in dropping(inside)]
    drops += [f"on the machine: {rule}" for rule in dropping(outside, addresses.split(), bridges)]
    return [
        ("Who listens, in its network", where),
        ("Its network cards", links.strip() or "none"),
        ("Firewall rules that drop", "\n".join(drops) or "none that concerns it"),
    ]


def _listener(address: str, program: str = "") -> str:
    only = ", for programs in the same network alone" if address.startswith(("127.", "[::1]")) else ""
    return f"{address:<22} {program}{only}"


def _limit(memory: int) -> str:
    return f"at most {memory / 2**20:g} MiB" if memory else "no limit"


def command(found: Mapping[str, Any], image: Mapping[str, Any]) -> str:
    """A ``docker run`` that makes a container like this one, with what connects it to further networks.

    Args:
        found: the engine's long answer about the container.
        image: the configuration of its image; only what differs from that becomes an option.
    """
    own = found["Config"]
    options = [*_walls(found), *_options(found["HostConfig"]), *_settings(own, image)]
    return " ".join(["docker run -d", *options, *_program(own, image)]) + "".join(_connected(found))


def _walls(found: Mapping[str, Any]) -> Iterator[str]:
    asked, own = found["HostConfig"], found["Config"]
    yield f"--name {shlex.quote(found['Name'].lstrip('/'))}"
    for flag, key in MODES.items():
        if asked[key] not in USUAL:
            yield f"--{flag} {shlex.quote(asked[key])}"
    yield from (f"--network-alias {shlex.quote(alias)}" for alias in _aliases(found)[0])
    borrowed = asked["UTSMode"] == "host" or asked["NetworkMode"].startswith(("host", "container:"))
    if own["Hostname"] != found["Id"][:12] and not borrowed:
        yield f"--hostname {shlex.quote(own['Hostname'])}"


def _aliases(found: Mapping[str, Any]) -> tuple[Sequence[str], dict[str, Sequence[str]]]:
    """A container's names on the network that it was made on; and those on the networks that it was connected to later."""
    first, joined = found["HostConfig"]["NetworkMode"], found["NetworkSettings"]["Networks"] or {}
    aliases = {name: link.get("Aliases") or () for name, link in joined.items()}
    here = next((name for name, link in joined.items() if first in (name, link["NetworkID"])), "bridge")
    return aliases.pop(here, ()), aliases


def _connected(found: Mapping[str, Any]) -> Iterator[str]:
    for network, aliases in _aliases(found)[1].items():
        names = "".join(f"--alias {shlex.quote(alias)} " for alias in aliases)
        yield f" && docker network connect {names}{shlex.quote(network)} {shlex.quote(found['Name'].lstrip('/'))}"


def _options(asked: Mapping[str, Any]) -> Iterator[str]:
    for inside, bindings in sorted((asked["PortBindings"] or {}).items()):
        for binding in bindings or ():
            address = f"[{binding['HostIp']}]" if ":" in binding["HostIp"] else binding["HostIp"]
            port = inside.removesuffix("/tcp")
            yield f"-p {address}{':' if address else ''}{binding['HostPort']}{':' if address or binding['HostPort'] else ''}{port}"
    yield from (flag for key, flag in SWITCHES.items() if asked.get(key))
    for key, flag in LISTS.items():
        yield from (f"{flag} {shlex.quote(one)}" for one in asked.get(key) or () if one not in IMPLIED)
    for target, options in (asked.get("Tmpfs") or {}).items():
        yield f"--tmpfs {shlex.quote(f'{target}:{options}' if options else target)}"
    for mount in asked.get("Mounts") or ():
        yield f"--mount {shlex.quote(','.join(_mount(mount)))}"
    if asked["Memory"]:
        yield f"--memory {asked['Memory']}b"
    if asked["NanoCpus"]:
        yield f"--cpus {asked['NanoCpus'] / 1e9}"
    if (asked.get("PidsLimit") or 0) > 0:
        yield f"--pids-limit {asked['PidsLimit']}"
    restart = asked["RestartPolicy"]
    if restart["Name"] not in ("", "no"):
        yield f"--restart {restart['Name']}" + (f":{restart['MaximumRetryCount']}" if restart["MaximumRetryCount"] else "")


def _mount(mount: Mapping[str, Any]) -> Iterator[str]:
    yield f"type={mount['Type']}"
    if mount.get("Source"):
        yield f"source={mount['Source']}"
    yield f"target={mount['Target']}"
    if mount.get("ReadOnly"):
        yield "readonly"


def _settings(own: Mapping[str, Any], image: Mapping[str, Any]) -> Iterator[str]:
    """What differs from the image."""
    for key, flag in OF_THE_IMAGE.items():
        if own.get(key) and own[key] != image.get(key):
            yield flag if own[key] is True else f"{flag} {shlex.quote(own[key])}"
    for variable in own["Env"] or ():
        if variable not in (image.get("Env") or ()):
            yield f"-e {shlex.quote(variable)}"
    for label in (own["Labels"] or {}).items():
        if label not in (image.get("Labels") or {}).items():
            yield f"--label {shlex.quote('='.join(label))}"
    health = own.get("Healthcheck")
    if health and health != image.get("Healthcheck"):
        yield from _health(health)


def _health(asked: Mapping[str, Any]) -> Iterator[str]:
    kind, *words = asked.get("Test") or ("",)
    if kind == "NONE":
        yield "--no-healthcheck"
    elif words:
        yield f"--health-cmd {shlex.quote(words[0] if kind == 'CMD-SHELL' else shlex.join(words))}"
    yield from (flag.format(asked[key]) for key, flag in HEALTH.items() if asked.get(key))


def _program(own: Mapping[str, Any], image: Mapping[str, Any]) -> Iterator[str]:
    """The image, and what to run where that is not what the image says.  The option for an entry point takes one word of it."""
    words = own["Cmd"] or []
    if own["Entrypoint"] != image.get("Entrypoint"):
        first, *more = own["Entrypoint"] or [""]
        yield f"--entrypoint {shlex.quote(first)}"
        words = [*more, *words]
    elif words == image.get("Cmd"):
        words = []
    yield shlex.quote(own["Image"])
    yield from map(shlex.quote, words)
