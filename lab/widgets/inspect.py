"""What there is to know about a node of the picture: what its engine says, a command that makes one like it, and its last words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from lab.box.machine import Machine
from lab.topology.graph import Graph
from lab.topology.text import words

LINES = 50
BYTES = 16_000
"""Of its log."""
MODES = {"network": "NetworkMode", "ipc": "IpcMode", "pid": "PidMode", "uts": "UTSMode"}
USUAL = ("default", "bridge", "private", "")
Parts = list[tuple[str, str]]


def details(machines: Mapping[str, Machine], graph: Graph[str], node: str) -> tuple[str, Parts]:
    """A title, and headings with texts, for a node.

    Args:
        machines: by the id of their box.
        graph: that has the node.
        node: its id.
    """
    if node not in graph:
        return "It is gone", []
    about: Parts = [("In words", words(graph, node))]
    title = f"{graph.nodes[node]['kind']} {graph.nodes[node]['label']}"
    if graph.nodes[node]["kind"] != "container":
        return title, about
    machine = machines.get(_box_of(graph, node))
    try:
        return title, about + (_container(machine, node.partition(":")[2]) if machine else [])
    except Exception as error:  # noqa: BLE001  (gone meanwhile, or an engine that does not answer: that is what there is to know)
        return title, [*about, ("The engine says", str(error)[:300])]


def _box_of(graph: Graph[str], node: str) -> str:
    while node and graph.nodes[node]["kind"] != "box":
        node = graph.nodes[node]["parent"]
    return node


def _container(machine: Machine, container: str) -> Parts:
    api = machine.docker.api
    found = api.inspect_container(container)
    logs = api.logs(container, tail=LINES)[-BYTES:].decode(errors="replace")
    state = found["State"]
    facts = {
        "id": found["Id"][:12],
        "process": state["Pid"] or "none",
        "started": state["StartedAt"][:19].replace("T", " "),
        "restarts": found["RestartCount"],
        "command": shlex.join([found["Path"], *found["Args"]]),
        "host name": found["Config"]["Hostname"],
        "memory": _limit(found["HostConfig"]["Memory"]),
        "mounts": ", ".join(f"{mount.get('Name') or mount.get('Source')} on {mount['Destination']}" for mount in found["Mounts"]) or "none",
    }
    listed = "\n".join(f"{name:<10} {value}" for name, value in facts.items())
    return [
        ("The engine says", listed),
        ("A command that makes one like it", command(found, api.inspect_image(found["Image"])["Config"])),
        (f"Its last {LINES} lines", logs or "It has said nothing."),
    ]


def _limit(memory: int) -> str:
    return f"at most {memory / 2**20:g} MiB" if memory else "no limit"


def command(found: Mapping[str, Any], image: Mapping[str, Any]) -> str:
    """The ``docker run`` that makes a container like this one.

    Args:
        found: what the engine says about the container.
        image: what it says about how the image is run; only what differs from that was asked for.
    """
    own = found["Config"]
    said = [] if own["Cmd"] == image["Cmd"] else [shlex.quote(word) for word in own["Cmd"] or ()]
    variables = [f"-e {shlex.quote(variable)}" for variable in own["Env"] or () if variable not in (image["Env"] or ())]
    return " ".join(["docker run -d", *_walls(found), *_options(found["HostConfig"]), *variables, shlex.quote(own["Image"]), *said])


def _walls(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"--name {shlex.quote(found['Name'].lstrip('/'))}"
    for flag, key in MODES.items():
        if found["HostConfig"][key] not in USUAL:
            yield f"--{flag} {shlex.quote(found['HostConfig'][key])}"


def _options(asked: Mapping[str, Any]) -> Iterator[str]:
    for inside, bindings in sorted((asked["PortBindings"] or {}).items()):
        for binding in bindings or ():
            yield f"-p {binding['HostPort']}:{inside.removesuffix('/tcp')}"
    for bind in asked["Binds"] or ():
        yield f"-v {shlex.quote(bind)}"
    if asked["Memory"]:
        yield f"--memory {asked['Memory']}b"
    if asked["NanoCpus"]:
        yield f"--cpus {asked['NanoCpus'] / 1e9:g}"
    if asked["RestartPolicy"]["Name"] not in ("", "no"):
        yield f"--restart {asked['RestartPolicy']['Name']}"
