"""What a look at a real box sees is what its engine and its kernel say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from docker.errors import NotFound

from lab.box.machine.base import Result
from lab.observe.namespace import WALLS, walls
from lab.picture.camera import Camera, snapshot
from lab.picture.graph import graph
from lab.picture.snapshot import BOX, Box, Container
from lab.picture.text import text
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box as Machine

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
POD = """
docker network create front
docker run -d --name web-pause --network front --ipc shareable -p 8081:8080 pause
docker run -d --name web-app --network container:web-pause --ipc container:web-pause --pid container:web-pause app:v1
docker run -d --name web-log --network container:web-app --uts host base sleep 1000
docker run -d --name on-the-box --network host --pid host base sleep 1000
docker run -d --name alone base sleep 1000
"""
ODD = ['<script>alert("1")</script>', "it's & so", "two\nlines", "👩‍💻", "x" * 200, "\x1b[31m"]


class Meddled:
    """An engine's api on which something happens between the list and what is asked next."""

    def __init__(self, api: Any, happens: Callable[[], object]) -> None:
        self._api, self._happens = api, happens

    def containers(self, **asked: Any) -> Any:
        listed = self._api.containers(**asked)
        self._happens()
        return listed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)


def look(machine: Machine) -> Box:
    (box,) = snapshot(machine).boxes
    return box


def seen(machine: Machine) -> dict[str, Container]:
    return {it.name: it for it in look(machine).containers}


def meddled(machine: Machine, happens: Callable[[], object]) -> Camera:
    return Camera(machine, SimpleNamespace(api=Meddled(machine.docker.api, happens)))


def has_the_walls_that_the_kernel_has(machine: Machine, containers: dict[str, Container]) -> None:
    """Towards the box and between any two."""
    kernel = {name: walls(machine, name) for name in containers}

    def owner(it: Container, kind: str) -> str:
        return it.shares.get(kind, it.id)

    for name, it in containers.items():
        assert {kind for kind in WALLS if owner(it, kind) != BOX} == kernel[name].private & set(WALLS), name
    for (one, it), (other, them) in combinations(containers.items(), 2):
        stand = {kind for kind in WALLS if owner(it, kind) != owner(them, kind)}
        assert stand == {kind for kind in WALLS if kernel[one].container[kind] != kernel[other].container[kind]}, (one, other)


def test_a_pod_has_exactly_the_walls_that_the_kernel_has(bare: Machine) -> None:
    bare.sh(POD, check=True)
    containers = seen(bare)
    assert list(containers) == ["web-pause", "web-app", "web-log", "on-the-box", "alone"]
    has_the_walls_that_the_kernel_has(bare, containers)
    root = containers["web-pause"].id
    assert {name: dict(it.shares) for name, it in containers.items()} == {
        "web-pause": {},
        "web-app": {"net": root, "ipc": root, "pid": root},
        "web-log": {"net": root, "uts": BOX},
        "on-the-box": {"net": BOX, "pid": BOX},
        "alone": {},
    }


def test_a_pod_is_drawn_as_one_with_its_address_and_port(bare: Machine) -> None:
    bare.sh(POD, check=True)
    found = graph(snapshot(bare))
    (pod,) = [shown for _, shown in found.nodes(data=True) if shown["kind"] == "pod"]
    address = bare.docker.api.inspect_container("web-pause")["NetworkSettings"]["Networks"]["front"]["IPAddress"]
    assert (pod["label"], pod["note"], pod["address"], pod["ports"]) == ("web", "3 containers", address, "8081→8080")
    assert "no wall for net, ipc, pid to web-pause" in text(found)


def test_the_oldest_is_first_although_all_were_made_in_one_second(bare: Machine) -> None:
    root = bare.docker.containers.create("pause", name="p-0")
    others = [bare.docker.containers.create("pause", name=f"p-{number}", network_mode=f"container:{root.id}") for number in range(1, 9)]
    assert list(seen(bare)) == [f"p-{number}" for number in range(9)]
    assert all(it.shares["net"] == root.id for name, it in seen(bare).items() if name != "p-0")
    root.start()
    for other in others:
        other.start()
    assert all(it.shares["net"] == root.id for name, it in seen(bare).items() if name != "p-0")


