"""Who a container runs as, and what it may do: the ``securityContext`` of a pod and of its containers.

Where a manifest says nothing, Docker is stricter than a cluster in one thing: it filters system calls by its own list (seccomp), and a
cluster only does that for who asks for ``RuntimeDefault``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lab.box.errors import UsageError
from lab.objects.manifest.fields import Fields

PROFILES = ("RuntimeDefault", "Unconfined")


@dataclass(frozen=True)
class Security:
    """Who a container runs as, and what it may do.

    Args:
        user: its number; as the image says if there is none.
        group: its number, likewise.
        non_root: whether it is refused as root.
        read_only: whether it can write to nothing but its volumes.
        add: capabilities beside those that Docker gives.
        drop: capabilities that it does not get; ``ALL`` for all.
        no_new_privileges: whether a program that belongs to another user (setuid) runs without that user's rights.
        unconfined: whether no system call is filtered.
    """

    user: int | None = None
    group: int | None = None
    non_root: bool = False
    read_only: bool = False
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    unconfined: bool = False


@dataclass(frozen=True)
class PodSecurity:
    """What holds for all containers of a pod.

    Args:
        common: for each container that does not say otherwise.
        groups: that each process is in, too.
        volume_group: that owns the volumes, and that each process is in; nothing if there is none.
        sysctls: settings of the kernel for the pod's own network.
    """

    common: Security = Security()
    groups: tuple[int, ...] = ()
    volume_group: int | None = None
    sysctls: Mapping[str, str] = field(default_factory=dict)


def pod_security(fields: Fields) -> PodSecurity:
    """The ``securityContext`` of a pod.

    Raises:
        UsageError: it asks for what is not supported; names the field by its path, and by its line if there is one.
    """
    common = _who(fields, Security())
    groups = fields.numbers("supplementalGroups", 0, 2**31 - 1)
    volume_group = fields.within("fsGroup", 0, 2**31 - 1, None)
    sysctls = {}
    for it in fields.each("sysctls", "Sysctl"):
        name = it.take("name", str)
        if not name.startswith("net."):
            why = "What is below net. belongs to the pod's network; the others would be the machine's."
            raise UsageError(f"{it.at('name')}: {name} is not supported here.", why, "take it out")
        sysctls[name] = it.take("value", str)
        it.done()
    fields.done()
    return PodSecurity(common, groups, volume_group, sysctls)


def security(fields: Fields, pod: PodSecurity) -> Security:
    """The ``securityContext`` of a container.

    Args:
        fields: that part of the manifest.
        pod: what its pod says for all.

    Raises:
        UsageError: it asks for what is not supported; names the field by its path, and by its line if there is one.
    """
    if fields.peek("privileged") is True:
        why = "A privileged container has all rights over the machine that it is on: it could undo every other wall of it."
        hint = "name what it needs: capabilities: {add: [NET_ADMIN]}"
        raise UsageError(f"{fields.at('privileged')}: true is not supported here.", why, hint)
    capabilities = fields.inside("capabilities", "Capabilities")
    found = replace(
        _who(fields, pod.common),
        read_only=fields.take("readOnlyRootFilesystem", bool, False),
        add=capabilities.texts("add"),
        drop=capabilities.texts("drop"),
        no_new_privileges=not fields.take("allowPrivilegeEscalation", bool, True),
    )
    capabilities.done()
    fields.done()
    if found.group is not None and found.user is None:
        why = "A cluster can't start it: which user is to be in that group is not said."
        raise UsageError(f"{fields.at('runAsGroup')} stands without runAsUser.", why, "add runAsUser: 1000")
    if found.non_root and found.user == 0:
        why = "User 0 is root, and runAsNonRoot forbids it; a cluster would not start the container."
        raise UsageError(f"{fields.at('runAsUser')} is 0, and runAsNonRoot is true.", why, "choose another number, such as 1000")
    return found


def _who(fields: Fields, common: Security) -> Security:
    profile = fields.inside("seccompProfile", "SeccompProfile")
    unconfined = profile.one_of("type", PROFILES) == "Unconfined" if profile.has("type") else common.unconfined
    profile.done()
    return replace(
        common,
        user=fields.within("runAsUser", 0, 2**31 - 1, common.user),
        group=fields.within("runAsGroup", 0, 2**31 - 1, common.group),
        non_root=fields.take("runAsNonRoot", bool, common.non_root),
        unconfined=unconfined,
    )
