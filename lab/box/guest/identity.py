"""Make a clone a machine of its own.

All clones of one template wake up equal: same clock, same random pool, same machine-id, same host name, same SSH host key.  The first
thing that happens to a clone, before anybody can use it, is that these are replaced by what the owner's computer sends.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import time
from typing import Any

IDENTITY = ("hostname", "machine_id", "host_key", "authorized_key")
RNDADDENTROPY = 0x40085203
RNDRESEEDCRNG = 0x5207
"""linux/random.h"""
HOSTS = "127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost ip6-localhost\n"
PEER = "# a machine on your segment"
"""Ends the lines of /etc/hosts that are not the learner's own."""
IP = "/usr/sbin/ip"
ROUTER = "169.254.1.1"
"""Which nobody is: see ``setup``."""
IDENTITY_MARKER = "/run/course/born"
"""What was changed after this file was, was changed on this machine: see ``instances/golden_image.py``."""


def is_identity(asked: dict[str, Any]) -> bool:
    """Whether that is all that ``apply_identity`` needs."""
    return all(part in asked for part in IDENTITY)


def apply_identity(who: dict[str, Any]) -> dict[str, Any]:
    """Take on an identity.

    Args:
        who: ``time`` (seconds since the epoch; absent where the kernel is shared), ``entropy`` (hex; likewise absent), ``hostname``,
            ``machine_id``, ``host_key`` (OpenSSH private key), ``authorized_key`` (one line), and what ``set_peers`` takes.

    Returns:
        ``{"hostname": …}``

    Raises:
        KeyError: something is missing; nothing was changed.
        OSError: something could not be set.
    """
    hostname, machine_id, host_key, authorized_key = (who[part] for part in IDENTITY)
    if "time" in who:
        set_clock(who)
    if "entropy" in who:
        reseed(bytes.fromhex(who["entropy"]))
    socket.sethostname(hostname)
    write("/etc/hostname", hostname + "\n", 0o644)
    write("/etc/hosts", hosts_file(HOSTS.format(hostname), who.get("peers", {}), hostname), 0o644)
    if "interface" in who:
        configure_interface(who["interface"])
    write("/etc/machine-id", machine_id + "\n", 0o444)
    write("/etc/ssh/course_host_key", host_key, 0o600)
    write("/root/.ssh/authorized_keys", authorized_key + "\n", 0o600)
    write(IDENTITY_MARKER, "", 0o644)
    return {"hostname": socket.gethostname()}


def set_clock(now: dict[str, Any]) -> dict[str, Any]:
    """Set the clock, which stood still with the machine.

    Args:
        now: ``time``, in seconds since the epoch.

    Returns:
        ``{"time": …}``

    Raises:
        ValueError: that is no time; nothing was changed.
    """
    time.clock_settime(time.CLOCK_REALTIME, float(now["time"]))
    return {"time": time.time()}


def set_peers(segment: dict[str, Any]) -> dict[str, Any]:
    """Configure the network interface that is on the segment, where that is asked for, and write everybody who is there into /etc/hosts.

    Args:
        segment: ``interface``: its ``mac`` and ``address`` (with the length of the network's part; empty where the engine outside saw to
            that), and ``peers``: addresses by name, of all machines that are there now, this one included.

    Returns:
        ``{"peers": …}``, how many there are.

    Raises:
        KeyError: no peers are named; nothing was changed.
    """
    peers = segment["peers"]
    if "interface" in segment:
        configure_interface(segment["interface"])
    write("/etc/hosts", hosts_file(pathlib.Path("/etc/hosts").read_text(), peers, socket.gethostname()), 0o644)
    return {"peers": len(peers)}


def configure_interface(interface: dict[str, str]) -> None:
    """Set the addresses of the interface that is on the segment.

    The default route stays the one that ``setup`` has made.

    Args:
        interface: ``mac`` and ``address``; empty where the engine outside has set them.
    """
    if interface:
        lines = f"link set dev eth0 address {interface['mac']} up\naddr replace {interface['address']} dev eth0\n"
        subprocess.run([IP, "-batch", "-"], input=lines.encode(), check=True)
    else:
        lines = f"route delete default\nroute replace default via {ROUTER} metric 1000\n"
        subprocess.run([IP, "-force", "-batch", "-"], input=lines.encode(), stderr=subprocess.DEVNULL, check=False)


def hosts_file(hosts: str, peers: dict[str, str], own: str) -> str:
    """The text of /etc/hosts with these peers in place of those before; the learner's own lines stay.

    Args:
        hosts: the text so far.
        peers: addresses by name.
        own: the name of the machine that the file is for: it answers to its address on the segment, where it has one.
    """
    lines = [line for line in hosts.splitlines() if not line.endswith(PEER)]
    if own in peers:
        lines = [line for line in lines if line.split() != ["127.0.1.1", own]]
    return "".join(f"{line}\n" for line in [*lines, *(f"{address} {name} {PEER}" for name, address in peers.items())])


def reseed(entropy: bytes) -> None:
    """Mix *entropy* into the kernel's random generator and make it reseed at once, so that no two clones draw the same numbers."""
    with pathlib.Path("/dev/urandom").open("wb", buffering=0) as device:
        fcntl.ioctl(device, RNDADDENTROPY, struct.pack("ii", len(entropy) * 8, len(entropy)) + entropy)
        fcntl.ioctl(device, RNDRESEEDCRNG)


def write(path: str, text: str, mode: int) -> None:
    """Replace a file as a whole; in a container /etc/hostname and /etc/hosts are mounts, which can only be written in place."""
    target = pathlib.Path(path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.path.ismount(path):
        target.write_text(text)
        return
    scratch = target.with_name(target.name + ".new")
    scratch.write_text(text)
    scratch.chmod(mode)
    scratch.rename(target)