def test_what_was_asked_for_counts_where_nothing_runs(bare: Machine) -> None:
    bare.sh(
        """
        docker create --name web-pause --ipc shareable pause
        docker create --name web-app --network container:web-pause --ipc container:web-pause --uts host base
        docker create --name new base
        docker run --name done --pid host base true
        """,
        check=True,
    )
    until("the engine to list that one has ended", lambda: [it.state for it in seen(bare).values()] == ["created"] * 3 + ["exited"])
    containers = seen(bare)
    root = containers["web-pause"].id
    assert containers["web-app"].shares == {"net": root, "ipc": root, "uts": BOX}
    assert containers["done"].shares == {"pid": BOX}
    assert containers["web-pause"].shares == containers["new"].shares == {}


def test_those_whose_root_is_gone_still_share(bare: Machine) -> None:
    root = bare.docker.containers.run("pause", detach=True)
    for name in ("app-1", "app-2"):
        bare.docker.containers.run("base", "sleep 1000", detach=True, name=name, network_mode=f"container:{root.id}")
    root.remove(force=True)
    containers = seen(bare)
    has_the_walls_that_the_kernel_has(bare, containers)
    assert {name: it.shares for name, it in containers.items()} == {"app-1": {}, "app-2": {"net": containers["app-1"].id}}
    bare.docker.api.kill("app-1")
    assert {name: it.shares for name, it in seen(bare).items()} == {"app-1": {"net": root.id}, "app-2": {}}


def states(machine: Machine) -> dict[str, tuple[str, str, int | None]]:
    return {name: (it.state, it.health, it.exit_code) for name, it in seen(machine).items()}


def test_states_as_the_engine_has_them(bare: Machine) -> None:
    bare.sh(
        """
        docker run -d --name young --health-cmd true --health-interval 1h base sleep 1000
        docker run -d --name still base sleep 1000
        docker pause still
        docker run --name failed base sh -c 'exit 3'
        docker create --name new base
        """
    )
    assert states(bare) == {
        "young": ("running", "starting", None),
        "still": ("paused", "", None),
        "failed": ("exited", "", 3),
        "new": ("created", "", None),
    }


@pytest.mark.parametrize(("check", "health"), [("true", "healthy"), ("false", "unhealthy")])
def test_health_as_the_engine_has_it(bare: Machine, check: str, health: str) -> None:
    bare.sh(f"docker run -d --name web --health-cmd {check} --health-interval 1s --health-retries 1 base sleep 1000", check=True)
    until(f"it to be {health}", lambda: states(bare) == {"web": ("running", health, None)}, timeout_s=120)


def test_one_that_restarts_says_with_which_code_it_ended(bare: Machine) -> None:
    bare.sh("docker run -d --name again --restart always base sh -c 'exit 4'", check=True)
    until("it to restart", lambda: states(bare) == {"again": ("restarting", "", 4)}, timeout_s=120)


def test_why_one_did_not_start_and_which_ran_out_of_memory(bare: Machine) -> None:
    bare.sh(
        """
        docker run -d --name first -p 8098:80 base sleep 1000
        docker run -d --name taken -p 8098:80 base sleep 1000
        docker run -d --name typo base slepe 1000
        docker run --name greedy -m 20m base sh -c 'exec tail /dev/zero'
        docker run -d --name parent -m 20m base sh -c 'tail /dev/zero; exec sleep 1000'
        """
    )
    until("the child to be killed", lambda: seen(bare)["parent"].trouble, timeout_s=60)
    troubles = {name: (it.state, it.trouble) for name, it in seen(bare).items()}
    assert troubles["first"] == ("running", "")
    assert troubles["taken"] == ("created", "Bind for 0.0.0.0:8098 failed: port is already allocated")
    assert troubles["typo"][0] == "created"
    assert [link.address for name in ("taken", "typo") for link in seen(bare)[name].links] == ["", ""]
    assert "slepe" in troubles["typo"][1]
    assert troubles["greedy"] == ("exited", "killed for want of memory")
    assert troubles["parent"] == ("running", "a program in it was killed for want of memory")


def test_a_port_that_is_published_at_one_address_alone(bare: Machine) -> None:
    bare.sh("docker run -d --name web -p 127.0.0.1:8097:8080 -p 8098:80/udp base sleep 1000", check=True)
    assert sorted(map(str, seen(bare)["web"].ports)) == ["127.0.0.1:8097→8080", "8098→80/udp"]


