"""A gate with several processes: workers that accept at one socket, started again when they end, and heard as one.

Each worker is a whole gate but for the socket and for health: it has databases, catalogs, a spool and a stream of its
own. What it asks of the others goes through here, and so everybody is asked who is there. What doesn't belong: a
worker's own end of it (`worker.py`), and what it does (`assembly.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field

import structlog
from prometheus_client.registry import CollectorRegistry

from penstock_core.backoff import Backoff
from penstock_sidecar.assembly import StartError, certificate
from penstock_sidecar.health import HealthServer
from penstock_sidecar.proxy.gateway import BACKLOG
from penstock_sidecar.proxy.siblings import Message, line
from penstock_sidecar.settings import ProxySettings
from penstock_sidecar.shipping.opening import waits
from penstock_sidecar.sums import Sums
from penstock_sidecar.worker import VARIABLE, Place, spools_beyond

_log = structlog.get_logger(__name__)

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 10.0
# Each tells how it is once a second; one that is silent for so long is ended.
SILENT_SECONDS = 60.0
_LONGEST_LINE = 16 << 20
# What all workers have to agree to, or at least to have done.
_QUESTIONS = frozenset({"close", "cancel"})


@dataclass(eq=False)
class Worker:
    """One of them, whichever process it is at the moment."""

    number: int
    process: asyncio.subprocess.Process | None = None
    # It has been told what the others are in the middle of, and is asked from then on.
    joined: bool = False
    listening: bool = False
    ready: bool = False
    words: str = "starts"

    def send(self, message: Message) -> None:
        if self.process is not None and self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(line(message))


@dataclass
class _Question:
    """Something that a worker asked, and who has not answered yet."""

    asker: Worker
    awaited: set[Worker]
    agreed: bool = True


@dataclass
class _Closing:
    """A change of the catalog that is under way: whose it is, and what a worker that begins now has to know."""

    worker: Worker
    told: Message = field(default_factory=list)


class Hub:
    """Passes on what workers ask and tell."""

    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers
        self._questions: dict[str, _Question] = {}
        self._closings: dict[str, _Closing] = {}

    def hear(self, worker: Worker, message: Message) -> None:
        """What a worker says to the others."""
        what, *details = message
        if what == "hello":
            worker.joined = True
            worker.send(["state", [closing.told for closing in self._closings.values()]])
        elif what == "answer":
            self._answered(worker, *details)
        elif what in _QUESTIONS:
            self._ask(worker, message)
        elif what == "release":
            self._closings.pop(details[0], None)
            self._tell_others(worker, message)

    def _ask(self, worker: Worker, message: Message) -> None:
        what, name, *details = message
        if what == "close":
            database, process, _ = details
            self._closings[name] = _Closing(worker, ["closed", name, database, process])
        others = {one for one in self._workers if one is not worker and one.joined}
        self._questions[name] = _Question(worker, others)
        self._tell_others(worker, message)
        self._end_answered(name)

    def _tell_others(self, worker: Worker, message: Message) -> None:
        for one in self._workers:
            if one is not worker and one.joined:
                one.send(message)

    def _answered(self, worker: Worker, name: str, agreed: bool) -> None:
        question = self._questions.get(name)
        if question is not None and worker in question.awaited:
            question.awaited.discard(worker)
            question.agreed &= agreed
            self._end_answered(name)

    def _end_answered(self, name: str) -> None:
        question = self._questions[name]
        if not question.awaited:
            del self._questions[name]
            question.asker.send(["answer", name, question.agreed])

    def left(self, worker: Worker) -> None:
        """Its process is gone: it has nothing on its way any more, and ends nothing that it began."""
        worker.joined = False
        for name, closing in tuple(self._closings.items()):
            if closing.worker is worker:
                del self._closings[name]
                self._tell_others(worker, ["gone", name])
        for name, question in tuple(self._questions.items()):
            if question.asker is worker:
                del self._questions[name]
            elif worker in question.awaited:
                self._answered(worker, name, True)


class Supervisor:
    """Has the workers run."""

    def __init__(self, settings: ProxySettings, *, silent: float = SILENT_SECONDS) -> None:
        self._settings = settings
        self._silent = silent
        self.workers = [Worker(number) for number in range(1, settings.processes + 1)]
        self._hub = Hub(self.workers)
        self._sums = Sums()
        registry = CollectorRegistry()
        registry.register(self._sums)
        self._health = HealthServer(self._ready, registry)
        self._tasks: list[asyncio.Task[None]] = []
        # Of each listener.
        self._sockets: list[list[socket.socket]] = []
        self._stopping = asyncio.Event()
        # Set whenever one listens, or ended before it did.
        self._news = asyncio.Event()
        self._failed = False

    async def start(self) -> None:
        """Until all listen. Raises StartError and leaves nothing behind."""
        settings = self._settings
        for beyond in spools_beyond(settings.at(settings.spool.path), settings.processes):
            if waits(beyond):
                raise StartError(
                    f"processes: {settings.processes} is less than before, and audit events wait in {beyond}: start "
                    "with as many as before until they are shipped"
                )
        # Made once, and not by each.
        certificate(settings)
        try:
            await self._listen()
            health = await self._health.listen(settings.health.host, settings.health.port)
        except OSError as error:
            await self.stop()
            raise StartError(f"can't listen: {error.strerror or error}") from None
        self._tasks += [asyncio.create_task(self._keep(one), name=f"worker {one.number}") for one in self.workers]
        while not all(one.listening for one in self.workers):
            await self._news.wait()
            self._news.clear()
            if self._failed:
                await self.stop()
                raise StartError("a worker ended before it listened, for the reason above")
        _log.info(
            "listening", address=self._addresses(),
            health=f"{settings.health.host}:{health}", workers=len(self.workers),
        )  # fmt: skip

    def _addresses(self) -> str:
        """Where clients connect."""
        there = zip(self._settings.listeners, self._sockets, strict=True)
        return ", ".join(one.told(bound[0].getsockname()[1]) for one, bound in there)

    async def _listen(self) -> None:
        """Bind, as a gate with one process does, and leave accepting to the workers. Raises OSError."""
        loop = asyncio.get_running_loop()
        for address, _ in self._settings.listeners:
            server = await loop.create_server(asyncio.Protocol, address.host, address.port, start_serving=False)
            bound = [socket.socket(fileno=os.dup(one.fileno())) for one in server.sockets]
            self._sockets.append(bound)
            server.close()
            for one in bound:
                one.setblocking(False)
                one.listen(BACKLOG)

    async def stop(self) -> None:
        """Have all drain, ship and end."""
        self._stopping.set()
        for one in (one for bound in self._sockets for one in bound):
            one.close()
        for worker in self.workers:
            if worker.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._health.close()

    async def _keep(self, worker: Worker) -> None:
        backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
        while not self._stopping.is_set():
            status = await self._live(worker)
            if self._stopping.is_set():
                return
            if not worker.listening and worker.words == "starts":
                self._failed = True
                self._news.set()
                return
            worker.listening, worker.ready, worker.words = False, False, "ended, and is started again"
            _log.error("a worker ended and is started again", number=worker.number, status=status)
            await asyncio.sleep(backoff.next())

    async def _live(self, worker: Worker) -> int:
        """One process from its start to its end; its status."""
        descriptors = tuple(tuple(one.fileno() for one in bound) for bound in self._sockets)
        place = Place(worker.number, len(self.workers), descriptors)
        process = await asyncio.create_subprocess_exec(
            # As this one was started.
            sys.executable, *sys.orig_argv[1:],
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST_LINE,
            pass_fds=[one for bound in descriptors for one in bound], env={**os.environ, VARIABLE: place.variable()},
        )  # fmt: skip
        worker.process = process
        _log.info("worker started", number=worker.number, pid=process.pid)
        try:
            await self._hear(worker, process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            status = await process.wait()
            worker.process = None
            self._hub.left(worker)
            self._sums.ended(worker.number)
        return status

    async def _hear(self, worker: Worker, process: asyncio.subprocess.Process) -> None:
        """What it says until it ends."""
        if process.stdout is None:
            return
        while True:
            try:
                async with asyncio.timeout(None if self._stopping.is_set() else self._silent):
                    said = await process.stdout.readline()
            except TimeoutError:
                _log.error("a worker says nothing any more and is ended", number=worker.number)
                return
            if not said.endswith(b"\n"):
                return
            self._take(worker, said)

    def _take(self, worker: Worker, said: bytes) -> None:
        message: Message = json.loads(said)
        match message:
            case ["listening"]:
                worker.listening = True
                self._news.set()
            case ["status", bool(ready), str(words), list(families)]:
                worker.ready, worker.words = ready, words
                self._sums.heard(worker.number, families)
            case _:
                self._hub.hear(worker, message)

    def _ready(self) -> tuple[bool, str]:
        """Ready where all are that accept: whoever connects gets any of these."""
        words = " | ".join(f"worker {one.number}: {one.words}" for one in self.workers)
        there = [one.ready for one in self.workers if one.listening]
        return bool(there) and all(there), words
