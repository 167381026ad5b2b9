"""A Deployment on a real machine: whatever happens, there are in the end as many pods as it wants."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest

from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.box.instances.box import Box
from lab.box.machine import Machine
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.kubelet import client as kubelet
from lab.objects.kubelet.orders import KEY
from lab.objects.labels import OWNER, UID
from lab.objects.node import Node
from lab.objects.options import MANIFEST, NAME, NODE, PART
from lab.objects.pod import Pod
from lab.objects.replicas import Observer, Seen
from lab.objects.store import ENDING, WISHES, Store
from lab.objects.watch import EVERYTHING
from tests.objects.manifests import DEPLOYMENT, DEPLOYMENT_OF_TWO, DEPLOYMENT_PROBED
from tests.support.course import until

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
STRANGER = """
apiVersion: v1
kind: Pod
metadata: {name: stranger, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "app:v1"}]
"""
PATIENCE_S = 90.0


def node(machine: Machine, memory: str = "1Gi") -> Node:
    return Node("n1", machine, cpu="8", memory=memory)


@pytest.fixture
def it(box: Box) -> Iterator[Node]:
    """A node without Deployments; none is left on it."""
    yield node(box)
    for name in Store(box, WISHES).all():
        Deployment(name, node(box)).delete()
    with Controller(node(box)):

        def gone() -> bool:
            return not box.docker.api.containers(all=True, filters={"label": OWNER})

        until("all pods to be gone", gone, timeout_s=PATIENCE_S)


def names(web: Deployment) -> set[str]:
    return {one.replica.name for one in web.pods()}


def good(web: Deployment) -> list[Seen]:
    """The pods that are ready."""
    return [one for one in web.pods() if one.replica.ready_since and not one.replica.failed]


def settled(web: Deployment) -> set[str]:
    """The names of its pods, as soon as all is as it is wanted."""
    web.wait(PATIENCE_S)
    return names(web)


@contextmanager
def counted(web: Deployment) -> Iterator[Callable[[], tuple[int, int]]]:
    """The least and the most pods that were ready, and there, while the ``with`` block lasted."""
    over, ready, there = threading.Event(), list[int](), list[int]()

    def count() -> None:
        while not over.is_set():
            pods = web.pods()
            ready.append(sum(one.replica.ready_since is not None and not one.replica.failed for one in pods))
            there.append(len(pods))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield lambda: (min(ready), max(there))
    finally:
        over.set()
        thread.join()


def test_copies_of_one_template_scale_as_one(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT_OF_TWO, it)
    with Controller(it):
        three = settled(web)
        assert len({one.pod.address for one in web.pods()}) == 3
        assert {tuple(part.name for part in one.pod.status().containers) for one in web.pods()} == {("app", "log")}
        web.scale(5)
        five = settled(web)
        assert three < five
        web.scale(2)
        assert settled(web) < three


def test_what_is_lost_comes_back_and_strangers_live(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    stranger = Pod.create(it.machine, STRANGER, node="n1").start()
    by_hand = it.machine.docker.containers.run("app:v1", detach=True, labels={"app": "web"})
    with Controller(it):
        first = settled(web)
        pods = web.pods()
        it.machine.sh(f"docker rm -f {pods[0].pod.container()}; docker kill {pods[1].pod.container('app')}", check=True)
        until("both to be replaced", lambda: web.status().fulfilled and len(names(web) - first) == 2, timeout_s=PATIENCE_S)
    assert stranger.status().phase == "Running"
    by_hand.reload()
    assert by_hand.status == "running"
    by_hand.remove(force=True)
    stranger.delete(grace_s=0)


def test_an_update_keeps_enough_ready_all_the_time(it: Node) -> None:
    web = Deployment.apply(
        DEPLOYMENT_PROBED.replace("replicas: 3", "replicas: 3\n  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}"), it
    )
    with Controller(it):
        old = settled(web)
        with counted(web) as seen:
            Deployment.apply(web.spec.amended(template=_with_image(web, "app:v2")).source, it)
            new = settled(web)
        least, most = seen()
    assert not old & new
    assert least >= 3
    assert most <= 5  # one that is being removed is still there
    assert [number for number, _ in web.history()] == [1, 2]


def test_an_update_that_can_not_be_made_stops_and_is_undone(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    with Controller(it):
        old = settled(web)
        Deployment.apply(DEPLOYMENT.replace("app:v1", "nosuch:v9"), it)
        until("that to be said", lambda: "No such image: nosuch:v9" in web.status().note, timeout_s=PATIENCE_S)
        for _ in range(8):  # meanwhile it is tried again
            time.sleep(0.2)
            assert "No such image: nosuch:v9" in web.status().note
        with pytest.raises(WaitTimeout, match=r"(?s)3 of 3 .*No such image"):
            web.wait(0.5)
        until("the old alone to be there", lambda: names(web) == old)  # one that can't be made is seen for as long as it is tried
        assert len(good(web)) == 3
        web.undo()
        assert settled(web) == old
        until("nothing to be said any more", lambda: not web.status().note)
        with pytest.raises(UsageError, match="There is no earlier revision 7"):
            web.undo(7)


def test_another_controller_goes_on_where_one_has_stopped(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    controller = Controller(it).start()
    until("the first pod", lambda: bool(names(web)), timeout_s=PATIENCE_S)
    with pytest.raises(UsageError, match="Another controller is at work there"):
        Controller(it).start()
    controller.stop()
    web.scale(4)
    time.sleep(1)
    before = names(web)
    assert len(before) <= 3  # nobody sees to it
    half = web.spec.pod("web-half", {OWNER: "web", UID: web._kept()["uid"]})
    Pod.create(it.machine, half, node="n1")  # as if a controller had ended before it could start it
    with Controller(it):
        assert "web-half" in settled(web)


@pytest.mark.full
def test_an_engine_that_was_restarted_gets_its_pods_back(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    with Controller(it):
        settled(web)
        first = names(web)
        it.machine.sh("killall dockerd", check=True)
        until("the engine to be back", lambda: it.machine.sh("docker ps").code == 0, timeout_s=PATIENCE_S)
        until("pods with walls of their own", lambda: not names(web) & first, timeout_s=PATIENCE_S)
        settled(web)


def test_what_fits_nowhere_waits_and_says_why(it: Node) -> None:
    small = node(it.machine, "40Mi")
    web = Deployment.apply(DEPLOYMENT, small)
    with Controller(small):
        until("two to run", lambda: len(good(web)) == 2, timeout_s=PATIENCE_S)
        until("the third to be explained", lambda: "too little memory: 16Mi asked, 8Mi free" in web.status().note)
        web.scale(2)
        settled(web)


def test_a_deployment_that_is_deleted_takes_its_pods_along(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    with Controller(it):
        settled(web)
        web.delete()
        until("its pods to be gone", lambda: not it.machine.docker.api.containers(all=True), timeout_s=PATIENCE_S)
        with pytest.raises(CourseError, match="There is no Deployment web"):
            web.scale(1)


def test_two_with_one_selector_are_refused(it: Node) -> None:
    Deployment.apply(DEPLOYMENT, it)
    with pytest.raises(UsageError, match="The Deployment web has the same selector"):
        Deployment.apply(DEPLOYMENT.replace("name: web}", "name: shop}"), it)


def _with_image(web: Deployment, image: str) -> dict[str, object]:
    template = dict(web.spec.template)
    return {**template, "spec": {**template["spec"], "containers": [{**template["spec"]["containers"][0], "image": image}]}}


def test_how_far_it_is_is_told(it: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    web = Deployment.apply(DEPLOYMENT, it)
    assert repr(web.status()).splitlines()[2].split() == ["web", "0", "of", "3", "0", "0", "0"]
    with pytest.raises(WaitTimeout, match="if none is at work"):
        web.wait(0.2)
    assert capsys.readouterr() == ("", "")  # quick enough
    with pytest.raises(WaitTimeout):
        web.wait(1.5)
    out, err = capsys.readouterr()
    assert re.fullmatch(r"\r0 of 3 ready\x1b\[K\r0 of 3 ready after 1.\d s\x1b\[K\n", out), repr(out)
    assert err == ""


def test_a_controller_that_lost_its_lock_to_another_does_nothing_until_it_has_it_again(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    with Controller(it) as first:
        settled(web)
        first._loop._watches[0]._command.cut()
        with as_soon_as_nobody_else_is(it), made_on(it.machine) as made:
            assert not first._loop._watches[0].held.is_set()
            web.scale(6)
            settled(web)
            assert len(made()) == 3
        web.scale(7)
        settled(web)  # by the first one


def test_those_that_fail_together_are_tried_again_soon(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT.replace("app:v1", "late:v1").replace("replicas: 3", "replicas: 6"), it)
    with Controller(it) as controller:
        until("that to be said", lambda: "No such image: late:v1" in web.status().note, timeout_s=PATIENCE_S)
        until("all six to have failed", lambda: not controller._beginning, timeout_s=PATIENCE_S)
        (failures,) = controller._failures.values()
        assert 1 <= len(failures) < 6  # six at once are one; each further try, one more
        it.machine.sh("docker tag app:v1 late:v1", check=True)
        settled(web)
    it.machine.sh("docker rmi late:v1")


def test_who_has_some_labels_of_a_pod_is_a_stranger(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    whole = {NODE: "n1", KEY: "abcdef", PART: "app", MANIFEST: "{}", OWNER: "web", UID: web._kept()["uid"]}
    with Controller(it):
        first = settled(web)
        pod = web.pods()[0].pod
        labels = [{NODE: "n1"}, {**whole, MANIFEST: "no json"}, whole, {KEY: pod.key, NODE: "n1"}, dict(list(whole.items())[1:])]
        strangers = [it.machine.docker.containers.create("pause", labels=its) for its in labels]
        it.machine.sh(f"docker rm -f {pod.container('app')}", check=True)
        until("one to be replaced", lambda: web.status().fulfilled and names(web) != first, timeout_s=PATIENCE_S)
    for one in strangers:
        one.remove()


def test_a_volume_of_a_pod_that_was_half_removed_goes_too(it: Node) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    labels = {NODE: "n1", KEY: "abcdef", UID: web._kept()["uid"]}
    it.machine.docker.volumes.create("left", labels=labels)
    it.machine.docker.volumes.create("stranger", labels={NODE: "n1", KEY: "abcdef"})
    marks = Store(it.machine, ENDING)
    marks.put("abcdef", {"pod": "web-half"})

    def there() -> list[str]:
        return [one["Name"] for one in it.machine.docker.api.volumes()["Volumes"]]

    with Controller(it):
        settled(web)
        until("it to be gone, and the mark", lambda: there() == ["stranger"] and not marks.all(), timeout_s=PATIENCE_S)
    it.machine.docker.volumes.get("stranger").remove()


def test_what_is_told_while_somebody_looks_makes_no_pod_unready(it: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    web, observer, findings = Deployment.apply(DEPLOYMENT, it), Observer(it), kubelet.findings

    def told_meanwhile(machine: Machine, containers: Iterable[str]) -> dict[str, dict[str, Any]]:
        observer.forget(EVERYTHING)
        return findings(machine, containers)

    with Controller(it):
        settled(web)
    monkeypatch.setattr(kubelet, "findings", told_meanwhile)
    assert all(one.replica.ready_since for one in observer.look())


def test_a_pod_that_is_made_while_somebody_looks_is_counted(it: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    web = Deployment.apply(DEPLOYMENT, it)
    controller = Controller(it)
    look, looks = controller._loop.look, count()

    def slow_look() -> list[Seen]:
        seen = look()
        if next(looks) == 1:  # three are being made
            until("them to be made", lambda: len(good(web)) == 3, timeout_s=PATIENCE_S)
            until("that to be known", lambda: len(controller._over) == 3)
        return seen

    monkeypatch.setattr(controller._loop, "look", slow_look)
    with made_on(it.machine) as made, controller:
        settled(web)
        until("a third look", lambda: next(looks) > 3)
        assert len(made()) == 3


def test_wishes_that_can_not_be_read_are_not_taken_for_none(it: Node) -> None:
    store = Store(it.machine, "chaos")
    assert store.all() == {}
    store.put("one", {"replicas": 1})
    store.put("two", {"replicas": 2})
    assert store.all() == {"one": {"name": "one", "replicas": 1}, "two": {"name": "two", "replicas": 2}}
    it.machine.sh(f"rm -r {store.home}; touch {store.home}", check=True)
    with pytest.raises(CourseError):
        store.all()
    it.machine.sh(f"rm {store.home}", check=True)


@contextmanager
def as_soon_as_nobody_else_is(it: Node) -> Iterator[Controller]:
    """A controller that is at work."""
    controller = None
    while not controller:
        with suppress(UsageError):
            controller = Controller(it).start()
    try:
        yield controller
    finally:
        controller.stop()


@contextmanager
def made_on(machine: Machine) -> Iterator[Callable[[], set[str]]]:
    """The names of the pods that were made while the ``with`` block lasted."""
    began = machine.sh("date +%s.%N", check=True).stdout.strip()

    def made() -> set[str]:
        over = machine.sh("date +%s.%N", check=True).stdout.strip()
        events = machine.docker.api.events(since=began, until=over, filters={"event": "create", "label": OWNER}, decode=True)
        return {event["Actor"]["Attributes"][NAME] for event in events}

    yield made
