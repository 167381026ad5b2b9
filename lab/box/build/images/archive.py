"""Images as plain data, and the one file that ``docker load`` and ``podman load`` read.

An image is a list of layers and a configuration.  A layer is a tar file named by its own hash, so images that begin alike share layers, in
the archive as later on the engine's disk.  Times, owners and order are fixed: the same content is the same bytes, and so the same image
ids, wherever and whenever it is built.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

CREATED, CREATED_S = "2025-08-09T00:00:00Z", 1_754_697_600
"""The day that trixie was released stands for every time."""


@dataclass(frozen=True)
class Entry:
    """A file, a directory or a symbolic link; all belong to root."""

    kind: Literal["file", "directory", "link"]
    mode: int
    data: bytes = b""
    target: str = ""


Tree = Mapping[str, Entry]
"""Entries by their path, without a leading slash."""


def directory(mode: int = 0o755) -> Entry:
    """A directory."""
    return Entry("directory", mode)


def link(target: str) -> Entry:
    """A symbolic link to *target*."""
    return Entry("link", 0o777, target=target)


def file(data: bytes | str, mode: int = 0o644) -> Entry:
    """A regular file."""
    return Entry("file", mode, data.encode() if isinstance(data, str) else data)


@dataclass(frozen=True)
class Layer:
    """What one step adds.

    Args:
        title: what ``docker history`` says that the step did.
        tree: what is added; missing parent directories are made.
    """

    title: str
    tree: Tree

    @cached_property
    def tar(self) -> bytes:
        """The layer as it is stored."""
        parents = {str(parent): directory() for path in self.tree for parent in PurePosixPath(path).parents if parent.name}
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, entry in sorted({**parents, **self.tree}.items()):
                tar.addfile(_member(path, entry), io.BytesIO(entry.data))
        return stream.getvalue()

    @cached_property
    def diff_id(self) -> str:
        """The hash that names the layer."""
        return hashlib.sha256(self.tar).hexdigest()


@dataclass(frozen=True)
class Image:
    """Layers, and how a container is started from them.

    Args:
        name: such as ``app:v1``.
        layers: the lowest first.
        command: arguments of the container's first process.
        env: its environment, without ``PATH``.
        port: the TCP port that it is documented to listen on; 0 is none.
        stop_signal: what asks it to finish.
        labels: free text by name.
    """

    name: str
    layers: Sequence[Layer]
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    stop_signal: str = "SIGTERM"
    labels: Mapping[str, str] = field(default_factory=dict)

    def config(self) -> bytes:
        """The image's configuration in the format that Docker and the OCI share; its hash is the image's id."""
        settings: dict[str, object] = {
            "Cmd": list(self.command),
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", *(f"{name}={text}" for name, text in self.env.items())],
            "Labels": dict(self.labels),
            "StopSignal": self.stop_signal,
            "WorkingDir": "/",
        }
        if self.port:
            settings["ExposedPorts"] = {f"{self.port}/tcp": {}}
        history: list[dict[str, object]] = [{"created": CREATED, "created_by": layer.title} for layer in self.layers]
        history.append({"created": CREATED, "created_by": f"CMD {json.dumps(list(self.command))}", "empty_layer": True})
        return _json({
            "architecture": "amd64",
            "os": "linux",
            "created": CREATED,
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in self.layers]},
            "history": history,
        })  # fmt: skip


def write_archive(images: Sequence[Image], out: Path) -> None:
    """Write *images* to one file that ``docker load`` reads.

    Args:
        images: layers that several of them have are written once.
        out: replaced when it exists.
    """
    files: dict[str, bytes] = {}
    manifest = []
    for image in images:
        config = image.config()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        files[name] = config
        files.update({f"{layer.diff_id}.tar": layer.tar for layer in image.layers})
        manifest.append({"Config": name, "RepoTags": [image.name], "Layers": [f"{layer.diff_id}.tar" for layer in image.layers]})
    files["manifest.json"] = _json(manifest)
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(files.items()):
            tar.addfile(_member(name, file(data)), io.BytesIO(data))


def _member(path: str, entry: Entry) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type = {"file": tarfile.REGTYPE, "directory": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}[entry.kind]
    member.mode, member.size, member.linkname, member.mtime = entry.mode, len(entry.data), entry.target, CREATED_S
    member.uname = member.gname = "root"
    return member


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
