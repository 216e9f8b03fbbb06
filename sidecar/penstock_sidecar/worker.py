"""A worker of a gate that has several: what it is given when it starts, and its line to the supervisor.

It hears what its siblings ask, tells once a second how it is, and ends at once when the supervisor is gone: what is on
record is in its spool, and nobody would start it again. What doesn't belong: what siblings ask (`proxy/siblings.py`),
starting workers (`supervisor.py`).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import Metric

from penstock_sidecar.proxy.siblings import Message, Siblings, line

# Set by the supervisor alone.
VARIABLE = "PENSTOCK_WORKER"
_STATUS_SECONDS = 1.0
_LONGEST_LINE = 4 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Which worker it is, of how many, and the sockets that all of them accept at, listener by listener."""

    number: int
    count: int
    descriptors: tuple[tuple[int, ...], ...]

    @classmethod
    def given(cls) -> Place | None:
        """This process's; None where it is a whole gate, or its supervisor."""
        given = os.environ.pop(VARIABLE, "")
        if not given:
            return None
        number, count, *listeners = given.split()
        return cls(int(number), int(count), tuple(tuple(map(int, one.split(","))) for one in listeners))

    def variable(self) -> str:
        """The same for the environment."""
        listeners = (",".join(map(str, one)) for one in self.descriptors)
        return " ".join((str(self.number), str(self.count), *listeners))

    def sockets(self) -> list[list[socket.socket]]:
        """Of each listener."""
        return [[socket.socket(fileno=descriptor) for descriptor in one] for one in self.descriptors]


def spool_of(path: Path, number: int) -> Path:
    """Where that worker's spool is: the first one's where that of a gate with one process is."""
    return path if number == 1 else path.with_name(f"{path.name}-{number}")


def spools_beyond(path: Path, count: int) -> list[Path]:
    """The spools of workers that a gate with so many has not."""
    found = [(one, one.name.removeprefix(f"{path.name}-")) for one in path.parent.glob(f"{path.name}-*")]
    return sorted(one for one, number in found if number.isdecimal() and int(number) > count)


class Attached:
    """The line to the supervisor, and over it to the siblings."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._out: asyncio.WriteTransport | None = None
        self._in = asyncio.StreamReader(limit=_LONGEST_LINE)
        self.siblings = Siblings(self._send)
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Be one of the siblings, who tell of all that they are in the middle of, before anything is decided here."""
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._in), sys.stdin.buffer)
        self._out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout.buffer)
        self._send(line(["hello"]))
        what, told = await self._next()
        if what != "state":
            raise ValueError("the supervisor answers otherwise than it should")
        for one in told:
            self.siblings.hear(one)
        self._tasks.append(asyncio.create_task(self._hear(), name="siblings"))

    def tell_status(self, ready: Callable[[], tuple[bool, str]], metrics: Callable[[], Iterable[Metric]]) -> None:
        """It listens, and how it is from now on."""
        self.siblings.tell("listening")
        self._tasks.append(asyncio.create_task(self._tell(ready, metrics), name="status"))

    async def _tell(self, ready: Callable[[], tuple[bool, str]], metrics: Callable[[], Iterable[Metric]]) -> None:
        while True:
            families = [
                [one.name, one.type, one.documentation, [[part.name, part.labels, part.value] for part in one.samples]]
                for one in metrics()
            ]
            self.siblings.tell("status", *ready(), families)
            await asyncio.sleep(_STATUS_SECONDS)

    async def _hear(self) -> None:
        while True:
            self.siblings.hear(await self._next())

    async def _next(self) -> Message:
        heard = await self._in.readline()
        if not heard.endswith(b"\n"):
            os.kill(os.getpid(), signal.SIGKILL)
        message: Message = json.loads(heard)
        return message

    def _send(self, said: bytes) -> None:
        if self._out is not None and not self._out.is_closing():
            self._out.write(said)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
