"""The classes of nodes of statements that change the schema: each is one of the parser's, and is walked through."""

from __future__ import annotations

import pytest
from pglast import ast, parse_sql
from tests.core.sql.authorize.test_statements import NEEDS
from tests.core.sql.bind.test_binder import fields
from tests.core.sql.bind.world import found

from penstock_core.sql.allowlists import statement_kinds
from penstock_core.sql.allowlists.schema_nodes import SCHEMA_NODES
from penstock_core.sql.allowlists.syntax_nodes import KNOWN
from penstock_core.sql.bind.references import Unclaimed
from penstock_core.sql.syntax.walk import below


def test_each_listed_field_is_one_of_its_class() -> None:
    for kind, names in SCHEMA_NODES.items():
        assert names <= fields(kind).keys(), kind.__name__


def test_every_kind_of_statement_that_somebody_may_send_is_listed() -> None:
    assert statement_kinds._KINDS.keys() - SCHEMA_NODES.keys() - KNOWN.keys() == set()


def test_what_nobody_may_send_is_not_listed() -> None:
    """Roles, databases, replication, foreign servers, the server's own settings."""
    for word in ("Role", "Database", "Tablespace", "Publication", "Subscription", "Foreign", "Fdw", "System", "Load"):
        assert [kind.__name__ for kind in SCHEMA_NODES if word in kind.__name__ and kind is not ast.RoleSpec] == []


@pytest.mark.parametrize("text", NEEDS)
def test_what_may_be_sent_consists_of_them(text: str) -> None:
    assert found(text, Unclaimed) == []


@pytest.mark.parametrize("kind", [ast.IndexElem, ast.AlterTableCmd, ast.DefElem, ast.Constraint, ast.ColumnDef])
def test_a_class_that_is_not_listed_is_refused(monkeypatch: pytest.MonkeyPatch, kind: type[ast.Node]) -> None:
    texts = (
        "CREATE INDEX ON people (id)",
        "ALTER TABLE people ADD CONSTRAINT c UNIQUE (id)",
        "CREATE SEQUENCE s CACHE 1",
        "ALTER TABLE people ADD COLUMN a int",
    )
    using = [text for text in texts if any(type(one) is kind for one in below(parse_sql(text)[0].stmt))]
    assert using
    monkeypatch.delitem(SCHEMA_NODES, kind)
    for text in using:
        assert kind in [type(one.node) for one in found(text, Unclaimed)]
