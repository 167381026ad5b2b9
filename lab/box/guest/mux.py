"""Many connections over one byte stream.

A box is reached through a single channel that only its owner can open: a virtio-serial port of the virtual machine, or the standard
input and output of a ``docker exec``.  Docker, SSH and Jupyter want many connections, so both ends run this multiplexer.  It is the same
idea as SSH's own channels, HTTP/2's streams or yamux: numbered streams, half-close, and credit, so that one slow reader never holds up
the others.

A frame is a header (stream number, kind, payload length) and a payload.  The side that dialled the channel says hello first, and again
after every reconnection; a hello ends all streams of the connection before it, and both sides drop what they had half read.  The other
side asks for a hello when it starts, because it may have been started anew while the channel stayed open.  Both marks are looked for
wherever they stand, so a payload that holds one is cut in two.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

HEADER = struct.Struct("!IBI")
OPEN, DATA, EOF, RESET, CREDIT = range(5)
WINDOW = 1 << 18
"""Bytes that one stream may have under way, unread by the other side."""
CHUNK = 1 << 15
HELLO, WELCOME = (hashlib.sha256(b"kubernetes by analogy: " + word).digest()[:16] for word in (b"hello", b"welcome"))
"""Mark the start of a connection, and ask for one."""
NONCE_BYTES = 8
"""As many random bytes follow a hello and are echoed by its answer, so that the answer to an earlier one is not taken for it: a virtual
machine that was slow answers, through its next connection, what was said on one that was given up."""
LONGEST_MARK = len(HELLO) + NONCE_BYTES

Accept = Callable[["Stream", str], Awaitable[None]]


class Stream:
    """One connection among many: an ordered, two-way stream of bytes with half-close."""

    def __init__(self, mux: Mux, number: int) -> None:
        self._mux, self._number = mux, number
        self._arrived: asyncio.Queue[bytes | ConnectionResetError] = asyncio.Queue()
        self._credit = WINDOW
        self._may_send = asyncio.Event()
        self._ended: ConnectionResetError | None = None
        self._halves_open = 2

    async def read(self) -> bytes:
        """The next bytes; empty at the end of the stream.

        Raises:
            ConnectionResetError: the other side, or the channel, broke it off.
        """
        item = await self._arrived.get()
        if not item or isinstance(item, ConnectionResetError):
            self._arrived.put_nowait(item)
        if isinstance(item, ConnectionResetError):
            raise item
        if item and self._mux.has(self._number, self):
            self._mux.frame(self._number, CREDIT, struct.pack("!I", len(item)))
        return item

    async def write(self, data: bytes) -> None:
        """Send *data*, waiting while the other side has a full window unread.

        Raises:
            ConnectionResetError: the other side, or the channel, broke it off.
        """
        view = memoryview(data)
        while view:
            while not self._credit and not self._ended:
                self._may_send.clear()
                await self._may_send.wait()
            if self._ended:
                raise self._ended
            size = sendable_length(view[: min(self._credit, CHUNK)])
            self._credit -= size
            self._mux.frame(self._number, DATA, view[:size])
            view = view[size:]

    def write_eof(self) -> None:
        """Say that no more will be sent; reading goes on."""
        if not self._ended:
            self._mux.frame(self._number, EOF)
            self._half_closed()

    def reset(self, reason: str = "closed") -> None:
        """Break the stream off, unless both halves have ended already."""
        if not self._ended and self._halves_open:
            self._mux.frame(self._number, RESET, reason.encode()[:CHUNK])
            self.abort(reason)

    def abort(self, reason: str) -> None:
        """Note that the stream is gone."""
        self._ended = ConnectionResetError(reason)
        self._arrived.put_nowait(self._ended)
        self._may_send.set()
        self._mux.forget(self._number)

    def arrived(self, kind: int, payload: bytes) -> None:
        """Take one frame from the other side."""
        if kind == DATA:
            self._arrived.put_nowait(payload)
        elif kind == EOF:
            self._arrived.put_nowait(b"")
            self._half_closed()
        elif kind == CREDIT:
            self._credit += struct.unpack("!I", payload)[0]
            self._may_send.set()
        elif kind == RESET:
            self.abort(payload.decode(errors="replace"))

    def _half_closed(self) -> None:
        self._halves_open -= 1
        if not self._halves_open:
            self._mux.forget(self._number)


class Mux:
    """One end of the channel.

    Args:
        send: writes bytes to the channel, without waiting.
        accept: serves a stream that the other end opened, given its target.
        dialled: this end says hello first.
    """

    def __init__(self, send: Callable[[bytes], None], accept: Accept | None = None, *, dialled: bool) -> None:
        self._send, self._accept, self._dialled = send, accept, dialled
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._buffer = bytearray()
        self._unread = 0
        self._last = 0
        self.greeted = asyncio.Event()
        self._said = b""
        if dialled:
            self._hello()
        else:
            send(WELCOME)

    def open(self, target: str) -> Stream:
        """Ask the other end to connect a new stream to *target*; a refusal arrives as a reset."""
        self._last += 1
        stream = self._streams[self._last] = Stream(self, self._last)
        self.frame(self._last, OPEN, target.encode())
        return stream

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived on the channel, cut anywhere."""
        self._buffer += data
        if self._dialled and self._skip_past(WELCOME) is not None:
            self.greeted.clear()
            self.lost("the box's agent was started anew")
            self._hello()
        if not (self._dialled and self.greeted.is_set()):
            self._hear_hello()
        if self.greeted.is_set():
            self._read_frames()
        done = max(0, self._unread - LONGEST_MARK)  # what is kept may be the beginning of a mark
        del self._buffer[:done]
        self._unread -= done

    def _read_frames(self) -> None:
        while len(self._buffer) >= (start := self._unread + HEADER.size):
            number, kind, size = HEADER.unpack_from(self._buffer, self._unread)
            if len(self._buffer) < start + size:
                break
            self._unread = start + size
            self._arrived(number, kind, bytes(self._buffer[start : start + size]))

    def _hello(self) -> None:
        self._said = os.urandom(NONCE_BYTES)
        self._send(HELLO + self._said)

    def _hear_hello(self) -> None:
        nonce = self._skip_past(HELLO, NONCE_BYTES)
        if nonce is None:
            return
        if not self._dialled:
            self.lost("the channel was opened anew")
            self._send(HELLO + nonce)
        if not self._dialled or nonce == self._said:
            self.greeted.set()

    def _skip_past(self, mark: bytes, more: int = 0) -> bytes | None:
        """Drop everything up to the last *mark* and as many bytes *more*, which are returned; or nothing, where it has not come whole."""
        found = self._buffer.rfind(mark)
        end = found + len(mark) + more
        if found < 0 or len(self._buffer) < end:
            return None
        following = bytes(self._buffer[end - more : end])
        del self._buffer[:end]
        self._unread = 0
        return following

    def _arrived(self, number: int, kind: int, payload: bytes) -> None:
        if kind == OPEN and self._accept:
            stream = self._streams[number] = Stream(self, number)
            task = asyncio.ensure_future(self._serve(self._accept, stream, payload.decode(errors="replace")))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif stream_or_none := self._streams.get(number):
            stream_or_none.arrived(kind, payload)

    async def _serve(self, accept: Accept, stream: Stream, target: str) -> None:
        try:
            await accept(stream, target)
        except Exception as error:  # noqa: BLE001  (whatever it was, the other side must not wait for ever)
            stream.reset(str(error))

    def frame(self, number: int, kind: int, payload: bytes | memoryview = b"") -> None:
        """Send one frame."""
        self._send(HEADER.pack(number, kind, len(payload)) + payload)

    def has(self, number: int, stream: Stream) -> bool:
        """Is it the stream of this number, and not one of an earlier connection?"""
        return self._streams.get(number) is stream

    def forget(self, number: int) -> None:
        """Drop a stream that has ended on both sides."""
        self._streams.pop(number, None)

    def lost(self, reason: str) -> None:
        """The channel broke: end every stream."""
        for stream in list(self._streams.values()):
            stream.abort(reason)


