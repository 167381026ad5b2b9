"""An Ethernet switch for virtual machines, in one small process: ``python -m lab.box.drivers.microvm.switch SOCKET``.

QEMU sends each frame that leaves a machine as one datagram to the switch's unix socket, and takes what arrives at a socket of its own.
The switch learns which address is behind which socket from what it has seen, and sends everything else to all.  A datagram needs no
connection: a switch that was killed and started anew is found by the machines, and machines that have gone are forgotten at the next frame
for them.

All the sockets are in a directory that only the owner can enter, so nobody else can join, listen or send.
"""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

LARGEST = 1 << 17
SEND_TIMEOUT_US = 50_000
"""How long a frame may wait for a machine that takes none; then it is lost, as on a real network."""
HEADER = 14
"""The length of an Ethernet header in bytes: destination, source and type."""


class Switch:
    """Forwards Ethernet frames between the machines' sockets.

    Args:
        path: of its socket.
    """

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        self._ports: dict[str, socket.socket] = {}
        self._mac_table: dict[bytes, str] = {}

    def run(self) -> None:
        """Pass frames on, for ever."""
        while True:
            frame, sender = self._socket.recvfrom(LARGEST)
            if sender and len(frame) >= HEADER:
                self.forward(frame, sender)

    def forward(self, frame: bytes, sender: str) -> None:
        """Send a frame to where its receiver was seen, else to all but its sender."""
        if sender not in self._ports and not self._plug_in(sender):
            return
        self._mac_table[frame[6:12]] = sender
        known = self._mac_table.get(frame[:6], "")
        for path in [known] if known in self._ports else list(self._ports):
            if path != sender:
                self._send(frame, path)

    def _plug_in(self, path: str) -> bool:
        port = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, SEND_TIMEOUT_US))
        try:
            port.connect(path)
        except OSError:
            port.close()
            return False
        self._ports[path] = port
        return True

    def _send(self, frame: bytes, path: str) -> None:
        try:
            self._ports[path].send(frame)
        except BlockingIOError:
            pass
        except OSError:
            self._ports.pop(path).close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        Switch(Path(sys.argv[1])).run()
