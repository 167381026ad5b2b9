"""Who a machine is: its host name and keys, new for each machine, and the installation's own SSH key that opens them all.

All clones of one template wake up equal, so this is made on the owner's computer, and handed to the machine's agent before anybody can use
the machine (see ``guest/identity.py``).
"""

from __future__ import annotations

import secrets
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab.box.core.installation import Installation, lock
from lab.box.errors import CourseError

SSH_PROXY = Path(__file__).with_name("ssh_proxy.py")
SSH_CONFIG = """\
Host box
    User root
    IdentityFile "{key}"
    IdentitiesOnly yes
    UserKnownHostsFile {directory}/known_hosts
    GlobalKnownHostsFile /dev/null
    HostKeyAlias box
    StrictHostKeyChecking yes
    KexAlgorithms curve25519-sha256
    ProxyCommand {proxy}
    ProxyUseFdpass yes
    LogLevel ERROR
"""


def new_identity(installation: Installation, directory: Path, hostname: str, *, own_kernel: bool) -> dict[str, Any]:
    """Make a new identity for a machine, and write the SSH settings that go with it.

    Args:
        installation: has the installation's own key.
        directory: gets ``ssh_config`` and ``known_hosts``.
        hostname: of the machine.
        own_kernel: it has a clock and a random generator of its own to set.

    Returns:
        What ``guest/identity.py`` takes.
    """
    key = _installation_key(installation)
    host_key, public = _new_key(directory / "host_key")
    (directory / "known_hosts").write_text(f"box {public}\n")
    proxy = shlex.join([sys.executable, "-I", "-S", str(SSH_PROXY), str(directory / "ssh.sock")]).replace("%", "%%")
    (directory / "ssh_config").write_text(SSH_CONFIG.format(key=str(key).replace("%", "%%"), directory=directory, proxy=proxy))
    who = {
        "hostname": hostname,
        "machine_id": secrets.token_hex(16),
        "host_key": host_key,
        "authorized_key": key.with_suffix(".pub").read_text().strip(),
    }
    return {**who, "time": time.time(), "entropy": secrets.token_hex(64)} if own_kernel else who


def _installation_key(installation: Installation) -> Path:
    key = installation.root / "ssh" / "id_ed25519"
    with lock(key.parent, "key"):
        if not key.exists():
            _generate(key)
    return key


def _new_key(path: Path) -> tuple[str, str]:
    """A fresh key pair: the private key's text, and the public key.  Neither stays on disk."""
    for old in (path, path.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    _generate(path)
    private, public = path.read_text(), path.with_suffix(".pub").read_text().strip()
    path.unlink()
    path.with_suffix(".pub").unlink()
    return private, public


def _generate(path: Path) -> None:
    try:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "course", "-f", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CourseError("No SSH key could be made.", str(error), "course doctor") from None
