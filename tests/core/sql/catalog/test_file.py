"""A catalog that went through a file decides as the one that was read from the server."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg
import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.file import CatalogFileError, read, written
from penstock_core.sql.catalog.snapshot import STATEMENTS, snapshot

SCHEMA = """
CREATE DOMAIN short_text AS varchar(12) CHECK (VALUE <> 'bad');
CREATE TABLE readers ("Odd Name" short_text, "naïve – ☃" text[], mail text UNIQUE CHECK (mail ~ '^\\S+@'));
CREATE VIEW mails AS SELECT mail FROM readers WHERE mail <> E'line\\nbreak "quoted"';
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
"""


@pytest.fixture(scope="module")
def documents(postgres: EmbeddedPostgres) -> dict[str, str]:
    postgres.psql("CREATE DATABASE filed")
    postgres.psql(SCHEMA, "filed")
    found: dict[str, str] = {}
    with psycopg.connect(postgres.url("filed"), autocommit=True) as connection:
        for name, sql in STATEMENTS:
            cursor = connection.execute(sql)
            if name:
                row = cursor.fetchone()
                assert row is not None
                found[name] = row[0]
    return found


def test_what_is_read_is_what_was_written(documents: dict[str, str]) -> None:
    text = written(documents)
    assert read(text) == read(text.encode()) == snapshot(documents)
    assert "naïve – ☃" in text


def test_the_same_catalog_is_the_same_file_and_a_row_is_a_line(documents: dict[str, str]) -> None:
    assert written(documents) == written(dict(reversed(documents.items())))
    rows = sum(len(json.loads(text)) for text in documents.values())
    assert len(written(documents).splitlines()) == rows + 2 * len(documents) + 2


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[:-20], "is not a JSON document"),
        (lambda text: "[" * 100_000, "is not a JSON document"),
        (lambda text: "[]", "is not a catalog file"),
        (lambda text: '{"kind": "Database"}', "is not a catalog file"),
        (lambda text: text.replace('"form": "', '"form": "0', 1), "another version"),
        (lambda text: text.replace('"relations": [', '"relation": [', 1), "another version"),
        (lambda text: text.replace('["readers"', '["readers", 1', 1).replace(", false", "", 3), "is damaged"),
    ],
)
def test_what_is_no_such_file_is_told_in_one_line(
    documents: dict[str, str], spoil: Callable[[str], str], words: str
) -> None:
    with pytest.raises(CatalogFileError, match=words) as told:
        read(spoil(written(documents)))
    assert len(str(told.value).splitlines()) == 1
