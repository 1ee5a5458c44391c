"""A minimal SMTP server for benchmarks. It runs in a separate process, and accepts and counts all messages."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hotelagent.embedded import paths, ports
from tests.folders import FOLDER

if TYPE_CHECKING:
    Counter = Synchronized[int]

END_OF_MESSAGE = b"\r\n.\r\n"


class Options(NamedTuple):
    """Options of the SMTP server: how many messages it keeps, the delay of replies in seconds, and pipelining."""

    keep: int
    delay: float
    pipelining: bool


class Sink:
    """A handle for the SMTP server, which runs in another process.

    The handle provides the port of the server, the number of accepted messages, and the messages that the server kept.
    """

    def __init__(self, port: int, counter: Counter, kept: Path) -> None:
        self.port = port
        self._counter = counter
        self._kept = kept

    @property
    def accepted(self) -> int:
        """Return how many messages the server has accepted."""
        return self._counter.value

    def kept(self) -> list[bytes]:
        """Return the raw messages that the server has kept, in the order of their arrival."""
        return [message + b"\r\n" for message in self._kept.read_bytes().split(END_OF_MESSAGE)[:-1]]


@contextmanager
def sink(*, keep: int = 0, delay: float = 0, pipelining: bool = True) -> Iterator[Sink]:
    """Run an SMTP server and yield its handle.

    The server keeps the first `keep` messages and waits `delay` seconds before each reply.
    """
    context = multiprocessing.get_context("spawn")
    port, counter = ports.find_free_port(), context.Value("L", 0)
    kept = paths.private_folder(FOLDER) / f"sink-{port}"
    options = Options(keep, delay, pipelining)
    process = context.Process(target=_serve, args=(port, counter, kept, options), daemon=True)
    process.start()
    try:
        for _ in range(200):
            try:
                socket.create_connection((ports.LOOPBACK, port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield Sink(port, counter, kept)
    finally:
        process.kill()
        process.join()
        kept.unlink(missing_ok=True)


def _serve(port: int, counter: Counter, kept: Path, options: Options) -> None:
    asyncio.run(_listen(port, counter, kept, options))


async def _listen(port: int, counter: Counter, kept: Path, options: Options) -> None:
    with kept.open("ab", buffering=0) as file:

        def accept(message: bytes) -> None:
            if counter.value < options.keep:
                file.write(message + END_OF_MESSAGE)
            counter.value += 1

        server = await asyncio.get_running_loop().create_server(
            lambda: _Session(accept, options), ports.LOOPBACK, port
        )
        await server.serve_forever()


class _Session(asyncio.Protocol):
    """An SMTP session that implements only the parts of RFC 5321 that a correct client needs."""

    transport: asyncio.Transport

    def __init__(self, accept: Callable[[bytes], None], options: Options) -> None:
        self.accept = accept
        self.options = options
        self.buffer = b""
        self.in_message = False
        self.has_quit = False
        self.replies: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Process the commands that arrived together, and send all replies in one write, as required by RFC 2920."""
        self.buffer += data
        self._process_buffer()
        if self.replies:
            replies = b"".join(self.replies)
            self.replies.clear()
            if self.options.delay:
                asyncio.get_running_loop().call_later(self.options.delay, self.transport.write, replies)
            else:
                self.transport.write(replies)
        if self.has_quit:
            self.transport.close()

    def _process_buffer(self) -> None:
        while self.buffer:
            if self.in_message:
                message, end, rest = self.buffer.partition(END_OF_MESSAGE)
                if not end:
                    return
                self.in_message, self.buffer = False, rest
                self.accept(message)
                self.replies.append(b"250 2.0.0 accepted\r\n")
                continue
            line, end, rest = self.buffer.partition(b"\r\n")
            if not end:
                return
            self.buffer = rest
            self._execute(line[:4].upper())

    def _execute(self, command: bytes) -> None:
        if command == b"DATA":
            self.in_message = True
            self.replies.append(b"354 go ahead\r\n")
        elif command == b"QUIT":
            self.replies.append(b"221 bye\r\n")
            self.has_quit = True
        elif command == b"EHLO":
            pipelining = b"250-PIPELINING\r\n" if self.options.pipelining else b""
            self.replies.append(b"250-sink\r\n250-8BITMIME\r\n" + pipelining + b"250 SIZE 10000000\r\n")
        else:
            self.replies.append(b"250 OK\r\n")
