"""A Deployment over several nodes: one is emptied, one dies, and nobody has to be called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lab.box.errors import UsageError
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.drain import drain, uncordon
from lab.objects.labels import OWNER
from lab.objects.node import Node
from lab.objects.store import CORDONED, WISHES, Store
from tests.objects.manifests import DEPLOYMENT
from tests.objects.test_cluster import Mortal
from tests.objects.test_deployment import PATIENCE_S
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
FOUR = DEPLOYMENT.replace("replicas: 3", "replicas: 4")


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
    for kind in (WISHES, CORDONED):
        for name in Store(box, kind).all():
            Store(box, kind).delete(name)
    with Controller(*pair.nodes):
        until("all pods to be gone", lambda: not box.docker.api.containers(all=True, filters={"label": OWNER}), timeout_s=PATIENCE_S)


def test_a_node_is_emptied_and_takes_no_pods_until_it_is_told_to(it: Pair) -> None:
    web = Deployment.apply(FOUR, *it.nodes)
    with Controller(*it.nodes):
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 2, "small": 2}
        assert len(drain("small", *it.nodes).removed) == 2
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 4}
        with pytest.raises(UsageError, match=r"There is no node tiny\.(?s:.*)large, small"):
            drain("tiny", *it.nodes)
    with Controller(*it.nodes):
        web.scale(5)
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 5}  # it was told to the first one
        uncordon("small", *it.nodes)
        web.scale(6)
        web.wait(PATIENCE_S)
        assert it.placed(web) == {"large": 5, "small": 1}


def test_pods_of_a_node_that_dies_are_made_elsewhere_and_removed_when_it_comes_back(it: Pair) -> None:
    web = Deployment.apply(FOUR, *it.nodes)
    with Controller(*it.nodes):
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
