"""The log of the spool: what is on the disk, of segments that are written, synced and dropped."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.sidecar.shipping.spools import (
    MEGABYTE,
    Opener,
    append_each,
    clock,
    files,
    fill,
    intent,
    kinds,
    outcome,
    until_full,
)
from tests.sidecar.spooled import pending

from penstock_core.audit.verify import verify
from penstock_sidecar.shipping.spool import Spool, SpoolBroken


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


async def test_a_full_disk_is_said_as_such_and_passes(small_disk: Path) -> None:
    spool = Spool.open(small_disk / "spool", "pod/boot1", 100 * MEGABYTE, clock)
    await spool.append([{"kind": "open"}])
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(100_000))
    _, full = await fill(spool, sql_length=3000)
    assert str(full) == "audit spool cannot grow: the disk is full"
    ballast.unlink()
    await spool.append([intent(10_000)])
    assert spool.refusal is None
    assert verify(pending(spool, limit=10_000)).intact
    spool.close()


async def test_a_disk_too_full_for_the_next_segment_loses_nothing_of_the_last(small_disk: Path) -> None:
    spool = Spool.open(small_disk / "spool", "pod/boot1", 200_000, clock)
    await spool.append([{"kind": "open"}])
    accepted = await until_full(spool, small_disk)
    assert str(spool.refusal) == "audit spool cannot grow: the disk is full"
    spool.close()
    for ballast in files(small_disk, "ballast*"):
        ballast.unlink()
    second = Spool.open(small_disk / "spool", "pod/boot2", 200_000, clock)
    left = pending(second, stream="pod/boot1", limit=1000)
    report = verify(left)
    assert report.intact
    assert kinds(left).count("intent") == accepted
    second.close()


async def test_segments_are_dropped_once_the_collector_has_them(open_spool: Opener, path: Path) -> None:
    spool = open_spool("pod/boot1", max_bytes=80_000)
    await spool.append([{"kind": "open"}])
    for number in range(300):
        await spool.append([intent(number, sql="x" * 1000)])
        await spool.append([outcome(number)])
        if number % 10 == 0:
            spool.acknowledge(spool.head.seq - 3)
    events = pending(spool, after_seq=590)
    assert [event["seq"] for event in events] == list(range(591, 602))
    on_disk = sum(file.stat().st_size for file in files(path, "*.log"))
    assert on_disk < 80_000
    assert len(files(path, "*.log")) < 5


async def test_what_is_waited_for_by_nobody_is_durable_soon(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}])
    (written,) = append_each(spool, [([intent(1)], False)])
    await written
    async with asyncio.timeout(30):
        while spool.head.seq < 2:  # noqa: ASYNC110 # the event would be what is tried here
            await asyncio.sleep(0.02)
    assert kinds(pending(spool)) == ["open", "intent"]


def test_what_was_written_outlives_the_process_though_nobody_waited(path: Path) -> None:
    script = textwrap.dedent("""
        import asyncio, os, signal, sys
        from pathlib import Path
        from tests.sidecar.shipping.spools import append_each
        from penstock_sidecar.shipping import spool as spools
        spools.SYNC_SECONDS = 1000

        async def main():
            spool = spools.Spool.open(Path(sys.argv[1]), "pod/boot1", 1_000_000)
            await spool.append([{"kind": "open"}])
            body = {"kind": "intent", "session": "s", "statement": 1, "sql": "SELECT 1"}
            await append_each(spool, [([body], False)])[0]
            assert spool.head.seq == 1, "it is not durable yet, so that the collector does not get it"
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """)
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
    spool = Spool.open(path, "pod/boot2", MEGABYTE, clock)
    assert kinds(pending(spool, stream="pod/boot1")) == ["open", "intent", "outcome", "close"]
    spool.close()


async def test_a_file_that_is_removed_while_it_is_written_stops_everything(open_spool: Opener, path: Path) -> None:
    spool = open_spool()
    await spool.append([{"kind": "open"}])
    shutil.rmtree(path)

    async def appending() -> None:
        for number in range(1000):
            await spool.append([intent(number)])
            await asyncio.sleep(0.001)

    for _ in range(2):
        with pytest.raises(SpoolBroken, match="was removed while it was in use"):
            await appending()
    assert isinstance(spool.refusal, SpoolBroken)


async def test_what_is_awaited_takes_one_call_where_the_file_system_can_and_two_where_not(
    open_spool: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("pwrite", "pwritev", "fdatasync"):
        monkeypatch.setattr(os, name, _noted(calls, name))
    spool = open_spool()
    await spool.append([{"kind": "open"}])
    calls.clear()
    await spool.append([intent(1)])
    assert calls == ["pwritev"]
    # Of what came before, too, nothing may be missing.
    await append_each(spool, [([intent(2)], False)])[0]
    await spool.append([intent(3)])
    assert calls == ["pwritev", "pwrite", "pwrite", "fdatasync"]
    monkeypatch.setattr(os, "pwritev", _unable)
    await spool.append([intent(4)])
    assert calls[4:] == ["pwrite", "fdatasync"]
    assert kinds(pending(spool)) == ["open", *["intent"] * 4]


def _noted(calls: list[str], name: str) -> Callable[..., object]:
    call = getattr(os, name)

    def noted(*arguments: object) -> object:
        calls.append(name)
        return call(*arguments)

    return noted


def _unable(*_: object) -> int:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


async def test_a_write_that_is_cut_short_is_ended(open_spool: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda to, data, *rest: whole(to, (data[0][:7],), *rest))
    spool = open_spool()
    await spool.append([{"kind": "open"}])
    await spool.append([intent(1)])
    assert verify(pending(spool)).intact
