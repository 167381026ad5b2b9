"""Many connections over one channel: what goes in comes out, nobody waits for anybody else, and a broken channel is found out."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.box.guest import mux
from lab.box.guest.mux import (
    CHUNK,
    CREDIT,
    DATA,
    EOF,
    HEADER,
    HELLO,
    LONGEST_MARK,
    NONCE_BYTES,
    OPEN,
    RESET,
    WELCOME,
    WINDOW,
    Link,
    Mux,
    Stream,
    pipe_both_ways,
)
from tests.support.loop import run, until

MEGABYTE = 1_000_000
SOURCE = Path(mux.__file__).read_bytes()


async def serve(stream: Stream, target: str) -> None:
    """What the box of these tests has to offer."""
    if target == "echo":
        while data := await stream.read():
            await stream.write(data)
        stream.write_eof()
    elif target == "count":
        await say(stream, str(len(await everything(stream))).encode())
    elif target == "greet":
        await say(stream, b"good day")
    elif target == "idle":
        await asyncio.Event().wait()
    else:
        raise ConnectionRefusedError(f"nothing answers at {target}")


async def everything(stream: Stream) -> bytes:
    """All that comes, up to the end."""
    found = bytearray()
    while data := await stream.read():
        found += data
    return bytes(found)


async def say(stream: Stream, data: bytes) -> None:
    """Send *data*, and the end."""
    await stream.write(data)
    stream.write_eof()


@asynccontextmanager
async def channel(accept: mux.Accept = serve) -> AsyncIterator[tuple[Mux, Mux, socket.socket]]:
    """Both ends of a real channel, ours and the box's, greeted; and the box's socket."""
    ours, boxs = socket.socketpair()
    loop = asyncio.get_running_loop()

    def end(connection: socket.socket, *, dialled: bool) -> Mux:
        def arrived(data: bytes) -> None:
            if data:
                made.feed(data)
            else:
                made.lost("the other end has gone")

        link = Link(connection.fileno(), connection.fileno(), arrived)
        made = Mux(link.write, None if dialled else accept, dialled=dialled)
        return made

    with ours, boxs:
        box, owner = end(boxs, dialled=False), end(ours, dialled=True)
        await owner.greeted.wait()
        yield owner, box, boxs
        for connection in (ours, boxs):
            if connection.fileno() >= 0:
                loop.remove_reader(connection.fileno())
                loop.remove_writer(connection.fileno())


def frame(number: int, kind: int, payload: bytes = b"") -> bytes:
    return HEADER.pack(number, kind, len(payload)) + payload


def hello(nonce: int) -> bytes:
    return HELLO + nonce.to_bytes(NONCE_BYTES)


def frames(sent: bytes) -> list[tuple[int, int, bytes]]:
    """Whole frames, read as the other side would."""
    found = []
    while sent:
        number, kind, size = HEADER.unpack_from(sent)
        found.append((number, kind, sent[HEADER.size : HEADER.size + size]))
        sent = sent[HEADER.size + size :]
    return found


def numbered(owner: Mux, number: int) -> Mux:
    """The owner's end, as if it had said its last hello with this nonce."""
    owner._said = number.to_bytes(NONCE_BYTES)
    return owner


class Wire(bytearray):
    """What a Mux sent."""

    def take(self) -> bytes:
        taken = bytes(self)
        self.clear()
        return taken


def cuts(data: bytes) -> Iterable[list[bytes]]:
    """*data* in two pieces, cut everywhere, and in single bytes."""
    yield [data[at : at + 1] for at in range(len(data))]
    for at in range(len(data) + 1):
        yield [data[:at], data[at:]]