def sendable_length(payload: memoryview) -> int:
    """How many bytes of *payload* can be sent at once, so that none of the channel's own marks crosses it in one piece."""
    text = bytes(payload)
    return min([len(text), *(found + 1 for mark in (HELLO, WELCOME) if (found := text.find(mark)) >= 0)])


class Link:
    """Non-blocking reads and writes on a pair of file descriptors: a socket, a pipe, or a virtio-serial port.

    Args:
        read_fd: read from here.
        write_fd: write there; may be the same.
        on_data: called with what arrived; with nothing when the other side has gone.
    """

    def __init__(self, read_fd: int, write_fd: int, on_data: Callable[[bytes], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._read_fd, self._write_fd, self._on_data = read_fd, write_fd, on_data
        self._unsent = bytearray()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        self.resume()

    def resume(self) -> None:
        """Read again, after the other side had gone."""
        self._loop.add_reader(self._read_fd, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._read_fd, 1 << 17)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._read_fd)
            self._loop.remove_writer(self._write_fd)
            self._unsent.clear()
        self._on_data(data)

    def write(self, data: bytes) -> None:
        """Send *data* as the channel takes it."""
        if not self._unsent:
            with suppress(BlockingIOError, BrokenPipeError, ConnectionError):
                data = data[os.write(self._write_fd, data) :]
            if data:
                self._loop.add_writer(self._write_fd, self._writable)
        self._unsent += data

    def _writable(self) -> None:
        try:
            del self._unsent[: os.write(self._write_fd, self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()
        if not self._unsent:
            self._loop.remove_writer(self._write_fd)


REFUSED = f"[Errno {errno.ECONNREFUSED}]"


async def pipe_both_ways(stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, if_refused: bytes = b"") -> None:
    """Pass bytes both ways between a stream and a socket until both directions have ended or either broke.

    Args:
        stream: one side.
        reader: of the other side.
        writer: likewise.
        if_refused: what the socket is told where nobody listens at the stream's other end.
    """

    async def outward() -> None:
        while data := await reader.read(CHUNK):
            await stream.write(data)
        stream.write_eof()

    async def inward() -> None:
        while data := await stream.read():
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    pumps = [asyncio.ensure_future(outward()), asyncio.ensure_future(inward())]
    try:
        await asyncio.gather(*pumps)
    except OSError as error:
        if if_refused and REFUSED in str(error):
            writer.write(if_refused)
        stream.reset(str(error))
    finally:
        for pump in pumps:
            pump.cancel()
        stream.reset()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
