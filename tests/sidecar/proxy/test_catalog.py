"""The catalog as it is read from the oldest and the newest server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.snapshot import snapshot
from penstock_sidecar.proxy.catalog import CatalogReader
from penstock_sidecar.proxy.upstream import Server, UpstreamError

PASSWORD = "made-up for reading"


@pytest.fixture(scope="module", params=["postgres16", "postgres"])
def library(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    server.psql(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE library OWNER reader;")
    server.psql(
        """CREATE TABLE books (id int PRIMARY KEY, title varchar(80) NOT NULL, lent_to text);
        CREATE VIEW lent AS SELECT title FROM books WHERE lent_to IS NOT NULL;
        ALTER ROLE reader SET search_path = "$user", shelves, public;
        CREATE SCHEMA shelves; GRANT USAGE ON SCHEMA shelves TO reader;""",
        dbname="library",
    )
    yield server
    server.psql("DROP DATABASE library")
    server.psql("DROP ROLE reader")


@pytest.fixture
def reader(library: EmbeddedPostgres, tmp_path: Path) -> CatalogReader:
    (tmp_path / "username").write_text("reader")
    (tmp_path / "password").write_text(PASSWORD)
    return CatalogReader(Server("127.0.0.1", library.port, "disable", tmp_path), "library")


async def test_relations_and_the_path_of_a_new_session(reader: CatalogReader, library: EmbeddedPostgres) -> None:
    assert await reader.read()
    catalog = reader.catalog
    assert catalog is not None
    assert set(catalog.relations) == {("public", "books"), ("public", "lent")}
    assert catalog.search_path == ("shelves", "public")
    title = catalog.relations["public", "books"].column("title")
    assert title is not None
    assert title.type_sql == "pg_catalog.varchar(80)"
    assert catalog.server_version // 10_000 == library.version
    assert not await reader.read()
    assert reader.catalog is catalog


async def test_after_a_change_only_what_changed_is_read(reader: CatalogReader, library: EmbeddedPostgres) -> None:
    await reader.read()
    before = reader.catalog
    library.psql("CREATE TABLE made (id int)", dbname="library")
    reading = await reader._enquire(reader._read)
    library.psql("DROP TABLE made", dbname="library")
    assert reading.changed
    assert not reading.whole
    assert before is not None
    assert reader.catalog is not None
    assert reader.catalog.generation == before.generation + 1
    assert reader.catalog.relations["public", "books"] is before.relations["public", "books"]
    assert ("public", "made") in reader.catalog.relations
    documents = reader.documents()
    assert snapshot(documents, reader.catalog.generation) == reader.catalog


async def test_no_connection_is_left_behind(reader: CatalogReader, library: EmbeddedPostgres) -> None:
    await reader.read()
    library.psql("SELECT pg_sleep(0.1)")
    left = library.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'penstock catalog'")
    assert left.strip() == "0"


async def test_a_database_that_is_not_there(reader: CatalogReader) -> None:
    unknown: Any = CatalogReader(reader._server, "nowhere")
    with pytest.raises(UpstreamError, match="does not exist"):
        await unknown.read()
    assert unknown.catalog is None
