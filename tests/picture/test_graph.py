"""What is inside what, and what leads where: for snapshots made by hand, so that each says one thing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from lab.objects.labels import OWNER, POD, TEMPLATE
from lab.picture.camera import shared
from lab.picture.graph import graph
from lab.picture.nodes import Graph
from lab.picture.snapshot import BOX, Box, Container, Link, Network, NetworkNamespace, Port, Service, ServicePort, Snapshot, Wished
from tests.picture.boxes import shop

ATTRIBUTES = {"kind", "parent", "label", "state", "note", "image", "address", "ports", "walls", "inner", "process", "version"}
NETS = (Network("net-a", "front", subnet="10.1.0.0/24"), Network("net-b", "back", subnet="10.2.0.0/24"))
BRIDGE, HOST, NONE = Network("net-0", "bridge", subnet="10.0.0.0/24"), Network("net-h", "host", "host"), Network("net-n", "none", "null")
SWARM, COMPOSE = "com.docker.swarm.service.name", "com.docker.compose.service"


def one(name: str, **more: Any) -> Container:
    """A container whose id is its name with an asterisk."""
    return Container(f"{name}*", name, **more)


def inside(name: str, root: str, **more: Any) -> Container:
    """One in the network namespace of another."""
    return one(name, shares={"net": root if root == BOX else f"{root}*"}, **more)


def labelled(name: str, label: str, value: str, **more: Any) -> Container:
    return one(name, labels={label: value}, **more)


def drawn(*containers: Container, networks: tuple[Network, ...] = ()) -> Graph[str]:
    return graph(Snapshot((Box("b", containers, networks),)))


def of(kind: str, found: Graph[str]) -> dict[str, dict[str, Any]]:
    return {shown["label"]: shown for _, shown in found.nodes(data=True) if shown["kind"] == kind}


def within(found: Graph[str]) -> dict[str, str]:
    """Each container's label, and that of what it is in."""
    return {label: found.nodes[shown["parent"]]["label"] for label, shown in of("container", found).items()}


def edges(found: Graph[str], kind: str) -> list[tuple[str, str]]:
    return [(source, target) for source, target, shown in found.edges(data=True) if shown["kind"] == kind]


RED = NetworkNamespace("red", "4026532780", ("eth0 ↔ v-red", "x"), ("10.9.0.1",), (Link("bridge br9", "10.9.0.1"),))
BUSY = Snapshot((
    Box("one", (
        one("web-pause", links=(Link("net-a", "10.1.0.2", ("web",)), Link("net-b", "10.2.0.2")), ports=(Port(80, 8080),)),
        inside("web-app", "web-pause", labels={"deployment": "web"}),
        one("web-2", links=(Link("net-a", "10.1.0.3", ("web",)),), labels={"deployment": "web"}),
        one("db", state="exited", exit_code=1, links=(Link("net-b", ""),)),
    ), (BRIDGE, *NETS, HOST, NONE)),
    Box("two", (inside("lonely", "gone"), one("plain", labels={COMPOSE: "plain"}))),
    Box("three", networks=(Network("bridge br9", "br9", "a bridge"),), namespaces=(RED,)),
))  # fmt: skip


def test_without_a_box_there_is_a_computer() -> None:
    found = graph(Snapshot(()))
    assert list(found) == ["computer"]
    assert found.nodes["computer"]["label"] == "your computer"


def test_every_node_has_all_attributes() -> None:
    found = graph(BUSY)
    assert all(set(shown) == ATTRIBUTES for _, shown in found.nodes(data=True))
    assert {shown["kind"] for _, shown in found.nodes(data=True)} == {
        "computer", "box", "pod", "container", "namespace", "network", "deployment", "service",
    }  # fmt: skip
    assert {shown["kind"] for *_, shown in found.edges(data=True)} == {"attached", "named", "published"}


def test_a_namespace_without_a_container_tells_its_cards_and_is_on_its_bridge() -> None:
    found = graph(BUSY)
    assert found.nodes["namespace:three/red"]["note"] == "eth0 ↔ v-red, x"
    assert ("namespace:three/red", "network:three/bridge br9") in edges(found, "attached")


