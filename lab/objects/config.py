"""ConfigMaps and Secrets: settings that stand in documents of their own, beside the pod that uses them.

A cluster keeps them in its API server, and a pod that names one waits until it is there.  Here they stand in the same text as the pod,
parted by lines of three hyphens.  A Secret is not encrypted, neither here nor in a manifest: base64 is a way of writing bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lab.box.errors import UsageError
from lab.objects.manifest.fields import Fields, no_duplicates
from lab.objects.manifest.position import Position
from lab.objects.metadata import metadata

KEY = re.compile(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}")
KEY_IS = "It is made of letters, digits, hyphens, dots and underscores, because it can become the name of a file."


@dataclass(frozen=True)
class Config:
    """A ConfigMap or a Secret.

    Args:
        kind: ``ConfigMap`` or ``Secret``.
        name: no other one of its kind has it.
        data: what it holds, by the keys.
    """

    kind: str
    name: str
    data: Mapping[str, bytes] = field(repr=False)


class Configs:
    """The ConfigMaps and Secrets that a pod can use."""

    def __init__(self, known: Iterable[Config] = ()) -> None:
        self._known = {(it.kind, it.name): it for it in known}

    def named(self, fields: Fields, kind: str, key: str = "name") -> Config | None:
        """The one that a part of a manifest names; nothing where it is missing, and ``optional`` there.

        Args:
            fields: that part.
            kind: ``ConfigMap`` or ``Secret``.
            key: the field that has the name.

        Raises:
            UsageError: there is none of that name.
        """
        name, optional = fields.take(key, str), fields.take("optional", bool, False)
        found = self._known.get((kind, name))
        if not found and not optional:
            there = ", ".join(name for its, name in self._known if its == kind)
            why = f"It is to stand in the same text, and of that kind there is {there or 'none'}; in a cluster the pod would wait for it."
            hint = f"add a document after a line of ---, with kind: {kind}, or write optional: true"
            raise UsageError(f"{fields.at(key)}: there is no {kind} {name}.", why, hint)
        return found

    def value(self, fields: Fields, kind: str) -> str | None:
        """The text under the key that a part of a manifest names; nothing where it is missing, and ``optional`` there.

        Raises:
            UsageError: there is no such ConfigMap or Secret, it has no such key, or what it has there is no text.
        """
        optional = fields.peek("optional") is True
        config, key = self.named(fields, kind), fields.take("key", str)
        fields.done()
        if not config or (key not in config.data and optional):
            return None
        if key not in config.data:
            why = f"It has {', '.join(config.data) or 'none'}."
            raise UsageError(f"{fields.at('key')}: the {kind} {config.name} has no key {key}.", why, "name one of those, or add it")
        return text_of(config, key, fields.at("key"))


def text_of(config: Config, key: str, position: Position) -> str:
    """What a ConfigMap or Secret has under a key, as text.

    Raises:
        UsageError: it is no text; names the position of what asks for it.
    """
    try:
        return config.data[key].decode()
    except UnicodeDecodeError:
        what = f"{position}: what the {config.kind} {config.name} has under {key} is no text."
        raise UsageError(what, "A variable holds text.", "mount it as a volume") from None


def config(fields: Fields) -> Config:
    """The ConfigMap or Secret that a document describes.

    Raises:
        UsageError: it makes no sense; names the field by its path, and by its line if there is one.
    """
    kind = fields.take("kind", str)
    fields.take("apiVersion", str)
    fields.take("immutable", bool, False)
    name = metadata(fields.inside("metadata", "ObjectMeta")).name
    if kind == "Secret":
        fields.take("type", str, "Opaque")
        data = {**_bytes(fields, "data"), **_texts(fields, "stringData")}
    else:
        data = {**_texts(fields, "data"), **_bytes(fields, "binaryData")}
    fields.done()
    return Config(kind, name, data)


def configs(documents: Iterable[Fields]) -> Configs:
    """All ConfigMaps and Secrets of a text.

    Raises:
        UsageError: one makes no sense, or two have the same name.
    """
    parts = list(documents)
    found = [config(it) for it in parts]
    names = [(f"{it.kind} {it.name}", its.at("metadata", "name")) for it, its in zip(found, parts, strict=True)]
    no_duplicates("documents are", names, "give each a name of its own")
    return Configs(found)


def _texts(fields: Fields, key: str) -> dict[str, bytes]:
    found = fields.pairs(key)
    for name in found:
        if not KEY.fullmatch(name):
            raise UsageError(f"{fields.at(key, name)}: {name!r} can't be a key.", KEY_IS, "write for example app.conf")
    return {name: value.encode() for name, value in found.items()}


def _bytes(fields: Fields, key: str) -> dict[str, bytes]:
    found = _texts(fields, key)
    for name, value in found.items():
        try:
            found[name] = base64.b64decode(b"".join(value.split()), validate=True)
        except binascii.Error:
            hint = "write plain text under stringData" if fields.kind == "Secret" else "write plain text under data"
            raise UsageError(f"{fields.at(key, name)} is not base64.", "Here bytes are written as base64.", hint) from None
    return found
