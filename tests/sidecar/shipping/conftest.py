"""Fixtures of the tests of the spool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.sidecar.shipping.shipped import Bench
from tests.sidecar.shipping.spools import Opener


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def open_spool(path: Path) -> Iterator[Opener]:
    opener = Opener(path)
    yield opener
    for spool in opener.opened:
        spool.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.close()


@pytest.fixture
def said() -> Any:
    """What the shipper logs."""
    with structlog.testing.capture_logs() as lines:
        yield lines
