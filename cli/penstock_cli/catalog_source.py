"""Where a command takes the catalog from: a file, or a server that it logs in to as a URL says.

What doesn't belong: what is asked of the server and what the answers mean (`penstock_core.sql`), logging in
(`penstock_sidecar.proxy.upstream`). Every failure is an Unusable of one line.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from penstock_cli.failures import Unusable
from penstock_core.resources.database import TlsMode
from penstock_core.sql.catalog.file import CatalogFileError, read
from penstock_core.sql.catalog.model import Catalog
from penstock_sidecar.proxy.catalog import CatalogReader
from penstock_sidecar.proxy.upstream import Server, UpstreamError
from penstock_sidecar.wire.login import Credentials

_EXAMPLE = "postgresql://USER@HOST/DATABASE"
_DEFAULT_PORT = 5432


def given(file: Path | None, url: str | None, password_file: Path | None) -> Catalog:
    """The catalog from the one place that was given."""
    if file is not None and url is None:
        return from_file(file)
    if url is not None and file is None:
        return from_server(url, password_file)[0]
    raise Unusable("give the database's catalog: either --catalog FILE or --url URL")


def from_file(path: Path) -> Catalog:
    """The catalog in a file that `penstock catalog` wrote."""
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except CatalogFileError as error:
        raise Unusable(f"{path}: {error}") from None


def from_server(url: str, password_file: Path | None) -> tuple[Catalog, dict[str, str]]:
    """The catalog of a database, and the documents that it was made from."""
    server, dbname = address(url, password_file, os.environ)
    reader = CatalogReader(server, dbname)
    try:
        asyncio.run(_read(reader))
    except UpstreamError as error:
        said = error.fields.message.removeprefix("penstock: ")
        # There they are a Secret's; here they were given by hand.
        raise Unusable(said.replace("refused Penstock's own credentials", "refused that user or password")) from None
    if reader.catalog is None:
        raise Unusable(f"the database at {server.place} told nothing of its catalog")
    return reader.catalog, reader.documents()


async def _read(reader: CatalogReader) -> None:
    try:
        await reader.read()
    finally:
        await reader.closed()
        # What could not be opened is closed in the loop's next round.
        await asyncio.sleep(0)


def address(url: str, password_file: Path | None, environment: Mapping[str, str]) -> tuple[Server, str]:
    """Where a URL leads and as whom, and the database's name. Of libpq's parameters: sslmode and sslrootcert."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _DEFAULT_PORT
    except ValueError:
        raise Unusable(f"--url: is no URL such as {_EXAMPLE}") from None
    dbname = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in ("postgresql", "postgres") or not host or not parts.username or not dbname:
        # Not shown: it may hold a password.
        raise Unusable(f"--url: must be {_EXAMPLE}, no part of it left out")
    mode, ca_file = _tls(dict(parse_qsl(parts.query, keep_blank_values=True)))
    credentials = Credentials(unquote(parts.username), _password(parts.password, password_file, environment))
    return Server(host, port, mode, credentials, ca_file), dbname


def _tls(parameters: dict[str, str]) -> tuple[TlsMode, Path | None]:
    """As in a Database resource: its modes, and the strictest where none is given."""
    wanted = parameters.pop("sslmode", "verify-full")
    ca_file = parameters.pop("sslrootcert", None)
    for name in parameters:
        raise Unusable(f"--url: the parameter {name} is not known, only sslmode and sslrootcert")
    known: tuple[TlsMode, ...] = get_args(TlsMode)
    mode = next((one for one in known if one == wanted), None)
    if mode is None:
        raise Unusable(f"--url: sslmode={wanted} is not known, only {', '.join(known)}")
    if ca_file is not None and mode not in ("verify-ca", "verify-full"):
        raise Unusable("--url: sslrootcert is only used by sslmode=verify-ca and verify-full")
    return mode, None if ca_file is None else Path(ca_file)


def _password(written: str | None, file: Path | None, environment: Mapping[str, str]) -> str:
    """The password that is given most plainly; empty where none is needed."""
    if written is not None:
        return unquote(written)
    if file is None:
        return environment.get("PGPASSWORD", "")
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise Unusable(f"--password-file: {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unusable(f"--password-file: {file}: is not UTF-8 text") from None
