"""Fixtures that every part's tests share: real PostgreSQL servers, started once a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The newest server we test against; tests make databases of their own in it."""
    yield from _server(tmp_path_factory.mktemp("postgres18"), 18)


@pytest.fixture(scope="session")
def postgres16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The oldest server in the wheel."""
    yield from _server(tmp_path_factory.mktemp("postgres16"), 16)


def _server(directory: Path, version: int) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres.start(directory, version=version)
    yield server
    server.stop()
