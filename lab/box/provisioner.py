"""Jupyter's way to a kernel inside the box: a kernel provisioner, so that JupyterLab, nbclient and nbgrader can start one by its name.

The kernel specification ``box`` (``lab/jupyter/kernels/box``) names this provisioner.  It starts the kernel in the current box, and hands
Jupyter the unix sockets that lead to it.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from lab.box import lifecycle
from lab.box.channel.kernel import BoxKernel

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo

ENDED = 1
"""The exit code of a kernel that has ended: its own is not known out here."""
LOOK_S = 0.1


class BoxProvisioner(KernelProvisionerBase):
    """Starts one kernel in the current box, watches it, and ends it."""

    kernel: BoxKernel | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and not yet cleaned up."""
        return self.kernel is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """What ``launch_kernel`` is called with; there is no command, because a warm kernel is forked."""
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:  # noqa: ARG002  (Jupyter's own signature)
        """Start the kernel; how to connect to it.

        Raises:
            BoxNotRunning: there is no box.
            CourseError: the kernel did not start.
        """
        self.kernel = await asyncio.to_thread(lambda: lifecycle.current().start_kernel())
        return cast("KernelConnectionInfo", self.kernel.connection)

    async def poll(self) -> int | None:
        """Nothing while the kernel runs, else an exit code."""
        return None if self.kernel and self.kernel.alive else ENDED

    async def wait(self) -> int | None:
        """Return when the kernel has ended."""
        while await self.poll() is None:  # noqa: ASYNC110  (its socket tells only whoever asks)
            await asyncio.sleep(LOOK_S)
        return ENDED

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel and to what it started."""
        if self.kernel and self.kernel.alive:
            await asyncio.to_thread(self.kernel.signal, signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002
        """End the kernel at once."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002
        """Ask the kernel to end."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: ARG002
        """Give up the sockets that lead to the kernel."""
        if self.kernel:
            self.kernel.close()
            self.kernel = None
