"""What a Pod manifest asks for in one of its volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lab.box.errors import UsageError
from lab.objects.config import Config, Configs
from lab.objects.manifest.fields import Fields
from lab.objects.manifest.known_fields import VOLUME_SOURCES
from lab.objects.quantity import memory

SOURCES = {"configMap": ("ConfigMap", "name", "ConfigMapVolumeSource"), "secret": ("Secret", "secretName", "SecretVolumeSource")}
"""For a volume that is made of a ConfigMap or a Secret: its kind, the field with its name, and the type of what has that field."""


@dataclass(frozen=True)
class File:
    """A file in a volume.

    Args:
        content: of it.
        mode: who may read it, as the command ``chmod`` counts.
    """

    content: bytes = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True)
class Volume:
    """A directory that lives as long as its pod.

    Args:
        name: no other volume of the pod has it.
        in_memory: whether it is in memory, and counts as the memory of who writes to it.
        size: bytes that it can hold if it is in memory; 0 for half of what the machine has.
        files: what is in it at first, by their paths, and nobody can change; nothing where it begins empty and can be written to.
    """

    name: str
    in_memory: bool = False
    size: int = 0
    files: Mapping[str, File] | None = None


def volume(fields: Fields, configs: Configs) -> Volume:
    """The volume that a part of a manifest describes.

    Args:
        fields: that part.
        configs: that it can be made of.

    Raises:
        UsageError: it asks for what is not supported, or makes no sense; names the field by its path, and by its line if there is one.
    """
    name = fields.name("name")
    read_here = [source for source in ("emptyDir", *SOURCES) if fields.has(source)]
    there = [source for source in sorted(VOLUME_SOURCES) if fields.peek(source) is not None]
    if len(there) > 1:
        what = f"{fields.position} is of several kinds: {', '.join(there)}."
        raise UsageError(what, "A volume is of one kind.", "make two of it, each with a name of its own")
    found = Volume(name)
    if "emptyDir" in read_here:
        found = _empty(fields.inside("emptyDir", "EmptyDirVolumeSource"), name)
    for source, (kind, key, of_type) in SOURCES.items():
        if source in read_here:
            found = _of(fields.inside(source, of_type), name, kind, key, configs)
    fields.done()
    return found


def _empty(fields: Fields, name: str) -> Volume:
    in_memory = fields.one_of("medium", ("", "Memory")) == "Memory"
    size = 0
    if in_memory and fields.has("sizeLimit"):
        size = memory(fields.take("sizeLimit", object), fields.at("sizeLimit"))
    fields.done()
    return Volume(name, in_memory, size)


def _of(fields: Fields, name: str, kind: str, key: str, configs: Configs) -> Volume:
    config, usual = configs.named(fields, kind, key), fields.within("defaultMode", 0, 0o777, 0o644)
    listed = list(fields.each("items", "KeyToPath"))
    files = dict(_file(it, config, usual) for it in listed) if listed else _all(config, usual)
    fields.done()
    return Volume(name, files={path: file for path, file in files.items() if file})


def _all(config: Config | None, mode: int) -> dict[str, File | None]:
    return {name: File(content, mode) for name, content in config.data.items()} if config else {}


def _file(fields: Fields, config: Config | None, usual: int) -> tuple[str, File | None]:
    key, path, mode = fields.take("key", str), fields.take("path", str), fields.within("mode", 0, 0o777, usual)
    fields.done()
    if not path or path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise UsageError(f"{fields.at('path')}: {path} leads out of the volume.", "It is a path inside the volume.", f"write {key}")
    if config and key not in config.data:
        why = f"It has {', '.join(config.data) or 'none'}."
        raise UsageError(f"{fields.at('key')}: the {config.kind} {config.name} has no key {key}.", why, "name one of those, or add it")
    return path, File(config.data[key], mode) if config else None
