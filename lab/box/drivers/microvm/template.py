"""A machine that is ready before anybody asks for it.

A template is made once per recipe and accelerator: boot, start the engine, load the course's images, hand Podman those that its pods are
made of, start and remove a container, import what a learner's kernel needs.  Then the machine stops, and its memory (a file) and the state
of its devices (another) are kept.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.box.build import host_tools, rootfs
from lab.box.build.steps import Artefacts
from lab.box.channel.access import Access, start_relay
from lab.box.channel.identity import new_identity
from lab.box.core import prebuilt, processes
from lab.box.core.installation import Installation, lock
from lab.box.core.progress import Progress
from lab.box.drivers.microvm import kvm
from lab.box.drivers.microvm.qemu import VirtualMachine, hardware_key
from lab.box.errors import BuildError, CourseError
from lab.box.machine.command import Request, collect
from lab.box.wait import wait_for

COMMAND_S = 120
PACKED_MEMORY, UNPACKED_MB = "memory.zst", "unpacked-mb"
MB = 1 << 20
SPARE_MB = 100
"""What is left to others, JupyterLab for one, on a disk where a machine is unpacked."""
PACK = ("-q", "-9", "--long=27")
BOOT_TIMEOUT_S = {"kvm": 60, "tcg": 300}
WARM_IMAGE = "app:v1"
LOAD_IMAGES = f"docker load --quiet --input /{rootfs.IMAGES}"
"""From the machine's own disk: through the channel, an emulated machine takes twice as long."""
COPY_IMAGES_TO_PODMAN = f"set -o pipefail; docker save {WARM_IMAGE} base | podman load --quiet"
"""Podman has a store of its own, and an emulated machine takes half a minute to fill it: see ``objects.podman.hand_over``."""


@dataclass(frozen=True)
class Template:
    """A saved machine; both files are read-only once made."""

    memory: Path
    state: Path
    accelerator: str

    @property
    def name(self) -> str:
        """Of recipe, hardware, the steps that made it, and accelerator: machines from templates of one name are alike."""
        return self.memory.parent.name

    @classmethod
    def of(cls, installation: Installation, recipe: str, accelerator: str) -> Template:
        """The template of this recipe and of the machine that the course makes now, whether it is there or not."""
        steps = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:6]
        home = installation.templates / f"{recipe}-{hardware_key()}-{steps}-{accelerator}"
        return cls(home / "memory", home / "state", accelerator)


def _template(installation: Installation, artefacts: Artefacts, accelerator: str, progress: Progress) -> Template:
    """The template for this recipe and accelerator, made when it is missing.

    Raises:
        WaitTimeout: the machine did not get ready.
        CourseError: it could not be warmed or saved.
    """
    made = Template.of(installation, artefacts.key, accelerator)
    out = made.state.parent
    with lock(installation.templates, "template"):
        if not out.exists():
            for outdated in installation.templates.glob("*-*"):
                shutil.rmtree(outdated)
            scratch = out.with_name("partial")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            if packed := prebuilt.find("templates", out.name):
                _unpack(packed, scratch, progress)
            else:
                _make(installation, artefacts, accelerator, scratch, progress)
            scratch.rename(out)
    return made


def prepare(installation: Installation, artefacts: Artefacts, progress: Progress) -> Template:
    """Return the template under KVM if that works here, else the emulated one; make it if it is missing.

    If it does not get ready under KVM, KVM counts as broken until QEMU's version, the host's boot or the access rights change.

    Raises:
        WaitTimeout: the emulated machine was not ready in time.
        CourseError: it could not be made or saved.
    """
    if kvm.probe(installation).works:
        try:
            return _template(installation, artefacts, "kvm", progress)
        except BuildError:
            raise  # of this computer's, not of KVM's making
        except CourseError as error:
            kvm.mark_broken(installation, f"the course's machine did not get ready under it: {error.what}")
    return _template(installation, artefacts, "tcg", progress)


def pack(template: Template, into: Path) -> None:
    """Copy a template into a directory, its memory compressed, for ``prebuilt.VARIABLE``.

    Raises:
        OSError: it could not be written.
        BuildError: it could not be compressed.
    """
    there = into / template.name
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    shutil.copy(template.state, there)
    host_tools.run("zstd", *PACK, template.memory, "-o", there / PACKED_MEMORY)
    (there / UNPACKED_MB).write_text(f"{template.memory.stat().st_blocks * 512 // MB}\n")  # pages that nobody has used take no room


def _unpack(packed: Path, out: Path, progress: Progress) -> None:
    """Unpack a template.

    Raises:
        CourseError: there is no room for it.
    """
    need, free = int((packed / UNPACKED_MB).read_text()) + SPARE_MB, shutil.disk_usage(out).free // MB
    if free < need:
        why = f"It takes {need} MB in {out}, where {free} MB are free."
        raise CourseError("There is no room to unpack your box.", why, f"du -sh {Path.home()}/*, to see what takes it; then course up")
    with progress.step("Unpacking a machine that was built before"):
        (out / "state").symlink_to(packed / "state")
        host_tools.run("zstd", "-d", "-q", "--long=27", "--sparse", packed / PACKED_MEMORY, "-o", out / "memory")


def _make(installation: Installation, artefacts: Artefacts, accelerator: str, out: Path, progress: Progress) -> None:
    directory = installation.socket_directory("template")
    processes.end_all(f"{directory}/")  # of somebody who was killed while making one
    vm = VirtualMachine(artefacts, out / "memory", directory, out / "log", accelerator, writes_memory=True)
    qemu, relay = vm.start(out / "log"), start_relay(directory, {"unix": str(vm.agent)}, out / "log")
    try:

        def wait(what: str, probe: Callable[[], None]) -> None:
            wait_for(what, probe, timeout_s=BOOT_TIMEOUT_S[accelerator], every_s=0.2, log=out / "log", alive=lambda: qemu.alive)

        _warm(installation, Access(directory), wait, progress)
        with progress.step("Saving the warm machine"), (out / "state").open("wb") as file:
            vm.save(file, stopped=True)
    except OSError as error:  # docker's errors are some
        raise BuildError("The machine that boxes are cloned from could not be made.", f"{error}.", "course build, once more") from None
    finally:
        relay.kill()
        qemu.kill()
        shutil.rmtree(directory)


def _warm(installation: Installation, access: Access, wait: Callable[[str, Callable[[], None]], None], progress: Progress) -> None:
    with progress.step("Booting a machine and starting its Docker Engine"):
        wait("the machine's Docker Engine", access.ping)
        access.control(new_identity(installation, access.directory, "box", own_kernel=True))
    with progress.step("Loading the course's images into it"):
        wait("the course's images", lambda: _succeeds(access, LOAD_IMAGES))
        wait("Podman's images", lambda: _succeeds(access, COPY_IMAGES_TO_PODMAN))
    with progress.step("Warming it up: a container, a shell, a kernel"):
        access.docker.containers.run(WARM_IMAGE, ["true"], entrypoint="", remove=True)
        wait("the kernel's zygote", lambda: _succeeds(access, "test -S /run/course/kernels.sock"))
        access.docker.close()


def _succeeds(access: Access, command: str) -> None:
    code, said, _, _ = collect(access.dial("command"), Request(command, COMMAND_S, merged=True))
    if code:
        raise ConnectionError(said.decode(errors="replace").strip() or f"{command}: exit code {code}")
