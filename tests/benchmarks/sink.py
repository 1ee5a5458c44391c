"""An SMTP server that takes everything, counts it and forgets it: a process of its own, with little to do a mail."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import TYPE_CHECKING

from hotelagent.embedded import paths, ports
from tests.folders import FOLDER

if TYPE_CHECKING:
    Number = Synchronized[int]

END_OF_MAIL = b"\r\n.\r\n"


class Sink:
    def __init__(self, port: int, counter: Number, first: Path) -> None:
        self.port = port
        self._counter = counter
        self._first = first

    @property
    def mails(self) -> int:
        """How many it has taken."""
        return self._counter.value

    def kept(self) -> list[bytes]:
        """The first mails that it took, as they came."""
        return [mail + b"\r\n" for mail in self._first.read_bytes().split(END_OF_MAIL)[:-1]]


@contextmanager
def sink(*, keep: int) -> Iterator[Sink]:
    """`keep`: so many of the first mails stay to be read."""
    context = multiprocessing.get_context("spawn")
    port, counter = ports.find_free_port(), context.Value("L", 0)
    first = paths.private_folder(FOLDER) / f"sink-{port}"
    process = context.Process(target=_serve, args=(port, counter, first, keep), daemon=True)
    process.start()
    try:
        for _ in range(200):
            try:
                socket.create_connection((ports.LOOPBACK, port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield Sink(port, counter, first)
    finally:
        process.kill()
        process.join()
        first.unlink(missing_ok=True)


def _serve(port: int, counter: Number, first: Path, keep: int) -> None:
    asyncio.run(_listen(port, counter, first, keep))


async def _listen(port: int, counter: Number, first: Path, keep: int) -> None:
    with first.open("ab", buffering=0) as file:

        def took(mail: bytes) -> None:
            if counter.value < keep:
                file.write(mail + END_OF_MAIL)
            counter.value += 1

        server = await asyncio.get_running_loop().create_server(lambda: _Session(took), ports.LOOPBACK, port)
        await server.serve_forever()


class _Session(asyncio.Protocol):
    """RFC 5321 as far as a client that does nothing wrong looks at it."""

    transport: asyncio.Transport

    def __init__(self, took: Callable[[bytes], None]) -> None:
        self.took = took
        self.waiting = b""
        self.in_mail = False
        self.is_over = False
        self.answers: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """What was asked together is answered together, as servers do (RFC 2920, 3.2)."""
        self.waiting += data
        self._read()
        if self.answers:
            self.transport.write(b"".join(self.answers))
            self.answers.clear()
        if self.is_over:
            self.transport.close()

    def _read(self) -> None:
        while self.waiting:
            if self.in_mail:
                mail, end, rest = self.waiting.partition(END_OF_MAIL)
                if not end:
                    return
                self.in_mail, self.waiting = False, rest
                self.took(mail)
                self.answers.append(b"250 2.0.0 taken\r\n")
                continue
            line, end, rest = self.waiting.partition(b"\r\n")
            if not end:
                return
            self.waiting = rest
            self._obey(line[:4].upper())

    def _obey(self, verb: bytes) -> None:
        if verb == b"DATA":
            self.in_mail = True
            self.answers.append(b"354 go ahead\r\n")
        elif verb == b"QUIT":
            self.answers.append(b"221 bye\r\n")
            self.is_over = True
        elif verb == b"EHLO":
            self.answers.append(b"250-sink\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SIZE 10000000\r\n")
        else:
            self.answers.append(b"250 OK\r\n")
