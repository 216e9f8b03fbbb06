"""The shipper's process as its gate has it: started, told how the spool stands, heard, and started again when it ends.

It is a process of its own so that reading, sending and waiting for the collector never take the gate's interpreter
lock. While there is none, the gate goes on: what is recorded stays in the spool. It may be killed at any moment, since
only what it reported is dropped here, and the collector knows events again that it has. What doesn't belong: shipping
(`shipper.py`), and what the two say (`dialogue.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import structlog

from penstock_core.backoff import Backoff
from penstock_sidecar.shipping.dialogue import (
    Beat,
    Refusal,
    Report,
    Shipped,
    Stuck,
    Task,
    Trouble,
    read_report,
    state_line,
)
from penstock_sidecar.shipping.spool import Spool

_log = structlog.get_logger(__name__)

# How long news of the spool is gathered: it lets an event's outcome travel with it, and what others bring. Whoever
# watches the page does not mind so small a delay, and each batch takes as long as twenty statements.
LINGER_SECONDS = 0.25
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 10.0
# Who lived so long was well: the next end is not the last one's fault.
_WELL_SECONDS = 30.0
# It tells every few seconds that it lives; one that is silent for so long is ended, and another one started.
SILENT_SECONDS = 60.0
_ENDING_SECONDS = 1.0


class ShipperProcess:
    """Ships one spool, by one process at a time."""

    def __init__(
        self, spool: Spool, task: Task, *, linger: float = LINGER_SECONDS, silent: float = SILENT_SECONDS
    ) -> None:
        self._spool = spool
        self._task = task
        self._linger = linger
        self._silent = silent
        self._process: asyncio.subprocess.Process | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._hurry = asyncio.Event()
        self._all_shipped = asyncio.Event()
        # Why none is at work; why nothing arrives; and by streams, why they are refused.
        self._absence: str | None = None
        self._trouble: str | None = None
        self._refusals: dict[str, str] = {}
        self._reached = False
        # Since when something waits without any of it having arrived.
        self._waiting_since: float | None = None
        # How often one was started, and how many times the collector refused an event or a stream.
        self.starts = 0
        self.refusals_total = 0

    @property
    def pid(self) -> int:
        """The number of its process now; 0 while there is none."""
        return 0 if self._process is None else self._process.pid

    @property
    def trouble(self) -> str | None:
        """What is wrong, in one line; None while events arrive. For health and metrics."""
        return self._absence or self._trouble or next(iter(self._refusals.values()), None)

    @property
    def lag(self) -> float:
        """For how many seconds something has waited without any of it having arrived."""
        return 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since

    async def run(self) -> None:
        """Have it ship until cancelled: then it is gone."""
        self._spool.on_commit(self._on_commit)
        self._note_depth()
        backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
        while True:
            began = time.monotonic()
            ending = await self._live()
            if time.monotonic() - began >= _WELL_SECONDS:
                backoff.reset()
            self._absence = self._said(ending, self._absence)
            await self._pause(backoff.next())

    async def _pause(self, seconds: float) -> None:
        if self._hurry.is_set():
            await asyncio.sleep(_FIRST_DELAY)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    async def flush(self, seconds: float) -> bool:
        """Have all there is shipped without long pauses, while `run` runs; whether all was acknowledged in time."""
        self._hurry.set()
        self._all_shipped.clear()
        self._tell()
        try:
            async with asyncio.timeout(seconds):
                if self._spool.depth:
                    await self._all_shipped.wait()
        except TimeoutError:
            return False
        finally:
            self._hurry.clear()
        return True

    async def _live(self) -> str:
        """One process from its start to its end; how it ended."""
        try:
            process = await asyncio.create_subprocess_exec(
                # Not what lies in the working directory: only what is installed.
                sys.executable, "-P", "-m", "penstock_sidecar.shipping",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            return f"the audit shipper can't be started: {error.strerror}"
        self._process = process
        self.starts += 1
        _log.info("audit shipper started", pid=process.pid)
        ending = "ended"
        try:
            self._write(self._task.line())
            self._tell()
            await self._hear(process)
        except TimeoutError:
            ending = f"said nothing for {self._silent:g} seconds"
        finally:
            self._process = None
            status = await _end(process)
        return f"the audit shipper {ending} (status {status}) and is started again; events wait in the spool"

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        """What it says until it ends. Raises TimeoutError."""
        if process.stdout is None:
            return
        while True:
            async with asyncio.timeout(self._silent):
                line = await process.stdout.readline()
            if not line.endswith(b"\n"):
                return
            self._take(read_report(line))

    def _take(self, report: Report) -> None:
        match report:
            case Beat():
                self._absence = None
            case Stuck(text):
                self._absence = self._said(text, self._absence)
            case Shipped(stream, seq):
                self._waiting_since = time.monotonic()
                self._spool.acknowledge(seq, stream)
            case Trouble(None):
                if self._trouble is not None or not self._reached:
                    _log.info("audit events reach the collector", collector=self._task.url.rstrip("/"))
                self._reached, self._trouble = True, None
            case Trouble(str(text)):
                self._trouble = self._said(text, self._trouble)
            case Refusal(stream, _, None):
                self._refusals.pop(stream, None)
            case Refusal(stream, seq, str(text)):
                self.refusals_total += 1
                if self._refusals.get(stream) != text:
                    _log.warning(text, stream=stream, seq=seq, waiting=self._spool.depth)
                self._refusals[stream] = text

    def _said(self, trouble: str, before: str | None) -> str:
        """Log it where it is not what was said before."""
        if trouble != before:
            _log.warning(trouble, waiting=self._spool.depth)
        return trouble

    def _on_commit(self) -> None:
        self._note_depth()
        if self._hurry.is_set():
            self._tell()
        elif self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(self._linger, self._tell)

    def _note_depth(self) -> None:
        if not self._spool.depth:
            self._waiting_since = None
            self._all_shipped.set()
        elif self._waiting_since is None:
            self._waiting_since = time.monotonic()

    def _tell(self) -> None:
        """How the spool stands now."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        streams = self._spool.view()
        known = {one.name for one in streams}
        self._refusals = {name: text for name, text in self._refusals.items() if name in known}
        if not self._write(state_line(streams, hurry=self._hurry.is_set())):
            self._telling = asyncio.get_running_loop().call_later(max(self._linger, 0.05), self._tell)

    def _write(self, line: bytes) -> bool:
        """Say it; False where it does not listen at the moment, so that there is something newer to say by then."""
        if self._process is None or self._process.stdin is None or self._process.stdin.is_closing():
            return True  # The next one is told when it is there.
        if self._process.stdin.transport.get_write_buffer_size():
            return False
        self._process.stdin.write(line)
        return True


async def _end(process: asyncio.subprocess.Process) -> int:
    """Its status, once it is gone."""
    # It ends with its pipe. To kill one that is ending already would take its status away from the loop.
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ENDING_SECONDS):
            return await process.wait()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    return await process.wait()
