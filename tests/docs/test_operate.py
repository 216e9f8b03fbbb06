"""What the pages for operators tell people to do works, and what they quote is there."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
import yaml
from tests.sidecar.program import PASSWORD, Program, yard

from docs import values
from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.resources import check, load

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("operate", "onboard", "troubleshoot")
OPERATE, ONBOARD, TROUBLESHOOT = ((ROOT / "docs" / f"{name}.md").read_text() for name in PAGES)
CHART = ROOT / "charts" / "penstock"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_values_for_production_pass_the_schema() -> None:
    (example,) = blocks(OPERATE, "yaml")
    jsonschema.validate(yaml.safe_load(example), json.loads((CHART / "values.schema.json").read_text()))


def test_the_resources_of_an_application_are_valid() -> None:
    resources, _ = blocks(ONBOARD, "yaml")
    assert check(load(resources, "onboard.md")) == []


def test_the_backup_is_whole_while_the_store_is_written_to(tmp_path: Path) -> None:
    (script,) = re.findall(r'python3 -c "\n(.*?)\n"', OPERATE, re.DOTALL)
    store, backup = tmp_path / "audit.db", tmp_path / "backup.db"
    writer = sqlite3.connect(store)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE events (seq int)")
    writer.execute("INSERT INTO events VALUES (1)")
    writer.commit()
    # Not committed yet, and open.
    writer.execute("INSERT INTO events VALUES (2)")
    command = script.replace('\\"', '"').replace("/var/lib/penstock", str(tmp_path))
    subprocess.run([sys.executable, "-c", command], check=True)
    writer.commit()
    assert writer.execute("SELECT count(*) FROM events").fetchone() == (2,)
    writer.close()
    copy = sqlite3.connect(backup)
    assert copy.execute("SELECT seq FROM events").fetchall() == [(1,)]
    copy.close()


@pytest.fixture
def gate(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Program]:
    program = Program.start(tmp_path, yard(postgres))
    yield program
    program.process.terminate()
    program.process.wait()


def test_another_login_in_the_secret_is_used_from_the_next_on(gate: Program, postgres: EmbeddedPostgres) -> None:
    def connected() -> psycopg.Connection[Any]:
        return psycopg.connect(f"host=127.0.0.1 port={gate.port} user=app dbname=yard sslmode=disable", autocommit=True)

    def login(client: psycopg.Connection[Any]) -> str:
        (pid,) = client.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        return postgres.psql(f"SELECT usename FROM pg_stat_activity WHERE pid = {pid}").strip()

    postgres.psql("CREATE ROLE yard_2 LOGIN PASSWORD 'another one'; GRANT yard TO yard_2")
    with connected() as before:
        assert login(before) == "yard"
        credentials = gate.directory / "credentials"
        (credentials / "username").write_text("yard_2")
        (credentials / "password").write_text("another one")
        postgres.psql("ALTER ROLE yard NOLOGIN")
        try:
            with connected() as after:
                assert login(after) == "yard_2"
            assert login(before) == "yard", "a session that is there lives on"
        finally:
            postgres.psql(f"ALTER ROLE yard LOGIN PASSWORD '{PASSWORD}'")


def sources() -> str:
    """All strings of the programs and of the chart's templates, what is filled in left out as in the page."""
    texts = [path.read_text() for path in (CHART / "templates").rglob("*.*")]
    for part in ("core", "operator", "sidecar", "collector"):
        for path in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    texts.append("".join(one.value if isinstance(one, ast.Constant) else "…" for one in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return "\n".join(texts)


def test_each_message_that_is_quoted_is_one_of_ours() -> None:
    table = TROUBLESHOOT.partition("## By message")[2]
    quoted = [words for words in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE) if "calling webhook" not in words]
    assert len(quoted) > 10
    said = sources().replace("penstock.dev/database", "…database")
    lost = [
        words
        for words in quoted
        if not all(
            part.strip(', "') in said for part in words.replace("penstock.dev/database", "…database").split("…") if part
        )
    ]
    assert lost == []


def test_the_page_of_values_has_each_value() -> None:
    def leaves(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                yield from leaves(inner, f"{path}.{name}".removeprefix("."))
        else:
            yield path

    told = {one.path for one in values.values()}
    missing = [
        path
        for path in leaves(yaml.safe_load((CHART / "values.yaml").read_text()), "")
        # Of what is written in one line, the line.
        if not any(path == one or path.startswith(f"{one}.") for one in told)
    ]
    assert missing == []
