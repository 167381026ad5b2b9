"""What there is to know about a node: above all a command that really makes a container like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.picture.camera import snapshot
from lab.picture.graph import graph
from lab.picture.nodes import Graph
from lab.widgets.inspect import LINES, command, details

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = pytest.mark.parametrize("running", ["container"], indirect=True)
SAME = (
    "NetworkMode", "IpcMode", "PidMode", "UTSMode", "PortBindings", "PublishAllPorts", "Binds", "Mounts", "Tmpfs", "Memory", "NanoCpus",
    "PidsLimit", "RestartPolicy", "CapAdd", "CapDrop", "Privileged", "ReadonlyRootfs", "Init", "SecurityOpt", "ExtraHosts", "AutoRemove",
)  # fmt: skip
ALSO = ("Cmd", "Entrypoint", "Labels", "User", "WorkingDir", "Image", "Tty", "StopSignal", "ExposedPorts", "Healthcheck")
LABELS = "--label deployment=web --label 'odd=it'\"'\"'s <odd>' --label empty="
MOUNTS = "-v /root:/mnt:ro -v '/root/odd name:/x' -v data:/data --tmpfs /scratch:size=1m --tmpfs /more"
MADE = {
    "nothing": "app:v1",
    "a command": "base sh -c 'echo \"$HOME\" \\n; sleep 1000' -- 'a b' ''",
    "an entry point": "--entrypoint sleep app:v1 1000",
    "variables": "-e 'A=b c' -e QUOTE=\"it's\" -e 'DOLLAR=$HOME' -e EMPTY= -e GREETING=other -e 'LINES=one\ntwo' app:v1",
    "ports": "-p 8091:8080 -p 127.0.0.1:8092:80 -p 5353:53/udp -p 8093:8080 -p 8080 -p 127.0.0.1::99 app:v1",
    "all ports and all restarts": "-P --restart always app:v1",
    "limits and some restarts": "--memory 48m --cpus 0.123456789 --pids-limit 50 --hostname shop --restart on-failure:3 app:v1",
    "mounts and labels": f"{MOUNTS} {LABELS} base sleep 1000",
    "mounts, the long way": "--mount type=volume,source=data,target=/data,readonly --mount type=tmpfs,target=/x base sleep 1000",
    "rights": "--cap-add SYS_ADMIN --cap-drop CHOWN --read-only --user 1000:1000 --workdir /tmp base sleep 1000",
    "security": "--security-opt seccomp=unconfined --add-host shop:10.0.0.1 --init --stop-signal SIGINT base sleep 1000",
    "no walls": "--network host --ipc host --pid host --uts host base sleep 1000",
    "no network": "--network none --ipc none base sleep 1000",
    "the root of a pod": "--network front --network-alias web --network-alias w --ipc shareable -p 8094:80 pause",
    "health": "--health-cmd 'test -e \"/x y\"' --health-interval 2s --health-retries 4 --health-timeout 1500ms base sleep 1000",
    "a terminal and no health": "-it --rm --no-healthcheck base sleep 1000",
    "what its image says": "own",
    "other arguments": "own 2000",
    "another entry point": "--entrypoint sh own -c 'sleep 1000'",
    "no entry point": "--entrypoint '' own sleep 1000",
}
OWN_IMAGE = """
docker network create front
docker create --name template base
docker commit -c 'ENTRYPOINT ["sleep"]' -c 'CMD ["1000"]' -c 'LABEL a=b' -c 'USER 1000' -c 'HEALTHCHECK CMD true' template own
docker rm template
"""


def found(box: Box, name: str) -> dict[str, Any]:
    return dict(box.docker.api.inspect_container(name))


def says(box: Box, name: str) -> str:
    it = found(box, name)
    return command(it, box.docker.api.inspect_image(it["Image"])["Config"])


def settings(it: dict[str, Any]) -> dict[str, Any]:
    """What a container was made with, for comparison; nothing and an empty list are the same."""
    joined = it["NetworkSettings"]["Networks"]
    own = {"Path": it["Path"], "Args": it["Args"], "Networks": {name: link["Aliases"] for name, link in joined.items()}}
    own["Variables"] = sorted(it["Config"]["Env"])
    it["HostConfig"]["Binds"] = sorted(it["HostConfig"]["Binds"] or ())  # Docker lists them in any order
    own["Hostname"] = it["Config"]["Hostname"].replace(it["Id"][:12], "its id")
    return own | {key: it["HostConfig"].get(key) or None for key in SAME} | {key: it["Config"].get(key) or None for key in ALSO}


def made_again(box: Box, *names: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """By name, what a container was made with, and what the one was that the command for it has made in its place."""
    before, said = [settings(found(box, name)) for name in names], [says(box, name) for name in names]
    box.sh(f"docker rm -fv {' '.join(names)}", check=True)
    box.sh("set -e\n" + "\n".join(said), check=True)
    return {name: (one, settings(found(box, name))) for name, one in zip(names, before, strict=True)}


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {key: (one[key], other[key]) for key in one if one[key] != other[key]}


def test_the_commands_make_equal_containers(bare: Box) -> None:
    bare.sh(OWN_IMAGE, check=True)
    try:
        names = {f"it-{number}": kind for number, kind in enumerate(MADE)}
        bare.sh("set -e\n" + "\n".join(f"docker run -d --name {name} {MADE[kind]}" for name, kind in names.items()), check=True)
        again = made_again(bare, *names)
        assert {names[name]: differences(*pair) for name, pair in again.items() if differences(*pair)} == {}
    finally:
        bare.sh("docker ps -aq | xargs -r docker rm -fv; docker rmi own; docker volume rm data")


def test_the_command_connects_to_the_same_networks(bare: Box) -> None:
    bare.sh("for name in front back side; do docker network create $name; done", check=True)
    for network in ("bridge", "front"):
        bare.sh(f"docker run -d --name on-{network} --network {network} pause", check=True)
        bare.sh(f"docker network connect --alias one --alias two back on-{network} && docker network connect side on-{network}", check=True)
    for before, after in made_again(bare, "on-bridge", "on-front").values():
        assert after == before
        assert after["Networks"]["back"] == ["one", "two"]


def test_who_listens_on_localhost_alone_is_said(bare: Box) -> None:
    server = "import socket; s = socket.create_server(('127.0.0.1', 8080)); s.accept()"
    bare.sh(f'docker run -d --name web -p 8080:8080 app:v1 python3 -c "{server}"; docker run -d --name all app:v1; sleep 2', check=True)
    seen = graph(snapshot(bare))
    for name, where in (("web", "127.0.0.1:8080 "), ("all", "0.0.0.0:8080 ")):
        (node,) = (node for node, label in seen.nodes(data="label") if label == name)
        told = dict(details({f"box:{bare.status().name}": bare}, seen, node)[1])
        (line,) = told["Who listens, in its network"].splitlines()
        assert line.startswith(where)
        assert "tcp python3" in line
        assert line.endswith("for programs in the same network alone") == (name == "web")
        assert "eth0  MTU 1500" in told["Its network cards"]


def test_the_command_makes_a_member_of_the_same_pod(bare: Box) -> None:
    bare.sh("docker run -d --name pod --ipc shareable pause", check=True)
    bare.sh("docker run -d --name it --network container:pod --ipc container:pod --pid container:pod base sleep 1000", check=True)
    before, after = made_again(bare, "it")["it"]
    assert after == before


def test_an_ordinary_container_has_a_short_command(bare: Box) -> None:
    bare.sh("docker run -d --name web-1 -p 8091:8080 -e BOX=here app:v1", check=True)
    assert says(bare, "web-1") == "docker run -d --name web-1 -p 8091:8080 -e BOX=here app:v1"


def shown(box: Box, drawn: Graph[str], node: str) -> tuple[str, dict[str, str]]:
    title, parts = details({f"box:{box.sh('hostname').stdout.strip()}": box}, drawn, node)
    return title, dict(parts)


def test_details_of_a_container_are_what_its_engine_says(bare: Box) -> None:
    script = f"for i in $(seq {LINES + 10}); do echo line $i; done; sleep 1000"
    made = bare.docker.containers.run("base", ["sh", "-c", script], detach=True, name="web", mem_limit="48m", hostname="shop")
    bare.sh("until docker logs web | grep -q 60; do sleep 0.05; done")
    title, parts = shown(bare, graph(snapshot(bare)), f"container:{made.id}")
    assert title == "container web"
    inside = ["Who listens, in its network", "Its network cards", "Firewall rules that drop"]
    assert list(parts) == ["In words", "The engine says", *inside, "A command that makes one like it", f"Its last {LINES} lines"]
    assert parts["In words"].startswith("container web  (running)  base")
    facts = dict(line.split(maxsplit=1) for line in parts["The engine says"].splitlines() if not line.startswith("host name"))
    assert facts["id"] == made.id[:12]
    assert facts["process"] == str(found(bare, "web")["State"]["Pid"])
    assert facts["memory"] == "at most 48 MiB"
    assert "host name  shop" in parts["The engine says"]
    assert parts[f"Its last {LINES} lines"].splitlines() == [f"line {number}" for number in range(11, LINES + 11)]


def test_one_that_never_ran_says_so(bare: Box) -> None:
    made = bare.docker.containers.create("base", name="new")
    _, parts = shown(bare, graph(snapshot(bare)), f"container:{made.id}")
    assert "process    none" in parts["The engine says"]
    assert "started    never" in parts["The engine says"]
    assert parts[f"Its last {LINES} lines"] == "It has said nothing."


def test_one_that_has_vanished_is_said_in_a_sentence(bare: Box) -> None:
    made = bare.docker.containers.create("base", name="web")
    drawn = graph(snapshot(bare))
    made.remove()
    title, parts = shown(bare, drawn, f"container:{made.id}")
    assert title == "container web"
    assert parts["The engine says"] == f"No such container: {made.id}"
    assert details({}, graph(snapshot(bare)), f"container:{made.id}") == ("It is gone", [])


def test_other_nodes_are_told_in_words(bare: Box) -> None:
    bare.docker.networks.create("front")
    drawn = graph(snapshot(bare))
    network = next(node for node in drawn if node.startswith("network:"))
    title, parts = shown(bare, drawn, network)
    assert title == "network front"
    assert list(parts) == ["In words"]


def test_a_container_of_a_box_that_is_not_there_is_told_in_words(bare: Box) -> None:
    made = bare.docker.containers.create("base", name="web")
    title, parts = details({}, graph(snapshot(bare)), f"container:{made.id}")
    assert (title, [heading for heading, _ in parts]) == ("container web", ["In words"])
