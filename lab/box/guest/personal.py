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
import time
from typing import Any

RNDADDENTROPY = 0x40085203
RNDRESEEDCRNG = 0x5207
"""linux/random.h"""


def become(who: dict[str, Any]) -> dict[str, Any]:
    """Take on an identity.

    Args:
        who: ``time`` (seconds since the epoch; absent where the kernel is shared), ``entropy`` (hex; likewise absent), ``hostname``,
            ``machine_id``, ``host_key`` (OpenSSH private key), ``authorized_key`` (one line).

    Returns:
        ``{"hostname": …}``

    Raises:
        KeyError: something is missing; nothing was changed.
        OSError: something could not be set.
    """
    hostname, machine_id, host_key, authorized_key = (who[part] for part in ("hostname", "machine_id", "host_key", "authorized_key"))
    if "time" in who:
        time.clock_settime(time.CLOCK_REALTIME, float(who["time"]))
    if "entropy" in who:
        reseed(bytes.fromhex(who["entropy"]))
    socket.sethostname(hostname)
    write("/etc/hostname", hostname + "\n", 0o644)
    write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost ip6-localhost\n", 0o644)
    write("/etc/machine-id", machine_id + "\n", 0o444)
    write("/etc/ssh/course_host_key", host_key, 0o600)
    write("/root/.ssh/authorized_keys", authorized_key + "\n", 0o600)
    return {"hostname": socket.gethostname()}


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
