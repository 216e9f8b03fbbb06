"""The twin databases, made once per server and run."""

from __future__ import annotations

import pytest
from tests.core.sql.twins.world import Twins, make_twins

from penstock_cli.demo.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def twins18(postgres: EmbeddedPostgres) -> Twins:
    return make_twins(postgres)


@pytest.fixture(scope="session")
def twins16(postgres16: EmbeddedPostgres) -> Twins:
    return make_twins(postgres16)


@pytest.fixture(scope="session")
def twins15(postgres15: EmbeddedPostgres) -> Twins:
    return make_twins(postgres15)


@pytest.fixture(params=["twins18", "twins16", "twins15"])
def twins(request: pytest.FixtureRequest) -> Twins:
    """Each server in turn."""
    both: Twins = request.getfixturevalue(request.param)
    return both