def test_who_runs_a_container_is_said_where_it_is_not_docker() -> None:
    found = of("container", drawn(one("web", runtime="Podman", process=7, exit_code=1, state="exited")))
    assert (found["web"]["note"], found["web"]["process"]) == ("by Podman, code 1", 7)


def of_web(name: str, template: str, **more: Any) -> Container:
    return one(name, labels={OWNER: "web", TEMPLATE: template}, **more)


def test_a_deployment_stands_beside_what_it_wants() -> None:
    pods = (of_web("web-1", "aaaa"), of_web("web-2", "bbbb", finding="not ready: HTTP 503"), of_web("web-3", "bbbb", finding="ready"))
    found = graph(Snapshot((Box("b", pods, wishes=(Wished("web", 5, "bbbb"), Wished("idle", 0, "cccc"))),)))
    assert found.nodes["deployment:b/web"]["note"] == "2 of 5 ready, 1 of template aaaa, 2 of template bbbb (wanted)"
    assert found.nodes["deployment:b/idle"]["note"] == "0 of 0 ready"
    containers = of("container", found)
    assert [containers[name]["version"] for name in ("web-1", "web-2", "web-3")] == ["old", "new", "new"]
    assert containers["web-2"]["note"] == "not ready: HTTP 503"
    alike = graph(Snapshot((Box("b", pods[1:], wishes=(Wished("web", 2, "bbbb"),)),)))
    assert alike.nodes["deployment:b/web"]["note"] == "1 of 2 ready"


def test_an_older_template_is_told_in_words_as_well() -> None:
    pause, app = of_web("web-pause", "aaaa"), inside("web-app", "web-pause")
    found = graph(Snapshot((Box("b", (pause, app), wishes=(Wished("web", 1, "bbbb"),)),)))
    assert (of("pod", found)["web"]["version"], of("pod", found)["web"]["note"]) == ("old", "2 containers, old template")


def test_parents_come_before_children() -> None:
    found = graph(BUSY)
    nodes = list(found)
    assert nodes[0] == "computer"
    assert all(nodes.index(found.nodes[node]["parent"]) < nodes.index(node) for node in nodes[1:])


def test_the_same_snapshot_gives_the_same_graph() -> None:
    first, second = graph(BUSY), graph(BUSY)
    assert list(first.nodes(data=True)) == list(second.nodes(data=True))
    assert list(first.edges(data=True)) == list(second.edges(data=True))


def test_one_more_container_changes_no_edge_of_another() -> None:
    def lanes(more: int) -> list[tuple[str, str]]:
        networks = tuple(Network(f"net-{number}", f"net-{number}") for number in range(12))
        links = tuple(Link(network.id, f"10.{number}.0.2") for number, network in enumerate(networks))
        others = (one(f"other-{number}", links=links) for number in range(more))
        found = drawn(one("web", links=links), *others, networks=networks)
        return list(found.edges("container:web*"))

    assert [target for _, target in lanes(0)] == [f"network:b/net-{number}" for number in range(12)]
    assert all(lanes(more) == lanes(0) for more in range(9))


def test_a_namespace_is_shared_with_the_oldest_that_is_in_it() -> None:
    numbers = [("a", {"net": "1", "uts": "9"}), ("b", {"net": "1", "uts": "8"}), ("c", {"net": "1", "uts": "8"})]
    assert shared(numbers, {}, {"uts": "9"}) == {"a": {"uts": BOX}, "b": {"net": "a"}, "c": {"net": "a", "uts": "b"}}


# Pods


def test_containers_in_one_network_namespace_are_a_pod() -> None:
    found = drawn(one("web-pause"), inside("web-app", "web-pause"), one("db"))
    assert within(found) == {"web-pause": "web", "web-app": "web", "db": "b"}
    assert found.nodes["pod:web-pause*"]["note"] == "2 containers"
    assert found.nodes["box:b"]["note"] == "3 containers"


def test_the_root_of_a_pod_comes_first_however_it_was_listed() -> None:
    found = drawn(inside("a-app", "a-pause"), one("a-pause"))
    assert list(found)[2:] == ["pod:a-pause*", "container:a-pause*", "container:a-app*"]


