"""Fixtures of the tests of the spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
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
