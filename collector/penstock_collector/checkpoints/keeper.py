"""Making a checkpoint at an interval, and having it kept; what fails is tried again, and the next one waits for it.

What doesn't belong: what is in one (`store/checkpoints.py`), the places.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from penstock_collector.checkpoint_settings import CheckpointSettings
from penstock_collector.checkpoints.alarm import CheckpointAlarm
from penstock_collector.checkpoints.directory import DirectoryPlace
from penstock_collector.checkpoints.git import GitPlace
from penstock_collector.checkpoints.place import Place, PlaceError
from penstock_collector.checkpoints.s3 import S3Place
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.store import checkpoints
from penstock_collector.store.database import StoreError
from penstock_collector.store.writer import Writer
from penstock_core.audit import pem
from penstock_core.audit.event import OWN

_log = structlog.get_logger(__name__)

_RETRY_SECONDS = 60.0
_LOOK_SECONDS = 30.0
_MAKE = "openssl genpkey -algorithm ed25519 makes one"


class SigningKeyError(Exception):
    """The key cannot be used; the message is one line."""


class CheckpointKeeper:
    """Makes checkpoints for as long as it runs."""

    def __init__(
        self, writer: Writer, key: Ed25519PrivateKey, place: Place, seconds: float, metrics: CollectorMetrics
    ) -> None:
        self._writer = writer
        self._key = key
        self._place = place
        self._seconds = seconds
        self._metrics = metrics
        self._alarm = CheckpointAlarm()
        # Since when one is being written.
        self._began: float | None = None

    async def run(self) -> None:
        """Until cancelled; the first one at once."""
        while True:
            try:
                await self.step(time.time())
                pause = self._seconds
            except (PlaceError, StoreError) as error:
                await self._say(str(error), time.time())
                pause = min(_RETRY_SECONDS, self._seconds)
            await asyncio.sleep(pause)

    async def watch(self) -> None:
        """Until cancelled: look whether one is written for too long."""
        while True:
            await asyncio.sleep(min(_LOOK_SECONDS, self._seconds))
            await self.look(time.time())

    async def look(self, now: float) -> None:
        """Raise the alarm if one is overdue."""
        if (began := self._began) is not None:
            await self._raise(lambda connection: self._alarm.overdue(connection, began, now))

    async def _say(self, why: str, now: float) -> None:
        _log.error("no checkpoint could be kept", why=why)
        self._metrics.checkpoint_failures.inc()
        await self._raise(lambda connection: self._alarm.failed(connection, why, now))

    async def _raise(self, step: Callable[[sqlite3.Connection], None]) -> None:
        try:
            await self._writer.run(step)
        except StoreError as error:
            # Nothing can be committed, which is told without the store.
            _log.error("the alarm of checkpoints could not be raised", why=str(error))

    async def step(self, now: float) -> None:
        """Make the next one and have it kept, after one that waits for that. Raises PlaceError, StoreError."""
        fresh = False
        while not fresh:
            made = await self._writer.run(lambda connection: checkpoints.seal(connection, self._key, now))
            name = f"{made.collector.removeprefix(OWN)}/{made.number:010}.json"
            self._began = now
            try:
                await asyncio.to_thread(self._place.put, name, made.line + b"\n")
            finally:
                self._began = None
            await self._writer.run(partial(self._note, number=made.number, now=now))
            self._metrics.checkpoint_time.set(now)
            fresh = made.fresh

    def _note(self, connection: sqlite3.Connection, number: int, now: float) -> None:
        checkpoints.kept(connection, number)
        self._alarm.kept(connection, now)


def keeper_of(
    settings: CheckpointSettings, beside: Path, writer: Writer, metrics: CollectorMetrics
) -> CheckpointKeeper | None:
    """The one that the settings ask for; `beside`: a directory for what it keeps. Raises SigningKeyError."""
    if settings.checkpoint_key_file is None:
        return None
    key = _read_key(settings.checkpoint_key_file)
    return CheckpointKeeper(writer, key, _place(settings, beside), settings.checkpoint_minutes * 60, metrics)


def _place(settings: CheckpointSettings, beside: Path) -> Place:
    if settings.checkpoint_directory is not None:
        return DirectoryPlace(settings.checkpoint_directory)
    if settings.checkpoint_git_url:
        return GitPlace(settings, beside / "checkpoints.git")
    return S3Place(settings)


def _read_key(file: Path) -> Ed25519PrivateKey:
    try:
        return pem.private_key(file.read_bytes())
    except OSError as error:
        raise SigningKeyError(f"the key of checkpoints {file} cannot be read: {error.strerror}") from None
    except pem.PemError as error:
        raise SigningKeyError(f"{file} is {error}; {_MAKE}") from None
