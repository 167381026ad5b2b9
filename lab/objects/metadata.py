"""What a pod is called, and what else is said about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.box.errors import UsageError
from lab.objects.manifest.fields import LONG_NAME, Fields

LABEL_IS = "At most 63 letters, digits, hyphens, dots and underscores, with a letter or digit at both ends"
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_NAME = re.compile(f"({LONG_NAME.pattern}/)?{LABEL.pattern}")


@dataclass(frozen=True)
class Metadata:
    """What a pod is called, and what else is said about it.

    Args:
        name: of the pod.
        namespace: that it is in.  A machine has one set of names for all namespaces.
        labels: by which it is selected.
        annotations: whatever else somebody wants to note.
    """

    name: str
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def metadata(fields: Fields, *name: str) -> Metadata:
    """The metadata that a part of a manifest describes.

    Args:
        fields: that part.
        name: where none needs to be there: what it is called without.

    Raises:
        UsageError: it makes no sense; names the field by its path, and by its line if there is one.
    """
    called, namespace = fields.name("name", *name, rule=LONG_NAME, most=253), fields.name("namespace", "default")
    found = Metadata(called, namespace, label_pairs(fields, "labels"), fields.pairs("annotations"))
    for key in found.annotations:
        _label_name(fields, "annotations", key)
    fields.done()
    return found


def label_pairs(fields: Fields, key: str) -> dict[str, str]:
    """The labels that a field holds, with their values.

    Raises:
        UsageError: one is outside Kubernetes' grammar; names it by its path, and by its line if there is one.
    """
    labels = fields.pairs(key)
    for name, value in labels.items():
        _label_name(fields, key, name)
        if value and not LABEL.fullmatch(value):
            why = f"{LABEL_IS}."
            raise UsageError(f"{fields.at(key, name)}: {value!r} can't be a label's value.", why, "put other text in an annotation")
    return labels


def _label_name(fields: Fields, key: str, name: str) -> None:
    if not LABEL_NAME.fullmatch(name):
        why = f"{LABEL_IS}. Before it may stand a domain and a slash."
        raise UsageError(f"{fields.at(key, name)}: {name!r} can't be a label's name.", why, "write for example tier")
