"""Letting code inside the box reach the machines beside it by SSH: what a graded notebook, which runs in the box, needs.

The box makes itself a key; each machine accepts it from the box's address, and its SSH daemon begins to listen on the segment.  Nothing
there takes a password.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.box.core.inside import BOX
from lab.box.instances.instance import Instance
from lab.box.machine import Machine
from lab.box.machine.peer import CONFIG, HOME

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
ADD_KNOWN_HOSTS = f"cd {HOME} && cat >> known_hosts"


def authorize(box: Machine, machines: Sequence[Instance]) -> None:
    """Let code inside the box reach machines of its segment as root.

    Raises:
        CourseError: a command on one of them failed.
    """
    key, line = box.sh(ON_BOX, stdin=CONFIG.encode(), check=True).stdout.splitlines()
    address = line.split()[0]

    def authorize_on(machine: Instance) -> str:
        machine.sh(f"box={address} address={machine.address}\n{ON_MACHINE}", stdin=f"{key}\n".encode(), check=True)
        return f"{machine.name} {machine.host_key}\n"

    with ThreadPoolExecutor(len(machines)) as pool:
        known = "".join(pool.map(authorize_on, machines))
    box.sh(ADD_KNOWN_HOSTS, stdin=known.encode(), check=True)
