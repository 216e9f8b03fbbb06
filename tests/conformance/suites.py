"""The suites, in the order in which they are run: each should be green before one looks at the next.

How a kind of suite is fetched and run is `kinds.py`'s.
"""

from __future__ import annotations

import re
import sys

from tests.conformance.kinds import PGX, Django, Pgx, Pytest, Scenarios, Suite, extension


def _sqlalchemy(driver: str, part: tuple[str, ...]) -> Pytest:
    return Pytest(
        name=f"sqlalchemy-{driver}",
        requirement="sqlalchemy==2.1.0",
        sha256="37600e4641c435a7e4549f4e6df79d9dfc096bb9712a10dba8925921bc87bc3c",
        folders=("test", "setup.cfg", "pyproject.toml"),
        arguments=("test/dialect/postgresql", "test/dialect/test_suite.py"),
        part=part,
        environment="sqlalchemy",
        needs="citext",
        dbnames=("test",),
        settings={"max_prepared_transactions": "10"},
        sql=(
            "CREATE SCHEMA test_schema; CREATE SCHEMA test_schema_2;"
            f"{extension('hstore')} {extension('citext')}"
            "ALTER DATABASE test SET default_text_search_config = 'pg_catalog.english';"
        ),
        options=lambda place: ["--dburi", place.url(f"postgresql+{driver}"), "--backend-only"],
        # Their plug-in names classes after the database at hand.
        address=lambda test: re.sub(r"_postgresql\+\w+", "", test),
    )


# Those of Django's tests that have most to do with the database.
_DJANGO_LABELS = """
    backends postgres_tests transactions schema inspectdb queries aggregation annotations bulk_create
    constraints db_functions delete expressions expressions_window indexes introspection lookup migrations
    model_fields raw_query select_for_update timezones transaction_hooks update
"""

SUITES: tuple[Suite, ...] = (
    Pytest(
        name="asyncpg",
        requirement="asyncpg==0.32.0",
        sha256="45e64e56714d888330b884aad1dfb363d0bf43fb343e3d1a8968525f3bade478",
        folders=("tests",),
        # Their linters are of no interest here.
        arguments=("tests", "--ignore=tests/test__sourcecode.py"),
    ),
    Pytest(
        name="psycopg2",
        requirement="psycopg2==2.9.13",
        sha256="d36784fc2dae69523ba4b79c7d1d1b4d6e83e87836874f111262f4db940b16a6",
        folders=("tests",),
        arguments=("tests",),
        part=("tests",),
        dbnames=("psycopg2_test",),
        settings={"max_prepared_transactions": "10"},
        sql=extension("hstore"),
    ),
    Pytest(
        name="pg8000",
        requirement="pg8000==1.31.6",
        sha256="553b240256d4b2d8f0ad2af28d07df1f9980247f74ac98d2c2b573762ec1ff1b",
        folders=("test",),
        # Their logins by other methods need a server of another set-up; their benchmarks say nothing here.
        arguments=("test", "--ignore-glob=*/auth/*", "--ignore-glob=*/test_benchmarks.py"),
        part=("test/native", "--ignore-glob=*/auth/*", "--ignore-glob=*/test_benchmarks.py"),
        postgres=16,
        settings={"max_prepared_transactions": "10"},
        sql=extension("hstore"),
    ),
    Pgx(
        name="pgx",
        packages=(f"{PGX}/pgconn", PGX, "."),
        # Without ConnCopyFromConnectionTerminated: it is listed, and waits for two minutes.
        part="^Test(Refused|Pipeline|ConnCopy(To|From([^C]|Copy))|CancelRequest|ConnSendBatch)",
    ),
    _sqlalchemy("psycopg", ()),
    _sqlalchemy("asyncpg", ()),
    Django(
        name="django",
        requirement="Django==5.2",
        needs="collations of ICU",
        sha256="1a47f7a7a3d43ce64570d350e008d2949abe8c7e21737b351b6a1611277c6d89",
        labels=tuple(_DJANGO_LABELS.split()),
        part=(),
    ),
    Scenarios(
        name="node-postgres",
        folder="node",
        install=("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"),
        command=("node", "--no-deprecation", "scenarios.mjs"),
    ),
    Scenarios(
        name="postgresql-tools",
        folder="tools",
        install=("true",),
        command=(sys.executable, "scenarios.py"),
    ),
    Scenarios(
        name="pgjdbc",
        folder="java",
        install=("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"),
        command=("java", "-cp", "jars/*", "Scenarios.java"),
    ),
)
