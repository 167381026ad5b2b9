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
from lab.box.core.inside import NBGRADER

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo

ENDED = 1
"""The exit code of a kernel that has ended: its own is not known out here."""
POLL_INTERVAL_S = 0.1
PASSED_ON = (NBGRADER,)
"""The variables of the front end that a kernel in the box gets: they tell whether nbgrader runs the notebook."""


class BoxProvisioner(KernelProvisionerBase):
    """Starts one kernel in the current box, watches it, and ends it."""

    kernel: BoxKernel | None = None
    _connection: dict[str, Any] | None = None

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
        environment = {name: kwargs["env"][name] for name in PASSED_ON if name in kwargs.get("env", {})}
        starting = asyncio.create_task(asyncio.to_thread(self._start, environment))
        try:
            self.kernel = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.to_thread((await starting).kill)
            raise
        self._connection = self.kernel.connection  # a restart keeps it, because a front end that is connected does
        self.connection_info = cast("KernelConnectionInfo", {**self._connection, "key": self._connection["key"].encode()})
        return self.connection_info

    def _start(self, environment: dict[str, str]) -> BoxKernel:
        return lifecycle.current().start_kernel(connection=self._connection, environment=environment)

    async def poll(self) -> int | None:
        """Nothing while the kernel runs, else an exit code."""
        return None if self.kernel and self.kernel.alive else ENDED

    async def wait(self) -> int | None:
        """Return when the kernel has ended."""
        while await self.poll() is None:  # noqa: ASYNC110  (its socket tells only whoever asks)
            await asyncio.sleep(POLL_INTERVAL_S)
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
