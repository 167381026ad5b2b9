"""What a box is made of: one recipe for both backends.

Everything that decides the content of a box is named here, or is a file under ``guest/`` or ``images/``, or is ``rootfs.py``;
``Recipe.key`` is the hash of it all, so an unchanged recipe is never built twice.  Userland from Debian trixie (Docker 26, Podman 5, crun),
kernel from bookworm (6.1, cloud flavour), because QEMU 7.2's emulation double-faults on trixie's 6.12.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent
GUEST = HERE.parent / "guest"
IMAGES = HERE / "images"
WHEELS = GUEST / "requirements.txt"

USERLAND_SUITE, KERNEL_SUITE = "trixie", "bookworm"
KERNEL_PACKAGE = "linux-image-cloud-amd64"
PYTHON = "3.13"

ENGINES = ("docker.io", "docker-cli", "docker-compose", "containerd", "podman", "crun", "runc")
BASE = ("busybox-static", "openssh-server", "openssh-client", "kmod", "procps", "psmisc", "python3", "ca-certificates")
NETWORK = (
    "iproute2", "iptables", "ipvsadm", "ipset", "conntrack", "nftables", "iputils-ping", "bind9-dnsutils", "dnsmasq-base", "aardvark-dns",
    "socat", "netcat-openbsd", "curl", "tcpdump", "bridge-utils", "net-tools", "autossh",
)  # fmt: skip
CONVENIENCE = ("less", "nano", "jq", "strace", "lsof", "inotify-tools", "bash-completion", "netbase")
FOR_IMAGES = ("catatonit", "haproxy")

BOOT_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_net", "virtio-rng", "erofs", "overlay")
"""What the kernel needs before it has a root file system, or can't ask for later."""

SERVICE_MODULES = (
    "bridge", "br_netfilter", "veth", "dummy", "ip_tables", "iptable_nat", "iptable_filter", "iptable_mangle", "xt_conntrack",
    "xt_MASQUERADE", "xt_addrtype", "xt_comment", "xt_statistic", "xt_mark", "xt_recent", "xt_nat", "xt_tcpudp", "xt_multiport", "nf_nat",
    "nf_conntrack", "nf_conntrack_netlink", "ip_vs", "ip_vs_rr", "xt_ipvs", "ip_set", "vxlan", "xt_u32", "xt_REDIRECT",
)  # fmt: skip
"""Loaded while the template boots, so that no clone waits for them."""

MEMORY_MB = 1024
CPU_MODEL = "Nehalem"
"""A fixed model that emulation and every x86-64 host since 2008 has: a template can move to another computer."""


@dataclass(frozen=True)
class Recipe:
    """The inputs of a build."""

    packages: tuple[str, ...] = ENGINES + BASE + NETWORK + CONVENIENCE + FOR_IMAGES

    @cached_property
    def packages_key(self) -> str:
        """The hash of what decides which Debian packages are fetched: suite and names; 12 hex digits."""
        return _digest(USERLAND_SUITE, *self.packages)

    @cached_property
    def kernel_key(self) -> str:
        """The hash of what decides which kernel is fetched: suite and package; 12 hex digits."""
        return _digest(KERNEL_SUITE, KERNEL_PACKAGE)

    @cached_property
    def wheels_key(self) -> str:
        """The hash of what decides which Python packages a learner's kernel has; 12 hex digits."""
        return _digest(PYTHON, WHEELS.read_text())

    @cached_property
    def images_key(self) -> str:
        """The hash of what decides what the course's images hold; 12 hex digits."""
        return _digest(self.packages_key, *_files(IMAGES))

    @cached_property
    def key(self) -> str:
        """Decides a box as a whole, 12 hex digits."""
        return _digest(
            self.packages_key, self.kernel_key, self.wheels_key, self.images_key, *_files(GUEST), (HERE / "rootfs.py").read_text(),
            *BOOT_MODULES, *SERVICE_MODULES, str(MEMORY_MB), CPU_MODEL,
        )  # fmt: skip


def _files(directory: Path) -> list[str]:
    """Names and contents of the files below *directory*, in order."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [part for path in paths for part in (str(path.relative_to(directory)), path.read_bytes().hex())]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
