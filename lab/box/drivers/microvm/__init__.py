"""The ``microvm`` backend: QEMU as an ordinary user, with KVM where that truly works, else emulated."""
