"""The variables that a container is given, and the places in its manifest where they are filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from lab.box.errors import UsageError
from lab.objects.config import Configs, text_of
from lab.objects.manifest.fields import Fields
from lab.objects.metadata import Metadata

ENV_NAME = re.compile(r"[ -<>-~]+")
"""Any ASCII that can be printed, but =; as Kubernetes since 1.34."""
VARIABLE = re.compile(r"\$(?:\$|\(([^)]*)\))")
REFERENCES = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
SOURCES = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
LATE = {"status.podIP": "\0address\0", "spec.nodeName": "\0node\0"}
"""What is known only when the pod is on its way; in its place stands what no manifest can have."""


def variables(fields: Fields, metadata: Metadata, configs: Configs) -> dict[str, str]:
    """The variables of a container, by their names.

    Args:
        fields: the container's part of a manifest.
        metadata: of its pod.
        configs: that values can be taken from.

    Raises:
        UsageError: one makes no sense, or what it refers to is not there; names the field by its path, and by its line if there is one.
    """
    env: dict[str, str] = {}
    for it in fields.each("envFrom", "EnvFromSource"):
        env.update(_all_of(it, configs))
        it.done()
    for it in fields.each("env", "EnvVar"):
        name, value = _name(it, it.take("name", str)), it.take("value", str, "")
        if it.has("valueFrom"):
            if value:
                why = "A variable has one value."
                raise UsageError(f"{it.position} has value and valueFrom.", why, "take out one of them")
            found = _value_from(it.inside("valueFrom", "EnvVarSource"), metadata, configs)
            env |= {} if found is None else {name: found}
        else:
            env[name] = filled_in(value, env)
        it.done()
    return env


def filled_in(text: str, env: Mapping[str, str]) -> str:
    """``$(NAME)`` replaced by that variable, as a cluster does; left alone where there is none.  ``$$`` stands for one ``$``."""
    return VARIABLE.sub(lambda found: "$" if found[1] is None else env.get(found[1], found[0]), text)


def filled_late(text: str, address: str, node: str) -> str:
    """A value, with the pod's address and the name of its node where they belong."""
    return text.replace(LATE["status.podIP"], address).replace(LATE["spec.nodeName"], node)


def is_late(texts: Iterable[str]) -> bool:
    """Whether one of the texts has a place for something that is known only when the pod is on its way."""
    return any(place in text for text in texts for place in LATE.values())


def _all_of(fields: Fields, configs: Configs) -> Iterator[tuple[str, str]]:
    prefix, there = fields.take("prefix", str, ""), [key for key in SOURCES if fields.has(key)]
    if len(there) != 1:
        why = f"It has one of {', '.join(SOURCES)}."
        raise UsageError(f"{fields.position} does not say where from.", why, "write configMapRef: {name: settings}")
    part = fields.inside(there[0], "KeySelector")
    config = configs.named(part, SOURCES[there[0]])
    part.done()
    if config:
        yield from ((_name(part, prefix + key), text_of(config, key, part.position)) for key in config.data)


def _value_from(fields: Fields, metadata: Metadata, configs: Configs) -> str | None:
    found: str | None = None
    there = [key for key in (*REFERENCES, "fieldRef") if fields.has(key)]
    if len(there) != 1:
        why = f"It has one of {', '.join((*REFERENCES, 'fieldRef'))}."
        raise UsageError(f"{fields.position} does not say where from.", why, "write fieldRef: {fieldPath: metadata.name}")
    if there == ["fieldRef"]:
        part = fields.inside("fieldRef", "ObjectFieldSelector")
        found = _field(part, metadata)
        part.done()
    else:
        found = configs.value(fields.inside(there[0], "KeySelector"), REFERENCES[there[0]])
    fields.done()
    return found


def _field(fields: Fields, metadata: Metadata) -> str:
    path = fields.take("fieldPath", str)
    of = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if of:
        return str(getattr(metadata, of[1]).get(of[2], ""))
    known = {"metadata.name": metadata.name, "metadata.namespace": metadata.namespace, **LATE}
    if path not in known:
        why = f"It can be {', '.join(known)}, metadata.labels['…'] or metadata.annotations['…']."
        raise UsageError(f"{fields.at('fieldPath')}: {path} is not supported here.", why, "write metadata.name")
    return known[path]


def _name(fields: Fields, name: str) -> str:
    if not ENV_NAME.fullmatch(name):
        why = "It is made of letters, digits and marks of ASCII other than =."
        raise UsageError(f"{fields.at('name')}: {name!r} can't be a variable's name.", why, "write name: A and value: b")
    return name