def test_a_chain_of_shared_namespaces_is_one_pod() -> None:
    found = drawn(one("a"), inside("b", "a"), inside("c", "b"), inside("d", "c"))
    assert list(of("pod", found)) == ["a"]
    assert set(within(found).values()) == {"a"}


def test_those_whose_root_is_gone_are_still_a_pod() -> None:
    found = drawn(inside("app-1", "gone"), inside("app-2", "gone"))
    assert within(found) == {"app-1": "app", "app-2": "app"}
    assert found.nodes["container:app-1*"]["walls"] == {"net": "one that is gone"}


def test_one_alone_whose_root_is_gone_is_in_a_pod_of_one() -> None:
    found = drawn(inside("app", "gone"))
    assert within(found) == {"app": "app"}
    assert found.nodes["pod:gone*"]["note"] == "1 container"


def test_two_that_wait_for_each_other_are_drawn() -> None:
    found = drawn(inside("a", "b", state="created"), inside("b", "a", state="created"))
    assert set(of("container", found)) == {"a", "b"}


def test_one_that_waits_for_itself_is_drawn() -> None:
    assert list(within(drawn(inside("a", "a", state="created")))) == ["a"]


def test_the_network_of_the_box_is_no_pod() -> None:
    found = drawn(inside("a", BOX), inside("b", BOX))
    assert not of("pod", found)
    assert within(found) == {"a": "b", "b": "b"}
    assert found.nodes["container:a*"]["walls"] == {"net": "the box"}


def test_whoever_joins_one_on_the_network_of_the_box_is_on_it_too() -> None:
    found = drawn(inside("a", BOX), inside("b", "a"))
    assert list(of("pod", found)) == ["a"]


@pytest.mark.parametrize("kind", ["ipc", "pid", "uts"])
def test_sharing_anything_else_is_no_pod(kind: str) -> None:
    found = drawn(one("a"), one("b", shares={kind: "a*"}))
    assert not of("pod", found)
    assert found.nodes["container:b*"]["walls"] == {kind: "a"}


@pytest.mark.parametrize(
    ("names", "pod"),
    [
        (("web-1-pause", "web-1-app"), "web-1"),
        (("web_pause", "web_app"), "web"),
        (("web.a", "web.b", "web.c"), "web"),
        (("shop-web-1", "shop-db-1"), "shop"),
        (("webpause", "webapp"), "webpause"),
        (("web", "web-app"), "web"),
        (("first", "second"), "first"),
        (("-a", "-b"), "-a"),
    ],
)
def test_a_pod_is_called_by_the_words_that_its_containers_names_begin_with(names: tuple[str, ...], pod: str) -> None:
    root, *others = names
    assert list(of("pod", drawn(one(root), *(inside(other, root) for other in others)))) == [pod]


def test_a_pod_has_the_addresses_and_ports_and_its_containers_have_none() -> None:
    root = one("a-pause", links=(Link("net-a", "10.1.0.2"), Link("net-b", "10.2.0.2")), ports=(Port(80, 8080), Port(53, 53, "udp")))
    found = drawn(root, inside("a-app", "a-pause", image="app:v1"), networks=NETS)
    pod = found.nodes["pod:a-pause*"]
    assert (pod["address"], pod["ports"]) == ("10.1.0.2, 10.2.0.2", "80→8080, 53→53/udp")
    assert all((shown["address"], shown["ports"]) == ("", "") for shown in of("container", found).values())
    assert found.nodes["container:a-app*"]["image"] == "app:v1"
    assert edges(found, "attached") == [("pod:a-pause*", "network:b/net-a"), ("pod:a-pause*", "network:b/net-b")]


def test_walls_name_whom_they_lack_towards_and_inner_says_which_stand_in_the_pod() -> None:
    root = one("a-pause", shares={"uts": BOX})
    app = one("a-app", shares={"net": "a-pause*", "ipc": "a-pause*", "uts": BOX, "pid": "db*"})
    log = one("a-log", shares={"net": "a-pause*", "pid": "a-app*", "mnt": "gone*"})
    found = drawn(one("db"), root, app, log)
    assert found.nodes["container:a-app*"]["walls"] == {"net": "a-pause", "ipc": "a-pause", "uts": "the box", "pid": "db"}
    assert found.nodes["container:a-log*"]["walls"] == {"net": "a-pause", "pid": "a-app", "mnt": "one that is gone"}
    assert found.nodes["container:a-pause*"]["inner"] == {}
    assert found.nodes["container:a-app*"]["inner"] == {"net": False, "ipc": False, "uts": False, "pid": True, "mnt": True}
    assert found.nodes["container:a-log*"]["inner"] == {"net": False, "ipc": True, "uts": True, "pid": False, "mnt": True}
    assert found.nodes["container:db*"]["inner"] == {}


