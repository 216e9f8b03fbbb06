"""A catalog that is read by its differences is the one that is read as a whole, whatever changed."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.core.sql.catalog.schema_changes import BEGINNING, changes

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.queries import STATEMENTS
from penstock_core.sql.catalog.reading import Known, Reading
from penstock_core.sql.catalog.snapshot import Snapshots, snapshot

Connection = psycopg.Connection[tuple[str]]
# Changes that succeed, of each sequence.
_MANY = 60


@pytest.fixture(params=["postgres15", "postgres"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    server.psql("DROP DATABASE IF EXISTS changing WITH (FORCE)")
    server.psql("CREATE DATABASE changing")
    with psycopg.connect(server.url("changing"), autocommit=True) as one:
        one.execute(BEGINNING)
        yield one
    server.psql("DROP DATABASE changing")


def read(connection: Connection, known: Known | None = None) -> Reading:
    reading = Reading(known)
    text = reading.next()
    while text is not None:
        cursor = connection.execute(text)
        text = reading.next(*(cursor.fetchall()[0] if cursor.description else ()))
    return reading


def known(reading: Reading) -> Known:
    assert reading.known is not None
    return reading.known


@pytest.mark.parametrize("seed", range(3))
def test_after_each_change_it_is_the_one_that_is_read_as_a_whole(connection: Connection, seed: int) -> None:
    connection.execute("SET lock_timeout = '2s'; SET statement_timeout = '20s'")
    snapshots = Snapshots()
    now = known(read(connection))
    snapshots.of(now.parts)
    done, wholes = 0, 0
    for change in itertools.islice(changes(seed), 2000):
        try:
            connection.execute(change)
        except psycopg.Error:
            continue
        reading = read(connection, now)
        whole = known(read(connection))
        wholes += reading.whole
        now = known(reading)
        found, expected = now.parts.documents(), whole.parts.documents()
        for name, text in expected.items():
            assert found[name] == text, (change, name)
        assert snapshots.of(now.parts) == snapshot(expected), change
        done += 1
        if done == _MANY:
            break
    assert done == _MANY
    assert wholes < done / 2


# What changes how something else is printed or judged, whose own rows stay as they are.
AFAR = {
    "a column under a view": (
        "CREATE VIEW two.v AS SELECT p.b FROM one.people p WHERE p.d <> 'y'",
        "ALTER TABLE one.people RENAME COLUMN d TO renamed",
    ),
    "a column under a policy": (
        "CREATE POLICY own ON two.items USING (EXISTS (SELECT FROM one.people p WHERE p.b = items.a::text))",
        "ALTER TABLE one.people RENAME COLUMN b TO renamed",
    ),
    "a column that a JOIN USING adds to": (
        "CREATE TABLE one.x (a int, k int); CREATE TABLE one.y (a int);"
        "CREATE VIEW two.v AS SELECT * FROM one.x JOIN one.y USING (a)",
        "ALTER TABLE one.y ADD COLUMN k int",
    ),
    "the table of a function's body": (
        "CREATE FUNCTION two.parsed() RETURNS bigint BEGIN ATOMIC SELECT count(b) FROM one.people; END",
        "ALTER TABLE one.people RENAME COLUMN b TO renamed",
    ),
    "the table of an argument": (
        "CREATE FUNCTION two.of(one.people) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE one.people RENAME TO renamed",
    ),
    "the sequence of a default": (
        "CREATE SEQUENCE one.counter; CREATE TABLE one.x (a int DEFAULT nextval('one.counter'), b int);"
        "CREATE UNIQUE INDEX sole ON one.x (b) WHERE a > 1",
        "ALTER SEQUENCE one.counter RENAME TO counters",
    ),
    "whose sequence it is": (
        "CREATE SEQUENCE one.counter; CREATE TABLE one.x (a int)",
        "ALTER SEQUENCE one.counter OWNED BY one.x.a",
    ),
    "an enum's value in a view": ("SELECT 1", "ALTER TYPE one.mood RENAME VALUE 'sad' TO 'blue'"),
    "an enum's value in an index": (
        "CREATE UNIQUE INDEX sole ON one.people (b) WHERE c = 'sad'",
        "ALTER TYPE one.mood RENAME VALUE 'sad' TO 'blue'",
    ),
    "an enum's value in what is put together of such": (
        "CREATE TYPE one.felt AS (m one.mood); CREATE VIEW two.v AS SELECT '(sad)'::one.felt AS f",
        "ALTER TYPE one.mood RENAME VALUE 'sad' TO 'blue'",
    ),
    "a function's claim in a constraint": (
        "ALTER TABLE one.people ADD CONSTRAINT tested CHECK (one.f(a) > 0)",
        "ALTER FUNCTION one.f(int) VOLATILE",
    ),
    "a function behind an operator in a constraint": (
        "CREATE OPERATOR one.%% (FUNCTION = one.f, RIGHTARG = int);"
        "ALTER TABLE one.people ADD CONSTRAINT tested CHECK ((OPERATOR(one.%%) a) > 0)",
        "ALTER FUNCTION one.f(int) RENAME TO renamed",
    ),
    "a function that a view calls": (
        "CREATE VIEW two.v AS SELECT one.f(1) AS x",
        "ALTER FUNCTION one.f(int) RENAME TO renamed",
    ),
    "a function that is gone from an index's order": (
        "CREATE FUNCTION one.cmp(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';"
        "CREATE OPERATOR CLASS one.odd FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =,"
        " OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 one.cmp(int, int); CREATE INDEX odd ON one.people (a one.odd)",
        "ALTER FUNCTION one.cmp(int, int) RENAME TO compared",
    ),
    "the type of a type's part": (
        "CREATE TABLE two.deep (m one.pair)",
        "ALTER TYPE one.pair ADD ATTRIBUTE whole one.people",
    ),
    "a domain below a domain": (
        "CREATE DOMAIN two.shorter AS one.short; CREATE TABLE two.deep (m two.shorter)",
        "ALTER DOMAIN one.short SET DEFAULT 'z'",
    ),
    "a check of a domain that nothing else has to do with": (
        "ALTER TABLE one.people ADD CONSTRAINT tested CHECK (b::one.short <> '')",
        "CREATE DOMAIN two.other AS timestamptz CHECK (VALUE > now())",
    ),
    "a function behind a domain's check": (
        "CREATE DOMAIN two.other AS int CHECK (one.f(VALUE) > 0);"
        "ALTER TABLE one.people ADD CONSTRAINT tested CHECK (b::one.short <> '')",
        "ALTER FUNCTION one.f(int) VOLATILE",
    ),
    "a trigger's function": (
        "CREATE TRIGGER first BEFORE INSERT ON two.items FOR EACH ROW EXECUTE FUNCTION one.touched()",
        "ALTER FUNCTION one.touched() SET SCHEMA two",
    ),
    "a constraint trigger's other table": (
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON two.items FROM one.people FOR EACH ROW"
        " EXECUTE FUNCTION one.touched()",
        "ALTER TABLE one.people RENAME TO renamed",
    ),
    "the primary key that a view groups by": (
        "CREATE VIEW two.v AS SELECT a, b FROM one.people GROUP BY a",
        "ALTER TABLE one.people RENAME CONSTRAINT people_pkey TO renamed",
    ),
    "a collation": (
        "CREATE COLLATION one.plain FROM \"C\"; CREATE TABLE one.x (a text COLLATE one.plain)",
        "ALTER COLLATION one.plain RENAME TO plainer",
    ),
    "a dictionary in a default": (
        "CREATE TEXT SEARCH CONFIGURATION one.words (COPY = pg_catalog.english); CREATE TABLE one.x (a tsvector"
        " DEFAULT to_tsvector('one.words'::regconfig, 'x'), b int); CREATE UNIQUE INDEX sole ON one.x (b) WHERE b > 1",
        "ALTER TEXT SEARCH CONFIGURATION one.words RENAME TO wordy",
    ),
    "a function of the same name in pg_catalog": (
        "CREATE VIEW two.v AS SELECT lower(b) AS x FROM one.people",
        "CREATE FUNCTION pg_catalog.lower(anyelement) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
    "a schema": ("CREATE VIEW two.v AS SELECT a FROM one.people", "ALTER SCHEMA one RENAME TO renamed"),
    "rows that are moved": ("SELECT 1", "VACUUM FULL pg_catalog.pg_class"),
    "an index that takes another's place": ("CREATE INDEX i ON one.people (b)", "REINDEX INDEX CONCURRENTLY one.i"),
    "a function of an extension": (
        "CREATE VIEW two.v AS SELECT one.f(1) AS x",
        "ALTER EXTENSION plpgsql ADD FUNCTION one.f(int)",
    ),
    "a view's column under a view": (
        "CREATE VIEW two.v AS SELECT * FROM one.shown",
        "ALTER VIEW one.shown RENAME COLUMN b TO renamed",
    ),
    "a partition's whole": (
        "CREATE TABLE one.whole (a int, b int) PARTITION BY RANGE (a); CREATE TABLE one.leaf (a int, b int)",
        "ALTER TABLE one.whole ATTACH PARTITION one.leaf FOR VALUES FROM (1) TO (5)",
    ),
}  # fmt: skip


def same(reading: Reading, connection: Connection) -> None:
    found, expected = known(reading).parts.documents(), known(read(connection)).parts.documents()
    assert {name for name in expected if expected[name] != found[name]} == set()


@pytest.mark.parametrize("what", AFAR)
def test_what_is_seen_from_afar_is_read_again(connection: Connection, what: str) -> None:
    before, change = AFAR[what]
    connection.execute(before)
    now = known(read(connection))
    connection.execute(change)
    reading = read(connection, now)
    assert reading.known is not now
    same(reading, connection)


def test_what_has_nothing_to_do_with_a_change_stays_the_same_object(connection: Connection) -> None:
    snapshots = Snapshots()
    now = known(read(connection))
    before = snapshots.of(now.parts)
    connection.execute("CREATE TABLE one.made (a int PRIMARY KEY); ALTER TABLE two.items ADD COLUMN more int")
    reading = read(connection, now)
    assert reading.changed
    assert not reading.whole
    after = snapshots.of(known(reading).parts)
    same_ones = {key for key, relation in before.relations.items() if after.relations[key] is relation}
    # What refers to a changed table, or shows it, is another; all else is as it was.
    assert same_ones == before.relations.keys() - {("two", "items"), ("two", "listed")}
    assert ("one", "made") in after.relations


def test_nothing_changed_and_rows_written_anew_are_no_change(connection: Connection) -> None:
    now = known(read(connection))
    reading = read(connection, now)
    assert not reading.changed
    connection.execute("COMMENT ON TABLE one.people IS 'people'; GRANT SELECT ON one.people TO PUBLIC; ANALYZE")
    reading = read(connection, known(reading))
    assert not reading.changed
    assert known(reading).versions != now.versions


def test_the_documents_are_the_answers_to_all_statements(connection: Connection) -> None:
    answers = {}
    for name, sql in STATEMENTS:
        cursor = connection.execute(sql)
        if name:
            answers[name] = cursor.fetchall()[0][0]
    parts = known(read(connection)).parts
    assert parts.documents().keys() == answers.keys()
    for name, text in parts.documents().items():
        mine, theirs = json.loads(text), json.loads(answers[name])
        assert mine == theirs or sorted(mine, key=repr) == sorted(theirs, key=repr), name
        assert mine == theirs or name in ("types", "type_oids"), name
    assert Snapshots().of(parts) == snapshot(answers) == snapshot(parts.documents())


# ---- whether the numbers of before say anything


def test_settings_of_new_sessions_have_all_read(connection: Connection, request: pytest.FixtureRequest) -> None:
    """Some change how definitions are printed."""
    connection.execute(
        "CREATE TABLE one.x (a date, b int); CREATE UNIQUE INDEX sole ON one.x (b) WHERE a > '2020-01-31'"
    )
    now = known(read(connection))
    connection.execute("ALTER DATABASE changing SET DateStyle = 'SQL, DMY'")
    with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as new:
        reading = read(new, now)
        assert reading.whole
        assert "31/01/2020" in known(reading).parts.documents()["constraints"]
        same(reading, new)


def test_another_database_of_the_same_name_is_read_as_a_whole(connection: Connection) -> None:
    now = known(read(connection))
    parameters = {**connection.info.get_parameters(), "password": connection.info.password, "dbname": "postgres"}
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute("DROP DATABASE changing WITH (FORCE)")
        other.execute("CREATE DATABASE changing")
    with psycopg.connect(**{**parameters, "dbname": "changing"}, autocommit=True) as new:
        reading = read(new, now)
        assert reading.whole
        same(reading, new)


@pytest.fixture
def own_server(open_directory: Path, request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres.start(open_directory / request.node.name[:40])
    yield server
    server.stop()


def test_a_crash_has_all_read(own_server: EmbeddedPostgres) -> None:
    """What was committed shortly before may be gone, and its numbers given to something else."""
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        now = known(read(connection))
        assert not read(connection, now).whole
        with psycopg.connect(own_server.url(), autocommit=True) as other:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            # Only when the server has noticed does it end the others.
            with pytest.raises(psycopg.OperationalError):
                other.execute("SELECT pg_sleep(100)")
    own_server._wait()
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        reading = read(connection, now)
        assert reading.whole
        assert known(reading).place == now.place, "nothing but its processes tells"


def test_a_restart_has_all_read(own_server: EmbeddedPostgres) -> None:
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        now = known(read(connection))
    own_server.stop()
    again = EmbeddedPostgres.start(own_server.directory, port=own_server.port)
    try:
        with psycopg.connect(again.url(password=own_server.password), autocommit=True) as connection:
            assert read(connection, now).whole
    finally:
        again.stop()


def test_sessions_that_begin_are_no_processes_that_a_crash_ended(connection: Connection) -> None:
    now = known(read(connection))
    others = replace(now, processes=now.processes | {1})
    assert not read(connection, others).whole
    assert known(read(connection, others)).processes == now.processes
    assert read(connection, replace(now, processes=frozenset({1, 2}))).whole
    assert read(connection, replace(now, processes=frozenset())).whole
