"""Which privileges a box gets on an engine.

The container is privileged where the engine allows that.  Some hosts lack a capability that ``--privileged`` asks for, and then the engine
refuses; there the box gets the capabilities that the engine's own process has, asked for one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.box.core.installation import Installation

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

FIND_CAPABILITIES = (
    "for p in /proc/[0-9]*; do [ \"$(cat $p/comm 2>/dev/null)\" = dockerd ] && sed -n 's/^CapEff:\\s*//p' $p/status && exit; done; exit 1"
)
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
)  # fmt: skip
"""By their numbers, as in linux/capability.h, without the three newest: older engines don't know them, and SYS_ADMIN covers them."""


def run_privileged(
    outer: docker.DockerClient, installation: Installation, run: Callable[..., Container], *, image: str, name: str, labels: dict[str, str]
) -> Container:
    """Run a container with all the privileges that the engine can give; which those are is found out once per engine.

    Args:
        outer: the engine.
        installation: remembers the privileges.
        run: runs it, given the privileges as keyword arguments of docker's ``containers.run``.
        image: of the container; one of the same image is used to look at the engine's own privileges.
        name: of the container.
        labels: of the container.

    Raises:
        docker.errors.APIError: the engine refused it for another reason.
    """
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    known = _PrivilegeCache(installation, outer.info()["ID"])
    if privileges := known.privileges():
        return run(**privileges)
    try:
        container = run(privileged=True)
        known.keep({"privileged": True})
    except docker.errors.APIError as error:
        if "caps" not in str(error) and "capabilit" not in str(error):
            raise
        outer.containers.get(name).remove(force=True)
        container = run(**known.keep(_privileges_of_the_engine(outer, image, labels)))
    return container


class _PrivilegeCache:
    """The privileges that were found out for an engine.

    Args:
        installation: keeps them.
        engine_id: the engine's own.
    """

    def __init__(self, installation: Installation, engine_id: str) -> None:
        self._path, self._engine_id = installation.root / "privileges.json", engine_id

    def privileges(self) -> dict[str, Any]:
        """What was kept; empty where nothing was."""
        try:
            kept = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return dict(kept["privileges"]) if kept.get("engine") == self._engine_id else {}

    def keep(self, privileges: dict[str, Any]) -> dict[str, Any]:
        """Keep them, and hand them back."""
        self._path.write_text(json.dumps({"engine": self._engine_id, "privileges": privileges}))
        return privileges


def _privileges_of_the_engine(outer: docker.DockerClient, image: str, labels: dict[str, str]) -> dict[str, Any]:
    """What the engine's own process may do, asked for one by one: for hosts where ``--privileged`` is refused."""
    looker = outer.containers.run(
        image, ["-c", FIND_CAPABILITIES], entrypoint="/bin/sh", pid_mode="host", network_mode="none", labels=labels, detach=True
    )
    try:
        looker.wait()
        mask = int(looker.logs(stderr=False), 16)
    finally:
        looker.remove(force=True, v=True)
    return {
        "cap_add": [name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "device_cgroup_rules": ["a *:* rwm"],
    }