def test_names_ports_and_networks(bare: Machine) -> None:
    bare.sh(
        """
        docker network create --subnet 10.77.0.0/24 front
        docker network create back
        docker run -d --name web --network front --network-alias www -p 53:53/udp -p 53:53 -p 127.0.0.1:82:80 -p 81:80 pause
        docker network connect --alias a --alias b back web
        docker run -d --name lonely --network none pause
        """,
        check=True,
    )
    machine = look(bare)
    web, lonely = machine.containers
    networks = {network.id: network for network in machine.networks}
    assert machine.name == bare.sh("hostname").stdout.strip()
    assert {networks[link.network].name: link.aliases for link in web.links} == {"front": ("www",), "back": ("a", "b")}
    front = next(link for link in web.links if networks[link.network].name == "front")
    assert front.address.startswith("10.77.0.")
    assert networks[front.network].subnet == "10.77.0.0/24"
    assert [str(port) for port in web.ports] == ["53→53", "53→53/udp", "81→80", "127.0.0.1:82→80"]
    assert lonely.links == lonely.ports == ()
    assert {"bridge", "host", "none", "front", "back"} == {network.name for network in machine.networks}


def test_a_container_is_called_by_its_own_name_and_not_by_what_a_link_calls_it(bare: Machine) -> None:
    bare.sh("docker run -d --name db pause && docker run -d --name app --link db:alias pause", check=True)
    assert list(seen(bare)) == ["db", "app"]
    bare.sh("docker rename db store", check=True)
    assert list(seen(bare)) == ["store", "app"]


def test_odd_labels_and_names_are_kept_and_break_nothing(bare: Machine) -> None:
    for odd in ODD:
        bare.docker.networks.create(odd)
        bare.docker.containers.run("pause", detach=True, labels={"deployment": odd, odd: odd})
    found = snapshot(bare)
    assert [it.labels["deployment"] for it in found.boxes[0].containers] == ODD
    assert all(it.labels[odd] == odd for it, odd in zip(found.boxes[0].containers, ODD, strict=True))
    assert {network.name for network in found.boxes[0].networks} >= set(ODD)
    assert len(text(graph(found)).splitlines()) == len(graph(found))


def test_one_that_goes_between_the_list_and_the_look_is_not_there(bare: Machine) -> None:
    bare.docker.containers.run("pause", detach=True, name="stays")
    goes = bare.docker.containers.run("pause", detach=True, name="goes")
    camera = meddled(bare, lambda: goes.remove(force=True))
    assert [it.name for it in camera.take().containers] == ["stays"]
    with pytest.raises(NotFound):
        goes.reload()


def test_one_that_ends_between_the_list_and_the_look_has_the_walls_it_asked_for(bare: Machine) -> None:
    bare.docker.containers.run("pause", detach=True, name="ends", uts_mode="host")
    (ends,) = meddled(bare, lambda: bare.docker.api.kill("ends")).take().containers
    assert ends.shares == {"uts": BOX}
    assert seen(bare)["ends"].state == "exited"


def test_a_program_that_leaves_a_namespace_by_itself_is_seen(bare: Machine) -> None:
    privileged = {"detach": True, "uts_mode": "host", "cap_add": ["SYS_ADMIN"], "security_opt": ["seccomp=unconfined"]}
    bare.docker.containers.run("base", "unshare --uts --net sleep 1000", name="leaver", **privileged)
    bare.docker.containers.run("base", "sleep 1000", name="stayer", **privileged)
    until("it to have left", lambda: "uts" in walls(bare, "leaver").private)
    containers = seen(bare)
    has_the_walls_that_the_kernel_has(bare, containers)
    assert containers["leaver"].shares == {}
    assert containers["stayer"].shares == {"uts": BOX}


def test_what_is_known_is_not_asked_again_until_it_is_forgotten(bare: Machine) -> None:
    bare.docker.containers.run("pause", detach=True, name="web")
    camera = Camera(bare)
    (before,) = camera.take().containers
    bare.sh("docker network create front && docker network connect --alias www front web", check=True)
    assert [link.aliases for link in camera.take().containers[0].links] == [(), ()]
    camera.forget(before.id)
    assert {link.aliases for link in camera.take().containers[0].links} == {(), ("www",)}


def test_a_machine_without_a_shell_is_not_taken_for_one_without_walls(bare: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.sh("docker run -d --name one --network host pause && docker run -d --name two --network host pause", check=True)
    monkeypatch.setattr(type(bare), "sh", lambda *_, **__: Result(255, "", "no way\n"))
    with pytest.raises(OSError, match="no shell on the machine: no way"):
        Camera(bare).take()


def test_two_looks_at_the_same_are_the_same(bare: Machine) -> None:
    bare.sh(POD, check=True)
    camera = Camera(bare)
    first = camera.take()
    assert len(first.containers) == 5
    assert first == camera.take() == look(bare)
