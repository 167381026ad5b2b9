"""The root file system of a box has what Debian's own package scripts make, though none of them is run."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from lab.box.build import recipe, steps
from lab.box.core.installation import Installation
from lab.box.core.progress import Quiet
from tests.support.course import state_directory

pytestmark = pytest.mark.full
WITHOUT = {
    "etc/alternatives/*": "links lead to the program itself",
    "etc/rc?.d/*": "init is BusyBox",
    "etc/systemd/*": "init is BusyBox",
    "etc/modules": "init is BusyBox",
    "etc/vconsole.conf": "there is no console",
    "etc/ssl/certs/*": "programs read the bundle",
    "etc/ca-certificates.conf": "programs read the bundle",
    "etc/ssh/ssh_host_*": "of the machine on which it was installed",
    "etc/machine-id": "of the machine on which it was installed",
    "etc/hosts": "of the machine on which it was installed",
    "etc/mtab": "of the machine on which it was installed",
    "etc/localtime": "it is UTC without",
    "etc/default/locale": "the locale comes with each command",
    "etc/*-": "a backup",
    "etc/.pwd.lock": "of tools that change accounts",
    "etc/security/opasswd": "of tools that change accounts",
    "etc/apparmor.d/local*": "the kernel has no AppArmor",
    "etc/hosts.*": "of a library that nothing here uses",
    "etc/networks": "names of networks, which nobody uses",
    "etc/dpkg/origins/default": "nothing is installed in a box",
    "etc/python3*": "nothing is installed in a box",
    "etc/opt": "empty",
    "usr/local/[eghlimo]*": "empty",
    "usr/local/s[hr]*": "empty",
    "root/.ssh": "made with the machine's identity",
}
"""What Debian has and a box has not, and why."""
OF_SYSTEMD = {"systemd-journal", "systemd-network"}
LATER = {"pinentry": "nobody types a secret key's password", "rmt": "nobody has a tape"}


@dataclass(frozen=True)
class Root:
    """A root file system: the names in it, and two files."""

    names: frozenset[str]
    passwd: str
    group: str

    def accounts(self) -> dict[str, tuple[str, str]]:
        """Home directory and shell by name."""
        return {name: (home, shell) for name, *_, home, shell in (line.split(":") for line in self.passwd.splitlines())}

    def groups(self) -> set[str]:
        return {line.split(":")[0] for line in self.group.splitlines()}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """The same packages, installed by dpkg."""
    if os.geteuid():
        pytest.skip("only root can have dpkg install packages somewhere")
    place = tmp_path_factory.mktemp("debian") / "root"
    command = ["mmdebstrap", "--mode=root", "--variant=custom", "--aptopt=APT::Install-Recommends false", "--include=?essential"]
    packages = ",".join(recipe.Recipe().packages)
    subprocess.run([*command, f"--include={packages}", recipe.USERLAND_SUITE, place], capture_output=True, check=True)
    names = frozenset(str(path.relative_to(place)) for path in place.rglob("*"))
    yield Root(names, (place / "etc/passwd").read_text(), (place / "etc/group").read_text())
    subprocess.run(["rm", "-rf", place], check=True)


@pytest.fixture(scope="module")
def ours() -> Root:
    artefacts = steps.build(Installation(state_directory("container")), Quiet())
    with tarfile.open(artefacts.root_tar) as tar:
        names = frozenset(name.removeprefix("./") for name in tar.getnames())
        passwd, group = (tar.extractfile(f"./etc/{name}") for name in ("passwd", "group"))
        assert passwd
        assert group
        return Root(names, passwd.read().decode(), group.read().decode())


def test_it_has_the_same_accounts(debian: Root, ours: Root) -> None:
    theirs = {name: rest for name, rest in debian.accounts().items() if name not in OF_SYSTEMD}
    assert {name: ours.accounts().get(name) for name in theirs} == theirs
    assert debian.groups() - OF_SYSTEMD <= ours.groups()


def test_it_has_the_same_alternatives(debian: Root, ours: Root) -> None:
    names = {Path(name).name for name in debian.names if fnmatch(name, "etc/alternatives/*") and not name.endswith((".gz", "README"))}
    missing = {name for name in names if not {f"usr/bin/{name}", f"usr/sbin/{name}"} & ours.names}
    assert missing == set(LATER)


def test_it_has_the_same_settings(debian: Root, ours: Root) -> None:
    places = ("etc/", "root/", "home/", "media", "mnt", "opt", "srv", "usr/local/")
    missing = {name for name in debian.names - ours.names if name.startswith(places)}
    assert {name for name in missing if not any(fnmatch(name, pattern) for pattern in WITHOUT)} == set()


def test_nothing_is_excused_without_need(debian: Root, ours: Root) -> None:
    missing = debian.names - ours.names
    assert [pattern for pattern in WITHOUT if not any(fnmatch(name, pattern) for name in missing)] == []