def test_a_wall_towards_the_box_that_is_gone_still_stands_in_the_pod() -> None:
    found = drawn(one("a"), one("b", shares={"net": "a*", "uts": BOX}))
    assert found.nodes["container:b*"]["inner"]["uts"] is True


# Deployments


def test_those_with_the_same_label_are_a_deployment() -> None:
    found = drawn(*(labelled(f"web-{number}", "deployment", "web") for number in range(3)), labelled("db", "deployment", "store"))
    assert within(found) == {"web-0": "web", "web-1": "web", "web-2": "web", "db": "store"}
    assert {label: shown["note"] for label, shown in of("deployment", found).items()} == {"web": "3 copies", "store": "1 copy"}


@pytest.mark.parametrize("label", [SWARM, COMPOSE])
def test_what_tools_label_is_a_deployment_from_two_copies_on(label: str) -> None:
    assert within(drawn(labelled("a", label, "web"))) == {"a": "b"}
    assert within(drawn(labelled("a", label, "web"), labelled("b", label, "web"))) == {"a": "web", "b": "web"}


def test_an_empty_label_is_none() -> None:
    assert not of("deployment", drawn(labelled("a", "deployment", ""), labelled("b", "deployment", "")))


def test_the_label_for_it_goes_before_those_of_tools() -> None:
    both = {"deployment": "mine", COMPOSE: "theirs"}
    assert within(drawn(one("a", labels=both), labelled("b", COMPOSE, "theirs"))) == {"a": "mine", "b": "b"}


def test_one_name_from_two_labels_is_one_deployment() -> None:
    copies = (labelled(name, COMPOSE, "web") for name in "abc")
    found = drawn(labelled("d", "deployment", "web"), *copies)
    assert set(within(found).values()) == {"web"}
    assert of("deployment", found)["web"]["note"] == "4 copies"


def test_a_pod_is_in_the_deployment_of_any_of_its_containers() -> None:
    found = drawn(one("p-pause"), inside("p-app", "p-pause", labels={"deployment": "web"}))
    assert found.nodes["pod:p-pause*"]["parent"] == "deployment:b/web"
    assert of("deployment", found)["web"]["note"] == "1 copy"


def test_states_are_summed_up() -> None:
    states = ["running", "running", "exited"]
    found = drawn(*(labelled(f"w{number}", "deployment", "web", state=state) for number, state in enumerate(states)))
    assert of("deployment", found)["web"]["state"] == "1 exited, 2 running"
    found = drawn(one("p-a"), inside("p-b", "p-a"))
    assert of("pod", found)["p"]["state"] == "running"
    found = drawn(one("p-a"), inside("p-b", "p-a", state="paused"))
    assert of("pod", found)["p"]["state"] == "1 paused, 1 running"


def test_what_there_is_to_note_of_a_container() -> None:
    found = drawn(one("a", state="exited", exit_code=0), one("b", health="unhealthy"), one("c", health="starting", exit_code=3), one("d"))
    assert {label: shown["note"] for label, shown in of("container", found).items()} == {
        "a": "code 0", "b": "unhealthy", "c": "starting, code 3", "d": "",
    }  # fmt: skip


# Networks, services, ports


def named(name: str, *aliases: str, network: str = "net-a", address: str = "10.1.0.9") -> Container:
    return one(name, links=(Link(network, address, aliases),))


def test_a_name_to_which_more_than_one_answer_is_a_service() -> None:
    found = drawn(named("a", "web", "only-a"), named("b", "web"), named("c", "api"), networks=NETS)
    assert {label: shown["note"] for label, shown in of("service", found).items()} == {"web": "a name for 2"}
    assert edges(found, "named") == [("service:b/net-a/web", "container:a*"), ("service:b/net-a/web", "container:b*")]


