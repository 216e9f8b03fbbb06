"""Each form says the same, whatever names and paths hold."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from penstock_cli.client_settings import GateSettings
from penstock_cli.connect import dsn

USER, SECRET = "ticket-aaaqeayeaudaocajbifq", "aaaqeayeaudaocajbifqydiob4ibceqt"
ODD = ["shop", "my shop", "it's", "back\\slash", "a/b?c=d&e#f", "100%", "käse", "a'; --", "=", "'", " "]


@pytest.mark.parametrize("database", ODD)
@pytest.mark.parametrize("host", ["gate.example", "::1", "127.0.0.1"])
@pytest.mark.parametrize("ca_file", [None, Path("/tmp/my gate's.pem")])
def test_every_form_is_read_as_it_was_meant(database: str, host: str, ca_file: Path | None) -> None:
    gate = GateSettings(host=host, port=6432)
    told = dsn.parameters(gate, ca_file, database, USER, SECRET)
    expected = {
        "host": host, "port": "6432", "dbname": database, "user": USER, "password": SECRET, "sslmode": "verify-full",
        "sslrootcert": str(ca_file) if ca_file else "system",
    }  # fmt: skip
    assert told == expected
    for form in ("uri", "keywords"):
        assert conninfo_to_dict(dsn.written(told, form)) == expected
    java = dsn.written(told, "jdbc")
    assert java.startswith("jdbc:postgresql://")
    parts = urlsplit(java.removeprefix("jdbc:"))
    assert (parts.hostname, parts.port, unquote(parts.path)) == (host, 6432, f"/{database}")
    more = {name: expected[name] for name in ("user", "password", "sslmode", "sslrootcert") if name in expected}
    assert dict(parse_qsl(parts.query)) == more


def test_a_gate_on_this_machine_without_tls_has_no_certificate() -> None:
    gate = GateSettings(host="127.0.0.1", tls="disable")
    told = dsn.parameters(gate, Path("/ca.pem"), "shop", USER, SECRET)
    assert dsn.written(told, "uri") == f"postgresql://{USER}:{SECRET}@127.0.0.1:5432/shop?sslmode=disable"
    assert dsn.environment(told)["PGSSLMODE"] == "disable"
    assert "PGSSLROOTCERT" not in dsn.environment(told)


def test_the_systems_authorities_are_those_that_openssl_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    assert dsn.system_authorities() == tmp_path / "own.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setattr(dsn, "_SYSTEMS", (str(tmp_path), str(tmp_path / "own.pem")))
    assert dsn.system_authorities() == tmp_path / "own.pem"
    monkeypatch.setattr(dsn, "_SYSTEMS", ())
    assert dsn.system_authorities() is None
