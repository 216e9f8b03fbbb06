"""Whether a batch can be committed, told truly: of a disk that is full or read-only, of a store that is locked."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock_collector.store import writer as writer_module
from penstock_collector.store.database import StoreError
from penstock_collector.store.fair_turns import on_behalf_of
from penstock_collector.store.writer import Writer

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk of its own, which root alone may")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A disk that becomes read-only with its first fault, and the file that brings one about."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(32 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, place], check=True)
    device = subprocess.run(["findmnt", "-no", "SOURCE", place], check=True, capture_output=True, text=True).stdout
    yield place, Path("/sys/fs/ext4", Path(device.strip()).name, "trigger_fs_error")
    subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path) -> Path:
    """Take what is free."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65_536)
        except OSError:
            pass
    return filler


@needs_root
async def test_a_full_disk_is_not_ready_and_a_freed_one_is(
    start: Any, settings: Any, sender: Any, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_PROBE_SECONDS_AFTER_FAILURE", 0.2)
    client = await start(settings.model_copy(update={"database": small_disk / "audit.db"}))
    await client.send(sender.seal(OPEN))
    assert (await client.get("/readyz")).status_code == 200
    events = [event for number in range(3000) for event in sender.statement(number, sql="x" * 300)]
    filler = fill(small_disk)
    refused = await client.post(events)
    assert (refused.status_code, refused.json()["error"]) == (503, "the audit database cannot grow: the disk is full")
    for _ in range(3):
        told = await client.get("/readyz")
        assert (told.status_code, told.text) == (503, "the audit database cannot grow: the disk is full\n")
        await asyncio.sleep(0.25)
    assert (await client.get("/healthz")).status_code == 200, "a restart would not help"
    text = (await client.get("/metrics")).text
    assert "penstock_collector_writable 0.0" in text
    assert "penstock_collector_disk_free_bytes 0.0" in text
    # A page here and there is no room for a batch.
    filler.write_bytes(filler.read_bytes()[: -256 * 1024])
    await asyncio.sleep(0.25)
    assert (await client.get("/readyz")).status_code == 503
    filler.unlink()
    await asyncio.sleep(0.25)
    assert (await client.get("/readyz")).status_code == 200
    assert await client.send(events[:1000]) == 1001
    assert "penstock_collector_writable 1.0" in (await client.get("/metrics")).text


@needs_root
async def test_a_disk_that_became_read_only_is_not_ready(
    start: Any, settings: Any, sender: Any, failing_disk: tuple[Path, Path]
) -> None:
    place, fault = failing_disk
    client = await start(settings.model_copy(update={"database": place / "audit.db"}))
    await client.send(sender.seal(OPEN))
    fault.write_text("x")
    await asyncio.sleep(1.1)
    told = await client.get("/readyz")
    assert (told.status_code, "the audit database cannot be written" in told.text) == (503, True)
    assert (await client.post(sender.statement(1))).status_code == 503
    assert (await client.get("/healthz")).status_code == 200


async def test_a_locked_store_is_not_ready_and_nobody_waits_long_to_hear_it(
    client: Any, sender: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(writer_module, "_PROBE_SECONDS_AFTER_FAILURE", 0.1)
    await client.send(sender.seal(OPEN))
    other = sqlite3.connect(settings.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await asyncio.sleep(1.1)
    began = time.monotonic()
    told = await client.get("/readyz")
    assert (told.status_code, "another program has locked it" in told.text) == (503, True)
    assert time.monotonic() - began < 5
    other.execute("ROLLBACK")
    other.close()
    for _ in range(300):
        await asyncio.sleep(0.1)
        if (await client.get("/readyz")).status_code == 200:
            return
    pytest.fail("it is free again, and not ready")


async def test_what_was_committed_just_now_needs_no_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path / "audit.db")
    await writer.run(lambda connection: connection.execute("UPDATE store_probe SET filler = x'00'"))
    await writer.check()
    kept = await writer.run(lambda connection: connection.execute("SELECT filler FROM store_probe").fetchone()[0])
    assert kept == b"\x00"
    writer.close()


async def test_a_job_that_is_wrong_says_nothing_of_the_store(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "audit.db")
    with pytest.raises(StoreError, match="UNIQUE constraint"):
        await writer.run(
            lambda connection: connection.execute("INSERT INTO store_probe VALUES (1, x'')"),
        )
    await writer.check()
    writer.close()


async def test_a_failure_is_held_against_the_store_until_as_much_as_a_batch_is_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "audit.db")
    pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
    writer._connection.execute(f"PRAGMA max_page_count = {pages + 50}")
    with pytest.raises(StoreError, match="the disk is full"):
        await writer.run(
            lambda connection: connection.execute("UPDATE store_probe SET filler = zeroblob(1000000)"),
        )
    # A small commit works, and proves nothing.
    await writer.run(lambda connection: connection.execute("UPDATE store_probe SET filler = x''"))
    with pytest.raises(StoreError, match="the disk is full"):
        await writer.check()
    assert writer.complaint == "the audit database cannot grow: the disk is full"
    writer.close()


async def test_one_sender_s_jobs_hold_up_no_other_sender_s(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "audit.db")

    async def job(sender: str) -> float:
        on_behalf_of.set(sender)
        began = time.monotonic()
        await writer.run(lambda _: time.sleep(0.02))
        return time.monotonic() - began

    greedy = [asyncio.create_task(job("gate greedy")) for _ in range(100)]
    await asyncio.sleep(0.01)
    # It would have had to wait for all of them, or have been sent away.
    assert await job("gate other") < 1
    ended = await asyncio.gather(*greedy, return_exceptions=True)
    refused = [str(one) for one in ended if isinstance(one, StoreError)]
    assert refused == ["this sender has too much waiting already"] * (100 - 1 - 64)
    writer.close()
