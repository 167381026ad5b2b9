"""A machine beside the box, as code *inside* the box reaches it: over the segment, by SSH, with a key that only this box has.

Whoever makes the machines admits the box to them: the box makes itself a key, each machine takes it from a caller at the box's address,
and its SSH daemon begins to listen on the segment.  Nothing there takes a password.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from lab.box.errors import BoxNotRunning
from lab.box.machine import API_TIMEOUT_S, Machine
from lab.box.place import BOX

if TYPE_CHECKING:
    import docker

    from lab.box.instance import Instance

HOME = Path("/run/course/peers")
CONNECT_S = 60
CONFIG = f"""\
Host *
    User root
    IdentityFile {HOME}/key
    IdentitiesOnly yes
    UserKnownHostsFile {HOME}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    KexAlgorithms curve25519-sha256
    ConnectTimeout {CONNECT_S}
    ControlMaster auto
    ControlPath {HOME}/%n.ctl
    ControlPersist yes
    StreamLocalBindUnlink yes
    LogLevel ERROR
"""
ON_BOX = f"""
umask 077
mkdir -p {HOME} && cd {HOME}
[ -e key ] || ssh-keygen -q -t ed25519 -N "" -C box -f key
cat > ssh_config
cat key.pub
grep -m1 ' {BOX} #' /etc/hosts
"""
ON_MACHINE = """
read -r key
grep -qF "$key" /root/.ssh/authorized_keys || echo "from=\\"$box\\" $key" >> /root/.ssh/authorized_keys
[ -e /run/sshd.pid ] || /usr/sbin/sshd -f /etc/course/sshd_config -o ListenAddress=$address
"""
INTRODUCE = f"cd {HOME} && cat >> known_hosts"


class Peer(Machine):
    """One machine.

    Args:
        name: as the segment knows it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the machine's engine."""
        from lab.box.client import client  # noqa: PLC0415

        return client(self.docker_host, API_TIMEOUT_S)

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``: a socket on this box that leads there.

        Raises:
            BoxNotRunning: the machine can't be reached.
        """
        path = HOME / f"{self.name}.sock"
        if not path.exists():
            self.sh("true", check=True)
            forward = [*self._command("")[:-2], "-O", "forward", "-L", f"{path}:/run/docker.sock", self.name]
            done = subprocess.run(forward, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BoxNotRunning(f"The machine {self.name} can't be reached.", done.stderr.strip(), f"ping {self.name}, on the box")
        return f"unix://{path}"

    def _command(self, command: str) -> list[str]:
        return ["ssh", "-F", f"{HOME}/ssh_config", self.name, command]

    def url(self, port: int) -> str:
        """A web address that reaches a port of the machine from this box."""
        return f"http://{self.name}:{port}"

    def __repr__(self) -> str:
        return f"<machine {self.name}, from inside the box>"


def admit(box: Machine, machines: Sequence[Instance]) -> None:
    """Let code inside the box reach machines of its segment.

    Raises:
        CourseError: one of them did not do as it was told.
    """
    key, seat = box.sh(ON_BOX, stdin=CONFIG.encode(), check=True).stdout.splitlines()
    address = seat.split()[0]

    def open_to_box(machine: Instance) -> str:
        machine.sh(f"box={address} address={machine.address}\n{ON_MACHINE}", stdin=f"{key}\n".encode(), check=True)
        return f"{machine.name} {machine.host_key}\n"

    with ThreadPoolExecutor(len(machines)) as pool:
        known = "".join(pool.map(open_to_box, machines))
    box.sh(INTRODUCE, stdin=known.encode(), check=True)