def test_the_same_name_on_two_networks_is_two_names() -> None:
    found = drawn(named("a", "web"), named("b", "web", network="net-b"), networks=NETS)
    assert not of("service", found)


def test_one_that_has_no_address_does_not_answer() -> None:
    found = drawn(named("a", "web"), named("b", "web", address=""), networks=NETS)
    assert not of("service", found)


def test_a_pod_answers_once() -> None:
    member = replace(inside("p-b", "p-a"), links=(Link("net-a", "10.1.0.9", ("web",)),))
    assert not of("service", drawn(replace(named("p-a", "web"), id="p-a*"), member, networks=NETS))


def test_published_ports_are_ways_in_from_the_box() -> None:
    found = drawn(one("a", ports=(Port(80, 8080),)), one("b"), one("p-a", ports=(Port(81, 1),)), inside("p-b", "p-a"))
    assert edges(found, "published") == [("box:b", "container:a*"), ("box:b", "pod:p-a*")]
    assert found.edges["box:b", "container:a*"]["ports"] == found.nodes["container:a*"]["ports"] == "80→8080"


def test_the_default_bridge_is_drawn_when_something_is_on_it() -> None:
    assert not of("network", drawn(one("a"), networks=(BRIDGE,)))
    assert list(of("network", drawn(named("a", network="net-0"), networks=(BRIDGE,)))) == ["bridge"]


def test_host_and_none_are_never_drawn() -> None:
    found = drawn(named("a", network="net-h"), named("b", network="net-n"), networks=(HOST, NONE))
    assert not of("network", found)
    assert not edges(found, "attached")


def test_a_network_that_nobody_is_on_is_drawn() -> None:
    front = of("network", drawn(networks=NETS))["front"]
    assert (front["address"], front["note"]) == ("10.1.0.0/24", "bridge")


def test_a_link_to_a_network_that_has_gone_leads_nowhere() -> None:
    assert not edges(drawn(named("a", network="net-x"), networks=NETS), "attached")


def test_boxes_stand_side_by_side() -> None:
    same = (named("web", "www"), named("api", "www"))
    boxes = tuple(Box(name, tuple(replace(it, id=f"{name}{it.id}") for it in same), NETS) for name in ("one", "two"))
    found = graph(Snapshot(boxes))
    assert {node: found.nodes[node]["parent"] for node in found if node.startswith("box:")} == {
        "box:one": "computer",
        "box:two": "computer",
    }
    assert [node for node in found if node.startswith("service:")] == ["service:one/net-a/www", "service:two/net-a/www"]
    for name in ("one", "two"):
        assert {node.partition(":")[2][:3] for node in found.successors(f"service:{name}/net-a/www")} == {name}


# Services


def of_pod(name: str, **more: Any) -> Container:
    return one(name, labels={POD: name}, **more)


def serving(*ports: ServicePort, **more: Any) -> Service:
    return Service("web", "10.96.0.10", ports, **more)


def noted(service: Service, *pods: str) -> str:
    """What there is to say of a Service."""
    found = graph(Snapshot((Box("b", tuple(map(of_pod, pods)), services=(service,)),)))
    return str(found.nodes["service:b/web"]["note"])


def test_a_service_leads_to_its_endpoints_and_says_whom_it_leaves_out_and_why() -> None:
    port = ServicePort(80, ready={"a": "10.1.0.2:8080"}, left_out={"b": "is not ready", "c": "is about to end"})
    found = graph(Snapshot((Box("b", tuple(map(of_pod, "abcd")), services=(serving(port),)),)))
    assert found.nodes["service:b/web"]["address"] == "10.96.0.10:80"
    assert found.nodes["service:b/web"]["note"] == "1 of 3 ready, left out: b (is not ready); c (is about to end)"
    assert edges(found, "endpoint") == [("service:b/web", "container:a*")]
    assert edges(found, "left out") == [("service:b/web", "container:b*"), ("service:b/web", "container:c*")]
    assert [of("container", found)[name]["note"] for name in "abcd"] == [
        "", "left out of web: is not ready", "left out of web: is about to end", "",
    ]  # fmt: skip


