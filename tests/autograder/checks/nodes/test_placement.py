"""Which pods run on which nodes, and which nodes have too many, without a machine."""

from __future__ import annotations

from autograder.checks.nodes.placement import Copy, Placement, belongs, first_nodes, no_node_overcommitted, nodes_from, pods_from

PODS = ("it-1 100m 96Mi n1", "it-2 100m 200Mi n2", "it-3 1500m 16Mi n2")
NODES = ("n1 2 256Mi", "n2 1 256Mi")


def placement(**where: str) -> Placement:
    copies = [Copy(name.replace("_", "-"), node, f"{name}{node}") for name, nodes in where.items() for node in nodes.split()]
    return Placement({it.name: it for it in pods_from(PODS)}, {it.name: it for it in nodes_from(NODES)}, copies)


def test_lines_of_a_task_describe_pods_and_nodes() -> None:
    assert [(it.name, it.requests.cpu, it.requests.memory) for it in pods_from(PODS)][2] == ("it-3", 1500, 16 << 20)
    assert [(it.name, it.capacity.cpu, it.capacity.memory) for it in nodes_from(NODES)][1] == ("n2", 1000, 256 << 20)
    assert first_nodes(PODS) == {"it-1": "n1", "it-2": "n2", "it-3": "n2"}


def test_a_container_belongs_to_the_pod_whose_name_it_begins_with() -> None:
    assert [name for name in ("it-1", "it-1-app", "it-12", "it") if belongs(name, "it-1")] == ["it-1", "it-1-app"]


def test_a_pod_is_where_any_of_its_containers_runs_and_counts_once_on_a_node() -> None:
    seen = placement(it_1="n1 n2 n2")
    assert seen.nodes_of("it-1") == {"n1", "n2"}
    assert seen.nodes_of("it-2") == set()
    assert [it.name for it in seen.pods_on("n2")] == ["it-1"]


def test_requests_of_all_pods_on_a_node_are_added_up() -> None:
    assert placement(it_1="n1", it_2="n2").overcommitted == []
    assert placement(it_1="n2", it_2="n2").overcommitted == ["n2 is asked for 40Mi memory more than it has"]
    assert placement(it_1="n1", it_2="n1", it_3="n2").overcommitted == [
        "n1 is asked for 40Mi memory more than it has",
        "n2 is asked for 500m cpu more than it has",
    ]


def test_no_node_has_too_much_only_once_something_runs() -> None:
    assert not no_node_overcommitted(placement(), shown=False).ok
    assert no_node_overcommitted(placement(it_1="n1"), shown=True).ok
    assert not no_node_overcommitted(placement(it_3="n2"), shown=True).ok
