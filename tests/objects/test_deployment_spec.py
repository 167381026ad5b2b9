"""What is read from a Deployment's manifest, and what is said about one that makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from lab.box.errors import UsageError
from lab.objects.deployment_spec import read_deployment
from lab.objects.labels import TEMPLATE
from lab.objects.rollout import Wish
from tests.objects.manifests import DEPLOYMENT_OF_TWO as WEB

ALL = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, creationTimestamp: null}
spec:
  replicas: 5
  minReadySeconds: 2
  progressDeadlineSeconds: 60
  revisionHistoryLimit: 3
  paused: false
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 50%}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: app:v1
        env: [{name: GREETING, valueFrom: {configMapKeyRef: {name: words, key: hello}}}]
status: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
data: {hello: good day}
"""


def test_defaults_are_those_of_kubernetes() -> None:
    found = read_deployment(WEB.replace("  replicas: 3\n", ""))
    assert (found.name, found.replicas, found.selector) == ("web", 1, {"app": "web"})
    assert (found.max_unavailable, found.max_surge, found.recreate) == ("25%", "25%", False)
    assert (found.min_ready_s, found.deadline_s, found.history) == (0, 600, 10)
    assert found.wish == Wish(1, found.hash, 0, 1, 0)


def test_all_that_is_read() -> None:
    found = read_deployment(ALL)
    assert (found.min_ready_s, found.deadline_s, found.history) == (2, 60, 3)
    assert found.wish == Wish(5, found.hash, 0, 3, 2)
    pod = found.pod("web-1", {})
    assert pod.containers[0].env == {"GREETING": "good day"}
    assert pod.labels == {"app": "web", TEMPLATE: found.hash}


def test_a_copy_is_the_template_with_a_name() -> None:
    found = read_deployment(WEB)
    pod = found.pod(f"web-{found.hash}-abcde", {"owner": "me"})
    assert [it.name for it in pod.containers] == ["app", "log"]
    assert pod.labels == {"app": "web", "tier": "front", TEMPLATE: found.hash, "owner": "me"}
    assert pod.named("other").labels == pod.labels


def test_the_hash_is_that_of_the_template_alone() -> None:
    same, other = WEB.replace("replicas: 3", "replicas: 9").replace("name: web}", "name: shop}"), WEB.replace("app:v1", "app:v2")
    assert read_deployment(WEB).hash == read_deployment(same).hash != read_deployment(other).hash


@pytest.mark.parametrize(
    ("rolling", "replicas", "missing", "surge"),
    [
        ("maxUnavailable: 1, maxSurge: 0", 3, 1, 0),
        ("maxUnavailable: 25%, maxSurge: 25%", 10, 2, 3),
        ("maxUnavailable: 25%, maxSurge: 0", 3, 1, 0),  # rounded to nothing, and then nothing could change
        ("maxSurge: 150%", 4, 1, 6),
    ],
)
def test_shares_become_numbers_of_pods(rolling: str, replicas: int, missing: int, surge: int) -> None:
    text = WEB.replace("replicas: 3", f"replicas: {replicas}\n  strategy: {{rollingUpdate: {{{rolling}}}}}")
    wish = read_deployment(text).wish
    assert (wish.max_unavailable, wish.max_surge) == (missing, surge)


def test_recreate_lets_all_of_the_old_go_first() -> None:
    found = read_deployment(WEB.replace("replicas: 3", "replicas: 3\n  strategy: {type: Recreate}"))
    assert (found.wish.max_unavailable, found.wish.max_surge) == (3, 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("replicas: 3", "replicas: -1", r"spec.replicas \(line 6\): -1 is out of range"),
        ("replicas: 3", "replicas: 10000", "10000 is out of range.*from 0 to 1000"),
        ("replicas: 3", 'replicas: "3"', "spec.replicas .line 6. must be a whole number, and is text"),
        ("labels: {app: web, tier: front}", "labels: {tier: front}", "metadata.labels .line 9.: the label app: web is missing"),
        ("matchLabels: {app: web}", "matchLabels: {}", "spec.selector.matchLabels .line 7. is missing"),
        ("matchLabels: {app: web}", "matchLabels: {app: web}, matchExpressions: [{key: a}]", "matchExpressions .line 7. is a field of"),
        ("replicas: 3", "replicas: 3\n  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}", "both 0"),
        ("replicas: 3", "replicas: 3\n  strategy: {rollingUpdate: {maxSurge: some}}", "'some' is no number of pods"),
        ("replicas: 3", "replicas: 3\n  strategy: {rollingUpdate: {maxUnavailable: 101%}}", "'101%' is no number of pods"),
        ("replicas: 3", "replicas: 3\n  strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}", "has no place beside Recreate"),
        ("replicas: 3", "replicas: 3\n  paused: true", "spec.paused .line 7. is a field of Kubernetes that is not supported"),
        ("replicas: 3", "replicas: 3\n  minReadySeconds: 600", "600 is not more than minReadySeconds"),
        ("    spec:\n", "    spec:\n      restartPolicy: Never\n", "a Deployment's pods restart Always"),
        ("image: base,", "imagee: base,", "spec.template.spec.containers.1..image .line 14. is missing"),
        ("kind: Deployment", "kind: StatefulSet", "This is a StatefulSet of apps/v1, and not a Deployment: kind .line 3."),
        ("apps/v1", "extensions/v1beta1", "write apiVersion: apps/v1, kind: Deployment"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert old in WEB
    with pytest.raises(UsageError, match=f"(?s){said}"):
        read_deployment(WEB.replace(old, new, 1))


@pytest.mark.parametrize("given", [None, b"kind: Deployment", 7, ["a"]])
def test_what_is_no_manifest_is_said(given: Any) -> None:
    with pytest.raises(UsageError, match="This is not a manifest"):
        read_deployment(given)


def test_two_in_one_text_are_too_many_and_none_too_few() -> None:
    with pytest.raises(UsageError, match="several deployments in this manifest"):
        read_deployment(f"{WEB}\n---\n{WEB}")
    with pytest.raises(UsageError, match="There is no Deployment here"):
        read_deployment(ALL.partition("---\n")[2])


IN_A_LIST = "apiVersion: v1\nkind: List\nitems:\n- " + WEB.strip().replace("\n", "\n  ")


@pytest.mark.parametrize("manifest", [WEB, ALL, IN_A_LIST])
def test_one_field_is_amended_and_the_rest_stays(manifest: str) -> None:
    found = read_deployment(manifest)
    more = found.amended(replicas=7)
    assert (more.replicas, more.hash, more.beside, more.min_ready_s) == (7, found.hash, found.beside, found.min_ready_s)
    with pytest.raises(UsageError, match="-1 is out of range"):
        found.amended(replicas=-1)