def test_a_pod_is_an_endpoint_if_it_is_one_for_any_port() -> None:
    ports = (ServicePort(80, ready={"a": "10.1.0.2:80"}, node=30080), ServicePort(53, "UDP", left_out={"a": "has no port called dns"}))
    found = graph(Snapshot((Box("b", (of_pod("a"),), services=(serving(*ports),)),)))
    assert found.nodes["service:b/web"]["address"] == "10.96.0.10:80, 10.96.0.10:53/udp"
    assert found.nodes["service:b/web"]["ports"] == "30080→80"
    assert (edges(found, "left out"), of("container", found)["a"]["note"]) == ([], "")


def test_a_service_without_endpoints_says_what_it_lacks() -> None:
    assert noted(serving()) == "nobody has looked for its pods yet"
    assert noted(serving(ServicePort(80))) == "no pod has its labels"
    many = ServicePort(80, left_out={f"p{number}": "is not ready" for number in range(9)})
    assert noted(serving(many)) == "0 of 9 ready, left out: p0, p1 and 7 more (is not ready)"


def test_a_service_without_an_address_says_so() -> None:
    found = graph(Snapshot((Box("b", services=(replace(serving(ServicePort(80)), address="None"),)),)))
    assert found.nodes["service:b/web"]["address"] == "no address of its own  port 80"


def test_a_service_is_drawn_once_where_it_is_kept_and_leads_to_other_machines() -> None:
    kept = serving(ServicePort(80, ready={"a": "10.1.0.2:80", "b": "10.2.0.2:80"}))
    boxes = (Box("one", (of_pod("a"),), services=(replace(kept, kept=False),)), Box("two", (of_pod("b"),), services=(kept,)))
    found = graph(Snapshot(boxes))
    assert [node for node in found if node.startswith("service:")] == ["service:two/web"]
    assert set(found.successors("service:two/web")) == {"container:a*", "container:b*"}
    assert [node for node in graph(Snapshot(boxes[:1])) if node.startswith("service:")] == ["service:one/web"]


# Groups


def test_thirty_pods_are_drawn_one_by_one_and_more_are_groups_of_those_that_are_alike() -> None:
    assert not of("group", graph(Snapshot((shop(("v1", 30, 0)),))))
    found = graph(Snapshot((shop(("v1", 20, 0), ("v2", 9, 3)),)))
    assert {label: (it["note"], it["version"]) for label, it in of("group", found).items()} == {
        "app:v1: 20 ready": ("template v1 (old)", "old"),
        "app:v2: 9 ready": ("template v2 (wanted)", "new"),
        "app:v2: 3 not ready": ("3 HTTP 503, template v2 (wanted), 3 left out of web", "new"),
    }
    parents = Counter(found.nodes[it["parent"]]["label"] for it in of("pod", found).values())
    assert parents == {"app:v1: 20 ready": 20, "app:v2: 9 ready": 9, "app:v2: 3 not ready": 3}
    assert {it["parent"] for it in of("group", found).values()} == {"deployment:box-1/web"}


def test_what_leads_to_pods_leads_to_their_groups() -> None:
    found = graph(Snapshot((shop(("v1", 40, 2)),)))
    good, bad = "group:box-1/web/v1/ready", "group:box-1/web/v1/not ready"
    assert [edge for edge in edges(found, "endpoint") if edge[1].startswith("group:")] == [("service:box-1/web", good)]
    assert [edge for edge in edges(found, "left out") if edge[1].startswith("group:")] == [("service:box-1/web", bad)]
    assert (good, "network:box-1/pods") in edges(found, "attached")


def test_a_group_says_why_its_pods_are_not_ready() -> None:
    states: list[dict[str, Any]] = [
        {"state": "exited"},
        {"health": "starting"},
        {"finding": "not ready"},
        {"finding": "not ready: HTTP 500"},
    ]
    found = drawn(*(labelled(f"w{number}", "deployment", "web", **states[number % 4]) for number in range(40)))
    (group,) = of("group", found).values()
    assert group["note"] == "10 exited, 10 starting, 10 no answer yet, 10 HTTP 500"
