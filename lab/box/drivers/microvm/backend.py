"""Whether virtual machines can run on this computer, and what they are made from: a template under KVM, else an emulated one."""

from __future__ import annotations

import os
from pathlib import Path

from lab.box.build.steps import Artefacts, build, pack_build
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.progress import Progress
from lab.box.core.record import Origin, Record
from lab.box.drivers.base import Finding, Unavailable
from lab.box.drivers.microvm import kvm, network, qemu, template
from lab.box.drivers.microvm.driver import FEATURES, MicrovmDriver
from lab.box.errors import BuildError

APT = "sudo apt-get install -y --no-install-recommends qemu-system-x86"
NEEDS_QEMU = "QEMU 7.2 or later, for the microvm backend"
NEWER_QEMU = "use Docker: course up --backend container; or a newer system, such as Debian 12 or Ubuntu 24.04"
JOIN_KVM = "sudo usermod -aG kvm $USER, and log in again"
NO_KVM = "nothing to type: without it boxes are emulated, about ten times slower"


class MicrovmBackend:
    """Runs machines in QEMU."""

    name = "microvm"
    features = FEATURES

    @property
    def cost_mb(self) -> int:
        """Of a machine that runs something small; its cache of translated code is smaller on a small computer."""
        return qemu.COST_MB - (qemu.CACHE_MB - qemu.cache_mb(beside=True))

    def unavailable(self, installation: Installation) -> Unavailable | None:  # noqa: ARG002  (others look there)
        """Why no virtual machine can run here; nothing where one can."""
        why = qemu.why_not(qemu.version())
        return Unavailable(f"{why}.") if why else None

    def native_speed(self, installation: Installation) -> bool:
        """Whether KVM truly works here."""
        return kvm.probe(installation).works

    def findings(self, installation: Installation) -> list[Finding]:
        """QEMU, and KVM, which makes it fast."""
        version = qemu.version()
        verdict = kvm.probe(installation, version)
        forbidden = kvm.DEVICE.exists() and not os.access(kvm.DEVICE, os.R_OK | os.W_OK)
        return [
            Finding(NEEDS_QEMU, not qemu.why_not(version), version or "not installed", NEWER_QEMU if version else APT),
            Finding("KVM, which makes it fast", verdict.works, verdict.why, JOIN_KVM if forbidden else NO_KVM, required=False),
        ]

    def prepare(self, installation: Installation, progress: Progress, *, origin: Origin | None = None, boot: bool = False) -> Origin:
        """Build what is missing, and save a template, unless the machine is to boot.

        Raises:
            CourseError: a step failed; says why and what to do.
        """
        artefacts = Artefacts.of(installation, origin.recipe) if origin else build(installation, progress)
        if boot:
            accelerator = origin.accelerator if origin else "kvm" if kvm.probe(installation).works else "tcg"
        elif origin and template.Template.of(installation, origin.recipe, origin.accelerator).state.exists():
            accelerator = origin.accelerator
        else:
            accelerator = template.prepare(installation, artefacts, progress).accelerator
        return Origin(artefacts.key, accelerator)

    def pack(self, installation: Installation, into: Path, progress: Progress) -> None:
        """Copy what a session needs of the build and the template, the memory compressed.

        Raises:
            CourseError: a step failed, for want of space, say.
        """
        origin = self.prepare(installation, progress)
        try:
            with progress.step("Packing it"):
                pack_build(Artefacts.of(installation, origin.recipe), into / "build")
                template.pack(template.Template.of(installation, origin.recipe, origin.accelerator), into / "templates")
        except OSError as error:
            raise BuildError(f"The build could not be copied into {into}.", f"{error.strerror}.", f"df -h {into.parent}") from None

    def driver(self, directory: InstanceDir, origin: Origin, *, boot: bool = False) -> MicrovmDriver:
        """The driver of one virtual machine."""
        return MicrovmDriver(directory, origin, boot=boot)

    def open_segment(self, installation: Installation, origin: Origin) -> str:  # noqa: ARG002  (others look there)
        """Start the segment's switch if it does not run; returns the start of its addresses, ``10.30.0``."""
        network.open_switch(installation)
        return network.PREFIX

    def is_local(self, origin: Origin) -> bool:  # noqa: ARG002
        """It is always this computer."""
        return True

    def remove_all(self, installation: Installation, record: Record | None) -> None:
        """Nothing: what a virtual machine is, is processes and files in the installation's own directories."""
