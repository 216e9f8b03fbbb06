"""Which function a fast-path call means."""

from __future__ import annotations

import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.session import fastpath


@pytest.mark.parametrize("name", ["postgres", "postgres16"])
def test_the_numbers_are_the_servers(name: str, request: pytest.FixtureRequest) -> None:
    server: EmbeddedPostgres = request.getfixturevalue(name)
    query = "SELECT oid, proname FROM pg_proc WHERE proname ~ '^(lo_|loread$|lowrite$)'"
    rows = server.psql(query)
    for number, function in (line.split("|") for line in rows.split()):
        expected = "" if function in ("lo_import", "lo_export") else f"SELECT pg_catalog.{function}()"
        assert fastpath.statement(int(number).to_bytes(4) + b"\x00\x01") == expected


def test_no_other_function_and_no_broken_call_is_one() -> None:
    assert [fastpath.statement(body) for body in (b"", b"\x00\x03\xba", bytes(4), (2100).to_bytes(4))] == [""] * 4
