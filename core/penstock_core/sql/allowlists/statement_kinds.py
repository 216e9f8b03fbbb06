"""The kinds of utility statements that change the schema or more: a table of names, verbs and remedies. Data alone.

What is in none of these is refused to everybody: roles and passwords, databases and tablespaces, replication, foreign
servers, the server's own settings and files. Those are the business of whoever runs the server.
"""

from __future__ import annotations

from dataclasses import dataclass

from pglast import ast


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of statement, as people call it, and what to do where it is refused."""

    name: str
    remedy: str = "ask the database's owner to do it"


_ASK = "ask the database's owner for it"
_PLAIN = "send the statements themselves"

# The verb of `allow` that each needs.
_VERBS: dict[str, dict[type[ast.Node], Kind]] = {
    "create": {
        ast.CreateStmt: Kind("CREATE TABLE", _ASK),
        ast.CreateTableAsStmt: Kind("CREATE MATERIALIZED VIEW", _ASK),
        ast.ViewStmt: Kind("CREATE VIEW", _ASK),
        ast.IndexStmt: Kind("CREATE INDEX", _ASK),
        ast.CreateSeqStmt: Kind("CREATE SEQUENCE", _ASK),
        ast.CreateSchemaStmt: Kind("CREATE SCHEMA", _ASK),
        ast.CreateDomainStmt: Kind("CREATE DOMAIN", _ASK),
        ast.CreateEnumStmt: Kind("CREATE TYPE", _ASK),
        ast.CreateRangeStmt: Kind("CREATE TYPE", _ASK),
        ast.CompositeTypeStmt: Kind("CREATE TYPE", _ASK),
        ast.CreatePolicyStmt: Kind("CREATE POLICY", _ASK),
        ast.CreateStatsStmt: Kind("CREATE STATISTICS", _ASK),
        ast.CommentStmt: Kind("COMMENT"),
    },
    "alter": {
        ast.AlterTableStmt: Kind("ALTER TABLE"),
        ast.RenameStmt: Kind("ALTER … RENAME"),
        ast.AlterObjectSchemaStmt: Kind("ALTER … SET SCHEMA"),
        ast.AlterObjectDependsStmt: Kind("ALTER … DEPENDS ON EXTENSION"),
        ast.AlterOwnerStmt: Kind("ALTER … OWNER"),
        ast.AlterSeqStmt: Kind("ALTER SEQUENCE"),
        ast.AlterDomainStmt: Kind("ALTER DOMAIN"),
        ast.AlterEnumStmt: Kind("ALTER TYPE"),
        ast.AlterTypeStmt: Kind("ALTER TYPE"),
        ast.AlterPolicyStmt: Kind("ALTER POLICY"),
        ast.AlterStatsStmt: Kind("ALTER STATISTICS"),
        ast.AlterCollationStmt: Kind("ALTER COLLATION"),
        ast.AlterFunctionStmt: Kind("ALTER FUNCTION"),
        ast.AlterDefaultPrivilegesStmt: Kind("ALTER DEFAULT PRIVILEGES"),
        ast.GrantStmt: Kind("GRANT or REVOKE"),
        ast.ReplicaIdentityStmt: Kind("ALTER TABLE … REPLICA IDENTITY"),
        ast.RefreshMatViewStmt: Kind("REFRESH MATERIALIZED VIEW"),
        ast.ReindexStmt: Kind("REINDEX"),
        ast.ClusterStmt: Kind("CLUSTER"),
        ast.VacuumStmt: Kind("VACUUM or ANALYZE", "leave it to autovacuum"),
    },
    "update": {ast.LockStmt: Kind("LOCK", "use SELECT … FOR UPDATE")},
}

VERB_OF: dict[type[ast.Node], str] = {node: verb for verb, nodes in _VERBS.items() for node in nodes}

# What runs code of the identity's own making, now or later.
_CODE: dict[type[ast.Node], Kind] = {
    ast.DoStmt: Kind("DO", _PLAIN),
    ast.CreateFunctionStmt: Kind("CREATE FUNCTION", _ASK),
    ast.CreateTrigStmt: Kind("CREATE TRIGGER", _ASK),
    ast.RuleStmt: Kind("CREATE RULE", _ASK),
    ast.CreateCastStmt: Kind("CREATE CAST", _ASK),
    ast.DefineStmt: Kind("CREATE of an aggregate, operator or type", _ASK),
    ast.CreateOpClassStmt: Kind("CREATE OPERATOR CLASS", _ASK),
    ast.CreateOpFamilyStmt: Kind("CREATE OPERATOR FAMILY", _ASK),
    ast.AlterOpFamilyStmt: Kind("ALTER OPERATOR FAMILY"),
    ast.AlterOperatorStmt: Kind("ALTER OPERATOR"),
    ast.CreateConversionStmt: Kind("CREATE CONVERSION", _ASK),
    ast.CreateTransformStmt: Kind("CREATE TRANSFORM", _ASK),
    ast.AlterTSDictionaryStmt: Kind("ALTER TEXT SEARCH DICTIONARY"),
    ast.AlterTSConfigurationStmt: Kind("ALTER TEXT SEARCH CONFIGURATION"),
    ast.CreateAmStmt: Kind("CREATE ACCESS METHOD", _ASK),
    ast.CreateExtensionStmt: Kind("CREATE EXTENSION", _ASK),
    ast.AlterExtensionStmt: Kind("ALTER EXTENSION"),
}
CODE = frozenset(_CODE)

# What concerns the session and others that listen, and no data.
_OWN: dict[type[ast.Node], Kind] = {
    ast.ListenStmt: Kind("LISTEN", "poll a table"),
    ast.NotifyStmt: Kind("NOTIFY", "write to a table"),
}
OWN = frozenset(_OWN)

_KINDS: dict[type[ast.Node], Kind] = {
    **{node: kind for nodes in _VERBS.values() for node, kind in nodes.items()},
    **_CODE,
    **_OWN,
}

# Words that code in SQL or PL/pgSQL needs in order to change the catalog: the statements themselves, or EXECUTE of a
# text. As a regular expression of PostgreSQL's.
CHANGING_WORDS = r"\m(create|alter|drop|execute|grant|revoke|import|reassign|cluster|dblink\w*)\M"


def kind_of(node: ast.Node) -> Kind | None:
    """The kind of a statement; None for what nobody may send."""
    return _KINDS.get(type(node))


def word_of(node: ast.Node) -> str:
    """The verb that the statement is recorded under: the first word of its name."""
    kind = kind_of(node)
    name = kind.name if kind is not None else type(node).__name__.removesuffix("Stmt")
    return name.split()[0].lower()
