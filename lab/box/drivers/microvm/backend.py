"""Whether virtual machines can run on this computer, and what they are made from: a template under KVM, else an emulated one."""

from __future__ import annotations

import os

from lab.box.build.steps import Artefacts, build
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.progress import Progress
from lab.box.core.record import Origin, Record
from lab.box.drivers.base import Finding, Lack
from lab.box.drivers.microvm import kvm, network, qemu, template
from lab.box.drivers.microvm.driver import FEATURES, MicrovmDriver

APT = "sudo apt-get install -y --no-install-recommends qemu-system-x86"
NEEDS_QEMU = "QEMU 7.2 or later, for the microvm backend"
NEWER_QEMU = "use Docker: course up --backend container; or a newer system, such as Debian 12 or Ubuntu 24.04"
JOIN_KVM = "sudo usermod -aG kvm $USER, and log in again"
NO_KVM = "nothing to type: without it boxes are emulated, about ten times slower"


class MicrovmBackend:
    """Runs machines in QEMU."""

    name = "microvm"
    features = FEATURES
    cost_mb = 600

    def lack(self, installation: Installation) -> Lack | None:  # noqa: ARG002  (others look there)
        """Why no virtual machine can run here; nothing where one can."""
        why = qemu.why_not(qemu.version())
        return Lack(f"{why}.") if why else None

    def fast(self, installation: Installation) -> bool:
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

    def prepare(self, installation: Installation, progress: Progress, *, like: Origin | None = None, boot: bool = False) -> Origin:
        """Build what is missing, and save a template, unless the machine is to boot.

        Raises:
            CourseError: a step failed; says why and what to do.
        """
        artefacts = Artefacts.of(installation, like.recipe) if like else build(installation, progress)
        if boot:
            accelerator = like.accelerator if like else "kvm" if kvm.probe(installation).works else "tcg"
        elif like and template.Template.of(installation, like.recipe, like.accelerator).state.exists():
            accelerator = like.accelerator
        else:
            accelerator = template.prepare(installation, artefacts, progress).accelerator
        return Origin(artefacts.key, accelerator)

    def driver(self, directory: InstanceDir, origin: Origin, *, boot: bool = False) -> MicrovmDriver:
        """The driver of one virtual machine."""
        return MicrovmDriver(directory, origin, boot=boot)

    def open_segment(self, installation: Installation, origin: Origin) -> str:  # noqa: ARG002  (others look there)
        """Have a switch that runs."""
        network.open_switch(installation)
        return network.PREFIX

    def same_computer(self, origin: Origin) -> bool:  # noqa: ARG002
        """It is always this computer."""
        return True

    def remove_all(self, installation: Installation, record: Record | None) -> None:
        """Nothing: what a virtual machine is, is processes and files in the installation's own directories."""