async def settle() -> None:
    """Let tasks that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_is_sent_comes_back() -> None:
    async def main() -> None:
        async with channel() as (owner, _, _):
            stream = owner.open("echo")
            for text in (b"one", b"two"):
                await stream.write(text)
                assert await stream.read() == text
            stream.write_eof()
            assert await everything(stream) == b""

    run(main())


def test_five_megabytes_go_both_ways_at_once() -> None:
    data = os.urandom(5 * MEGABYTE)

    async def main() -> None:
        async with channel() as (owner, _, _):
            stream = owner.open("echo")
            received, _ = await asyncio.gather(everything(stream), say(stream, data))
            assert received == data

    run(main())


def test_many_streams_do_not_mix() -> None:
    async def main() -> None:
        async with channel() as (owner, _, _):
            texts = [bytes([number]) * (number * 1000) for number in range(100)]
            streams = [owner.open("echo") for _ in texts]
            received = await asyncio.gather(*map(everything, streams), *(say(*pair) for pair in zip(streams, texts, strict=True)))
            assert received[:100] == texts

    run(main())


def test_the_answer_comes_after_our_end() -> None:
    async def main() -> None:
        async with channel() as (owner, _, _):
            stream = owner.open("count")
            await say(stream, b"x" * 3000)
            assert await everything(stream) == b"3000"

    run(main())


def test_we_may_go_on_after_their_end() -> None:
    heard: list[bytes] = []

    async def ends_first(stream: Stream, _: str) -> None:
        stream.write_eof()
        heard.append(await everything(stream))

    async def main() -> None:
        async with channel(ends_first) as (owner, _, _):
            stream = owner.open("")
            assert await everything(stream) == b""
            await say(stream, b"still here")
            await until(lambda: heard)
            assert heard == [b"still here"]

    run(main())


def test_the_end_stays_the_end() -> None:
    async def main() -> None:
        async with channel() as (owner, _, _):
            stream = owner.open("greet")
            assert await everything(stream) == b"good day"
            assert await asyncio.wait_for(stream.read(), 0.2) == b""

    run(main())


def test_who_does_not_read_holds_up_nobody_else_and_a_window_at_most() -> None:
    async def main() -> None:
        async with channel() as (owner, box, _):
            stuck, free = owner.open("idle"), owner.open("echo")
            writing = asyncio.ensure_future(stuck.write(b"x" * MEGABYTE))
            received, _ = await asyncio.gather(everything(free), say(free, b"y" * MEGABYTE))
            assert received == b"y" * MEGABYTE
            assert not writing.done()
            unread = box._streams[1]._arrived._queue  # type: ignore[attr-defined]
            assert sum(map(len, unread)) == WINDOW
            writing.cancel()

    run(main())


def test_who_reads_late_gets_everything() -> None:
    may_read = asyncio.Event()
    heard: list[bytes] = []

    async def late(stream: Stream, _: str) -> None:
        await may_read.wait()
        heard.append(await everything(stream))

    async def main() -> None:
        async with channel(late) as (owner, _, _):
            data = os.urandom(3 * WINDOW + 17)
            writing = asyncio.ensure_future(say(owner.open(""), data))
            await asyncio.sleep(0.05)
            assert not writing.done()
            may_read.set()
            await writing
            await until(lambda: heard)
            assert heard == [data]

    run(main())


def test_a_refusal_says_why() -> None:
    async def main() -> None:
        async with channel() as (owner, box, _):
            stream = owner.open("moon")
            with pytest.raises(ConnectionResetError, match="nothing answers at moon"):
                await stream.read()
            with pytest.raises(ConnectionResetError, match="moon"):
                await stream.write(b"hello?")
            assert (owner._streams, box._streams) == ({}, {})

    run(main())


@pytest.mark.parametrize("error", [OverflowError("port must be 0-65535."), TypeError("not that kind"), struct.error("short")])
def test_whatever_a_target_dies_of_ends_its_stream(error: Exception) -> None:
    async def dies(_stream: Stream, _target: str) -> None:
        raise error

    async def main() -> None:
        async with channel(dies) as (owner, _, _), asyncio.timeout(0.2):
            with pytest.raises(ConnectionResetError):
                await owner.open("").read()

    run(main())


def test_a_lost_channel_ends_every_stream() -> None:
    async def main() -> None:
        async with channel() as (owner, box, boxs):
            reading = [asyncio.ensure_future(owner.open("idle").read()) for _ in range(3)]
            writing = asyncio.ensure_future(owner.open("idle").write(b"x" * MEGABYTE))
            await until(lambda: len(box._streams) == 4)
            boxs.shutdown(socket.SHUT_RDWR)
            for task in (*reading, writing):
                with pytest.raises(ConnectionResetError, match="the other end has gone"):
                    await task
            assert owner._streams == {}
            await until(lambda: not box._streams)

    run(main())


@pytest.mark.parametrize("way", ["ended", "refused", "broken off by us", "broken off unread"])
def test_thousands_of_streams_leave_nothing(way: str) -> None:
    async def one(owner: Mux) -> None:
        if way == "ended":
            stream = owner.open("echo")
            await say(stream, b"x")
            assert await everything(stream) == b"x"
        elif way == "refused":
            with pytest.raises(ConnectionResetError):
                await owner.open("moon").read()
        elif way == "broken off by us":
            stream = owner.open("echo")
            await stream.write(b"x")
            assert await stream.read() == b"x"
            stream.reset()
        else:
            owner.open("greet").reset("changed my mind")

    async def main() -> None:
        async with channel() as (owner, box, _):
            for _ in range(20):
                await asyncio.gather(*(one(owner) for _ in range(100)))
            await until(lambda: not (owner._streams or box._streams or box._tasks))
            assert len(asyncio.all_tasks()) == 1

    run(main())


def test_a_file_that_describes_the_protocol_is_a_payload_like_any_other() -> None:
    async def main() -> None:
        async with channel() as (owner, _, _):
            stream, bystander = owner.open("echo"), owner.open("echo")
            received, _ = await asyncio.gather(everything(stream), say(stream, SOURCE * 20))
            assert received == SOURCE * 20
            await bystander.write(b"still here")
            assert await bystander.read() == b"still here"

    run(main())


@pytest.mark.parametrize("mark", [HELLO, WELCOME])
def test_a_channel_inside_the_channel(mark: bytes) -> None:
    async def main() -> None:
        async with channel() as (owner, _, _):
            stream = owner.open("echo")
            data = b"before" + mark + bytes(NONCE_BYTES) + b"after"
            received, _ = await asyncio.gather(everything(stream), say(stream, data))
            assert received == data

    run(main(), seconds=1)


SESSION = hello(1) + frame(1, OPEN, b"echo") + frame(1, DATA, b"some text") + frame(2, OPEN, b"moon") + frame(1, EOF)
ANSWER = hello(1) + frame(1, CREDIT, struct.pack("!I", 9)) + frame(1, DATA, b"some text") + frame(1, EOF)


def test_the_box_takes_bytes_cut_anywhere() -> None:
    async def main() -> None:
        for pieces in cuts(SESSION):
            sent = Wire()
            box = Mux(sent.extend, serve, dialled=False)
            for piece in pieces:
                box.feed(piece)
                await settle()
            answer = sent.take().removeprefix(WELCOME).removeprefix(hello(1))
            assert sorted(frames(answer)) == [
                (1, DATA, b"some text"), (1, EOF, b""), (1, CREDIT, struct.pack("!I", 9)), (2, RESET, b"nothing answers at moon"),
            ]  # fmt: skip
            assert box._streams == {}

    run(main())


def test_the_owner_takes_bytes_cut_anywhere() -> None:
    async def main() -> None:
        for pieces in cuts(ANSWER):
            owner = numbered(Mux(Wire().extend, dialled=True), 1)
            stream = owner.open("echo")
            await say(stream, b"some text")
            for piece in pieces:
                owner.feed(piece)
            assert await everything(stream) == b"some text"
            assert owner._streams == {}

    run(main())


HALF_SENT = [
    pytest.param(frame(7, DATA, b"x" * 1000)[:500], id="half a frame"),
    pytest.param(frame(7, DATA, b"x" * 1000)[:4], id="half a header"),
    pytest.param(b"\xff" * 40, id="noise"),
    pytest.param(HELLO[:7], id="half a hello"),
    pytest.param(
        frame(7, DATA, b"x" * 1000)[:-8], id="a frame that wants a little more",
    ),
]  # fmt: skip


@pytest.mark.parametrize("garbage", HALF_SENT)
def test_a_new_owner_is_heard_whatever_the_last_one_left(garbage: bytes) -> None:
    async def main() -> None:
        for pieces in cuts(hello(1) + frame(1, OPEN, b"greet")):
            sent = Wire()
            box = Mux(sent.extend, serve, dialled=False)
            box.feed(hello(1) + frame(1, OPEN, b"echo") + garbage)
            await settle()
            before = box._streams[1]
            sent.take()
            for piece in pieces:
                box.feed(piece)
                await settle()
            with pytest.raises(ConnectionResetError, match="opened anew"):
                await asyncio.wait_for(before.read(), 1)
            assert sent.startswith(hello(1))
            assert frames(sent.take().removeprefix(hello(1))) == [(1, DATA, b"good day"), (1, EOF, b"")]

    run(main())


@pytest.mark.parametrize("garbage", HALF_SENT)
def test_a_new_agent_is_heard_whatever_the_last_one_left(garbage: bytes) -> None:
    async def main() -> None:
        for pieces in cuts(WELCOME):
            sent = Wire()
            owner = numbered(Mux(sent.extend, dialled=True), 1)
            owner.feed(hello(1))
            before = owner.open("idle")
            owner.feed(garbage)
            sent.take()
            for piece in pieces:
                owner.feed(piece)
            with pytest.raises(ConnectionResetError, match="started anew"):
                await asyncio.wait_for(before.read(), 1)
            again = sent.take()
            assert again.startswith(HELLO)
            assert not owner.greeted.is_set()
            owner.feed(hello(1))  # late
            assert not owner.greeted.is_set()
            owner.feed(again)
            stream = owner.open("greet")
            owner.feed(frame(2, DATA, b"good day"))
            assert await stream.read() == b"good day"

    run(main())


def test_answers_to_an_earlier_hello_are_passed_over() -> None:
    async def main() -> None:
        for pieces in cuts(hello(1) + frame(1, DATA, b"for the one before") + hello(2)):
            sent = Wire()
            owner = Mux(sent.extend, dialled=True)
            owner.feed(WELCOME)
            said = sent.take()
            assert said.count(HELLO) == 2
            assert said[:LONGEST_MARK] != said[LONGEST_MARK:]
            numbered(owner, 2)
            stream = owner.open("greet")
            for number, piece in enumerate(pieces):
                assert not owner.greeted.is_set() or not any(pieces[number:])
                owner.feed(piece)
            assert owner.greeted.is_set()
            owner.feed(frame(1, DATA, b"for us"))
            assert await stream.read() == b"for us"

    run(main())


@pytest.mark.parametrize("ended", [b"", frame(1, EOF)], ids=["open", "ended"])
def test_what_is_read_after_a_reconnection_is_no_credit_for_the_new_owners_streams(ended: bytes) -> None:
    may_read = asyncio.Event()

    async def late(stream: Stream, _: str) -> None:
        stream.write_eof()
        await may_read.wait()
        await everything(stream)

    async def main() -> None:
        sent = Wire()
        box = Mux(sent.extend, late, dialled=False)
        box.feed(hello(1) + frame(1, OPEN) + frame(1, DATA, b"x" * CHUNK) + ended)
        await settle()
        box.feed(hello(1))
        sent.take()
        may_read.set()
        await until(lambda: not box._tasks)
        assert frames(sent.take()) == []

    run(main())


def echo_server(path: Path, connected: list[asyncio.StreamWriter]) -> Awaitable[asyncio.Server]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.close()

    return asyncio.start_unix_server(echo, path)


def test_a_stream_spliced_with_a_socket_carries_both_ways_and_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    connected: list[asyncio.StreamWriter] = []

    async def connect(stream: Stream, target: str) -> None:
        await pipe_both_ways(stream, *await asyncio.open_unix_connection(target))

    async def main() -> None:
        data = os.urandom(3 * MEGABYTE)
        server = await echo_server(Path("socket"), connected)
        async with server, channel(connect) as (owner, box, _):
            stream = owner.open("socket")
            received, _ = await asyncio.gather(everything(stream), say(stream, data))
            assert received == data
            await until(lambda: not (box._streams or box._tasks))

    run(main())


def test_a_stream_that_is_broken_off_closes_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    connected: list[asyncio.StreamWriter] = []

    async def connect(stream: Stream, target: str) -> None:
        await pipe_both_ways(stream, *await asyncio.open_unix_connection(target))

    async def main() -> None:
        server = await echo_server(Path("socket"), connected)
        async with server, channel(connect) as (owner, box, _):
            stream = owner.open("socket")
            await stream.write(b"hello")
            assert await stream.read() == b"hello"
            stream.reset("enough")
            await until(connected[0].is_closing)
            await until(lambda: not (box._streams or box._tasks))

    run(main())


def test_a_channel_that_has_gone_takes_no_more_and_no_harm() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        heard: list[bytes] = []
        with ours, theirs:
            link = Link(ours.fileno(), ours.fileno(), heard.append)
            link.write(b"x" * 4 * MEGABYTE)
            theirs.close()
            await until(lambda: b"" in heard)
            link.write(b"after the end")
            await asyncio.sleep(0.02)
            assert not link._unsent
            loop.remove_reader(ours.fileno())

    run(main())
