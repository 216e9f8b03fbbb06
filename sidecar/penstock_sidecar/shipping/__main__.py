"""The shipper as a program, which a gate starts: it hears of the spool on its input, and reports on its output.

It ends when its input does, and so with its gate, however that ends: the kernel closes what a killed process had open,
and here nothing can be missed, as a signal at the parent's death can be. What the terminal or the service manager sends
to all processes of a gate is for the gate alone: it has to drain first. What doesn't belong: shipping (`shipper.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from pathlib import Path

from penstock_sidecar.shipping.dialogue import Beat, Report, Stuck, Task, read_state, report_line
from penstock_sidecar.shipping.shipper import Shipper
from penstock_sidecar.shipping.spool_view import SpoolView

# The longest line that a gate may say: how thousands of segments stand.
_LONGEST_LINE = 64 << 20
# So often it tells that it is alive.
BEAT_SECONDS = 5.0
_LOCK_SECONDS = 0.05
# The shipper of a gate that was killed is gone within moments.
_LOCK_PATIENCE = 40


async def run() -> None:
    """Ship until the gate is gone."""
    heard = asyncio.StreamReader(limit=_LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(heard), sys.stdin.buffer)
    task = Task.read(await heard.readline())
    view = SpoolView()
    shipper = Shipper(task, view, tell)
    working = asyncio.gather(_ship(task.spool, shipper), _hear(heard, task.spool, view, shipper))
    with contextlib.suppress(BrokenPipeError, EOFError):
        await working
    # At once: a name that is being looked up in a thread is of no use to anybody now.
    os._exit(0)


async def _hear(heard: asyncio.StreamReader, spool: Path, view: SpoolView, shipper: Shipper) -> None:
    """Take in how the spool stands. Raises EOFError once the gate is gone."""
    while (line := await heard.readline()).endswith(b"\n"):
        streams, hurry = read_state(line, spool)
        view.update(streams)
        shipper.look(hurry=hurry)
    raise EOFError


async def _ship(spool: Path, shipper: Shipper) -> None:
    lock = await _alone(spool)
    try:
        await asyncio.gather(shipper.run(), _beat())
    finally:
        os.close(lock)


async def _alone(spool: Path) -> int:
    """Wait until no other shipper has this spool: the kernel lets go of the lock however a process ends."""
    tries = 0
    while True:
        try:
            return _locked(spool)
        except BlockingIOError:
            trouble = f"another shipper still has the audit spool {spool}"
        except OSError as error:
            trouble = f"the audit shipper can't have the spool {spool} for itself: {error.strerror}"
        tries += 1
        if tries == _LOCK_PATIENCE:
            tell(Stuck(trouble))
        await asyncio.sleep(_LOCK_SECONDS)


def _locked(spool: Path) -> int:
    """Raises OSError."""
    descriptor = os.open(spool / "lock-shipper", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


async def _beat() -> None:
    while True:
        tell(Beat())
        await asyncio.sleep(BEAT_SECONDS)


def tell(report: Report) -> None:
    """Say it to the gate. Raises BrokenPipeError where that is gone."""
    sys.stdout.buffer.write(report_line(report))
    sys.stdout.buffer.flush()


def main() -> None:
    """Ship for the gate that started this process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    asyncio.run(run())


if __name__ == "__main__":
    main()
