"""The embedded server is a real one and keeps its data over a restart."""

from pathlib import Path

import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres, PostgresError


def test_it_answers_over_tcp_with_a_password(postgres: EmbeddedPostgres) -> None:
    assert postgres.psql("SELECT 6 * 7").strip() == "42"
    assert postgres.psql("SHOW server_version_num").startswith("18")


def test_a_version_that_the_wheel_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match="PostgreSQL 9 is not in the wheel"):
        EmbeddedPostgres.start(tmp_path, version=9)


def test_wrong_sql_is_one_clear_error(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(PostgresError, match='syntax error at or near "SELCT"'):
        postgres.psql("SELCT 1")


def test_debians_server_offers_tls(postgres15: EmbeddedPostgres) -> None:
    assert postgres15.psql("SHOW ssl").strip() == "on"
