"""A Deployment over several nodes: one is emptied, one dies, and nobody has to be called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lab.box.errors import UsageError
from lab.box.parallel import in_parallel
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.labels import OWNER
from lab.objects.node import Node
from lab.objects.store import CORDONS, WISHES, Store
from tests.objects.test_cluster import Mortal
from tests.objects.test_deployment import PATIENCE_S, WEB
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
FOUR = WEB.replace("replicas: 3", "replicas: 4")


@dataclass(frozen=True)
class Pair:
    """A large node, and a small one with room for two pods, to which the scheduler therefore sends the first two."""

    nodes: tuple[Node, Node]
    plug: Mortal

    def placed(self, web: Deployment) -> dict[str, int]:
        """How many pods are on each node."""
        return dict(Counter(one.replica.node for one in web.pods()))


@pytest.fixture
def it(box: Box) -> Iterator[Pair]:
    plug = Mortal(box)
    pair = Pair((Node("large", box, cpu="8", memory="1Gi"), Node("small", plug, cpu="8", memory="40Mi")), plug)
    yield pair
    plug.dead = False
    for kind in (WISHES, CORDONS):
        for name in Store(box, kind).all():
            Store(box, kind).delete(name)
    with Controller(*pair.nodes):
        until("all pods to be gone", lambda: not box.docker.api.containers(all=True, filters={"label": OWNER}), timeout_s=PATIENCE_S)


def test_a_node_that_is_cordoned_is_emptied_by_deleting_its_pods(it: Pair) -> None:
    web = Deployment.apply(FOUR, *it.nodes)
    with Controller(*it.nodes) as controller:
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 2, "small": 2}
        controller.cordon("small")
        in_parallel(lambda one: one.pod.delete(), [one for one in web.pods() if one.replica.node == "small"])
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 4}
        with pytest.raises(UsageError, match=r"There is no node tiny\.(?s:.*)large, small"):
            controller.cordon("tiny")
    with Controller(*it.nodes) as another:
        web.scale(5)
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 5}  # it was told to the first one
        another.uncordon("small")
        web.scale(6)
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 5, "small": 1}


def test_pods_of_a_node_that_dies_are_made_elsewhere_and_removed_when_it_comes_back(it: Pair) -> None:
    web = Deployment.apply(FOUR, *it.nodes)
    with Controller(*it.nodes, lost_after_s=2):
        web.wait(PATIENCE_S)
        stay = {one.replica.name for one in web.pods() if one.replica.node == "large"}
        it.plug.dead = True
        web.scale(4)  # a change, so that somebody looks: a machine that dies breaks the streams, this one can't
        assert it.placed(web) == {"large": 2}
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 4}
        assert stay <= {one.replica.name for one in web.pods()}
        it.plug.dead = False
        until("two of six to go", lambda: web.status().fulfilled and len(web.pods()) == 4, timeout_s=PATIENCE_S)


def test_who_finds_no_place_is_told_which_nodes_are_out(it: Pair) -> None:
    web = Deployment.apply(FOUR.replace("16Mi", "600Mi"), *it.nodes)
    with Controller(*it.nodes, lost_after_s=1):
        until("one to run", lambda: len(web.pods()) == 1, timeout_s=PATIENCE_S)
        it.plug.dead = True
        web.scale(3)
        until("the other to be explained", lambda: "free; small does not answer" in web.status().note, timeout_s=PATIENCE_S)
