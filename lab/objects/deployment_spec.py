"""What a Deployment manifest asks for: a template of a pod, how many copies, and how one template gives way to the next.

The names of the fields, their defaults and their limits are those of Kubernetes; ``docs/manifests.md`` has a table of what is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lab.box.errors import UsageError
from lab.objects.config import configs
from lab.objects.labels import TEMPLATE
from lab.objects.manifest.fields import Fields
from lab.objects.metadata import label_pairs, metadata
from lab.objects.rollout import Wish, resolve
from lab.objects.spec import CONFIGS, PodSpec, objects, one_of_a_kind, pod_spec, read, refuse_unread

MOST = 1000
"""Copies that a box is not asked to exceed; long before, it has no memory left."""
SHARE = re.compile(r"\d{1,3}%")
QUARTER = "25%"


@dataclass(frozen=True, kw_only=True)
class DeploymentSpec:
    """A Deployment.

    Args:
        name: of it; the names of its pods begin with it.
        replicas: how many copies there are to be.
        selector: labels that all its pods have.
        template: the manifest of one copy, with ``metadata`` and ``spec``, and without a name.
        beside: the ConfigMaps and Secrets that it uses, as manifests.
        source: the manifest that this was read from, all of it.
        max_unavailable: how many copies may be missing during an update: a number, or a share such as ``25%``.
        max_surge: how many copies there may be too many during an update; likewise.
        recreate: whether all copies of an old template end before the first one of the new begins.
        min_ready_s: seconds that a copy must be ready until it counts.
        deadline_s: seconds without progress after which an update counts as stuck.
        history: how many earlier templates are remembered.
    """

    name: str
    replicas: int
    selector: Mapping[str, str]
    template: Mapping[str, Any] = field(repr=False)
    beside: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    source: Mapping[str, Any] = field(default_factory=dict, repr=False)
    max_unavailable: int | str = QUARTER
    max_surge: int | str = QUARTER
    recreate: bool = False
    min_ready_s: int = 0
    deadline_s: int = 600
    history: int = 10

    @cached_property
    def hash(self) -> str:
        """Tells the template from every other one; 8 hex digits."""
        return hashlib.sha256(json.dumps(self.template, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def wish(self) -> Wish:
        """What ``rollout.step`` is to see to; with both shares rounded to nothing, one copy may be missing, as in Kubernetes."""
        if self.recreate:
            return Wish(self.replicas, self.hash, self.replicas, 0, self.min_ready_s)
        surge, missing = resolve(self.max_surge, self.replicas, up=True), resolve(self.max_unavailable, self.replicas, up=False)
        return Wish(self.replicas, self.hash, missing or int(not surge), surge, self.min_ready_s)

    def pod(self, name: str, labels: Mapping[str, str]) -> PodSpec:
        """One copy of the present template.

        Args:
            name: of the pod.
            labels: beside its own, and the one that tells which template it is.
        """
        about = {**self.template.get("metadata", {}), "name": name}
        about["labels"] = {**about.get("labels", {}), TEMPLATE: self.hash, **labels}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": self.template["spec"]}
        return read({"apiVersion": "v1", "kind": "List", "items": [pod, *self.beside]} if self.beside else pod)

    def amended(self, **fields: Any) -> DeploymentSpec:
        """The same Deployment, with other values for some fields of its ``spec``.

        Raises:
            UsageError: it makes no sense with them.
        """
        whole = deepcopy(dict(self.source))
        _deployment_of(whole)["spec"] |= fields
        return read_deployment(whole)


def read_deployment(manifest: str | Mapping[str, Any]) -> DeploymentSpec:
    """The Deployment that a manifest describes.

    Args:
        manifest: YAML, or the mapping that it stands for; ConfigMaps and Secrets may stand beside it, as for a pod.

    Raises:
        UsageError: it is not a Deployment's, asks for what is not supported, or contradicts itself; names the field by its path, and by its
            line in YAML.
    """
    parts, source = objects(manifest, ("Deployment", *CONFIGS))
    whole, others = one_of_a_kind(parts, "Deployment")
    for key in ("kind", "apiVersion"):
        whole.take(key, str)
    about, fields = metadata(whole.inside("metadata", "ObjectMeta")), whole.inside("spec", "DeploymentSpec")
    selector = _selector(fields.inside("selector", "LabelSelector"))
    template = fields.inside("template", "PodTemplateSpec")
    meta = template.inside("metadata", "ObjectMeta")
    pod = pod_spec(metadata(meta, about.name), template.inside("spec", "PodSpec"), configs(others))
    template.done()
    if missing := {name: value for name, value in selector.items() if pod.labels.get(name) != value}:
        name, value = next(iter(missing.items()))
        why = f"The selector asks for {name}: {value}, and the template's pods would not be found by it."
        raise UsageError(f"{meta.at('labels')}: the label {name}: {value} is missing.", why, f"labels: {{{name}: {value}}}")
    if pod.restart != "Always":
        why = "What ends for good is no service. (A Job is for that, and none is made here.)"
        raise UsageError(f"{template.at('spec', 'restartPolicy')}: a Deployment's pods restart Always.", why, "take it out")
    found = DeploymentSpec(
        name=about.name,
        selector=selector,
        template=_deployment_of(source)["spec"]["template"],
        beside=tuple(it for it in _objects(source) if it["kind"] != "Deployment"),
        source=source,
        **_numbers(fields),
    )
    whole.done()
    refuse_unread(parts)
    return found


def _objects(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of a manifest; a list in a list is looked into."""
    return [one for it in source["items"] for one in _objects(it)] if source["kind"] == "List" else [dict(source)]


