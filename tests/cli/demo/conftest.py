"""A server that a test of the demo has for itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres


@pytest.fixture
def own_server(open_directory: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres.start(open_directory / "of-the-demo")
    yield server
    server.stop()
