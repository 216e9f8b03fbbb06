"""Where a program connects to, and with what, in the forms that programs want it.

What doesn't belong: where the ticket comes from (`session.py`).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from penstock_cli.client_settings import GateSettings

Format = Literal["uri", "jdbc", "keywords"]
FORMATS: tuple[Format, ...] = ("uri", "jdbc", "keywords")


# Where systems keep the authorities that they trust, if OpenSSL does not say.
_SYSTEMS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def system_authorities() -> Path | None:
    """The file with the authorities that the system trusts: libpq does not look there by itself."""
    named = (ssl.get_default_verify_paths().cafile, *_SYSTEMS)
    return next((path for name in named if name is not None and (path := Path(name)).is_file()), None)


def parameters(gate: GateSettings, ca_file: Path | None, database: str, user: str, password: str) -> dict[str, str]:
    """What libpq is told, by the names of its keywords."""
    found = {
        "host": gate.host, "port": str(gate.port), "dbname": database, "user": user, "password": password,
        "sslmode": gate.tls,
    }  # fmt: skip
    if gate.tls == "disable":
        return found
    # `system` is known to libpq 16 and newer.
    return {**found, "sslrootcert": "system" if ca_file is None else str(ca_file)}


def written(told: Mapping[str, str], form: Format) -> str:
    """One line in that form."""
    if form == "keywords":
        return " ".join(f"{name}={_keyword(value)}" for name, value in told.items())
    host = f"[{told['host']}]" if ":" in told["host"] else quote(told["host"], safe="")
    place, database = f"{host}:{told['port']}", quote(told["dbname"], safe="")
    more = {name: told[name] for name in ("sslmode", "sslrootcert") if name in told}
    if form == "jdbc":
        query = urlencode({"user": told["user"], "password": told["password"], **more}, quote_via=quote)
        return f"jdbc:postgresql://{place}/{database}?{query}"
    who = f"{quote(told['user'], safe='')}:{quote(told['password'], safe='')}"
    return f"postgresql://{who}@{place}/{database}?{urlencode(more, quote_via=quote)}"


def environment(told: Mapping[str, str]) -> dict[str, str]:
    """The same as variables, so that nothing of it is in a list of processes."""
    names = {
        "host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD",
        "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
    }  # fmt: skip
    return {names[name]: value for name, value in told.items()}


def _keyword(value: str) -> str:
    if value and not any(letter.isspace() or letter in "'\\" for letter in value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