def _deployment_of(source: Mapping[str, Any]) -> dict[str, Any]:
    return next(it for it in _objects(source) if it["kind"] == "Deployment")


def _numbers(fields: Fields) -> dict[str, Any]:
    """What a Deployment says beside its template."""
    found = {
        "replicas": fields.within("replicas", 0, MOST, 1),
        "min_ready_s": fields.within("minReadySeconds", 0, 86_400, 0),
        "deadline_s": fields.within("progressDeadlineSeconds", 1, 86_400, 600),
        "history": fields.within("revisionHistoryLimit", 0, 100, 10),
        **_strategy(fields.inside("strategy", "DeploymentStrategy")),
    }
    if found["deadline_s"] <= found["min_ready_s"]:
        what = f"{fields.at('progressDeadlineSeconds')}: {found['deadline_s']} is not more than minReadySeconds, {found['min_ready_s']}."
        raise UsageError(what, "No copy could count in time.", "make it larger")
    fields.done()
    return found


def _selector(fields: Fields) -> dict[str, str]:
    selector = label_pairs(fields, "matchLabels")
    fields.done()
    if not selector:
        why = "By these labels a Deployment knows its pods."
        raise UsageError(f"{fields.at('matchLabels')} is missing.", why, "matchLabels: {app: web}, and the same in the template")
    return selector


def _strategy(fields: Fields) -> dict[str, Any]:
    recreate = fields.one_of("type", ("RollingUpdate", "Recreate")) == "Recreate"
    if recreate and fields.has("rollingUpdate"):
        why = "With Recreate all copies end before the first new one begins."
        raise UsageError(f"{fields.at('rollingUpdate')} has no place beside Recreate.", why, "take one of the two out")
    rolling = fields.inside("rollingUpdate", "RollingUpdateDeployment")
    numbers = {key: _pods(rolling, key) for key in ("maxUnavailable", "maxSurge")}
    rolling.done()
    fields.done()
    if all(str(number).rstrip("%").strip("0") == "" for number in numbers.values()):
        why = "No copy may be missing and none may be too many: then nothing can ever change."
        raise UsageError(f"{rolling.position}: maxUnavailable and maxSurge are both 0.", why, "maxSurge: 1")
    return {"max_unavailable": numbers["maxUnavailable"], "max_surge": numbers["maxSurge"], "recreate": recreate}


def _pods(fields: Fields, key: str) -> int | str:
    """A number of pods, or a share of all."""
    if not isinstance(fields.peek(key), str):
        return int(fields.within(key, 0, MOST, -1)) if fields.has(key) else QUARTER
    written = str(fields.take(key, str))
    if not SHARE.fullmatch(written) or (key == "maxUnavailable" and int(written[:-1]) > 100):
        raise UsageError(f"{fields.at(key)}: {written!r} is no number of pods.", "It is a number, or a share of all.", "1, or 25%")
    return written
