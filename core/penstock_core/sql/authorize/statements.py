"""Whole statements: verbs, settings, WHERE, and what kinds of statements need besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.statement_kinds import CODE, OWN, VERB_OF, kind_of
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.authorize import plain_changes
from penstock_core.sql.authorize.authorizer import Authorizer, certain
from penstock_core.sql.authorize.plain_changes import without_event_triggers
from penstock_core.sql.authorize.settings import check_setting, loosens
from penstock_core.sql.authorize.write_targets import unmasked_view
from penstock_core.sql.bind.binder import strings
from penstock_core.sql.bind.name_resolution import TEMPORARY
from penstock_core.sql.bind.references import (
    ObjectsDropped,
    RowChoice,
    SettingChange,
    StatementUse,
    TableCreated,
    TablePart,
    VerbUse,
    ViewDefined,
)
from penstock_core.sql.bind.statements import is_temporary
from penstock_core.sql.bind.writes import target_name
from penstock_core.sql.catalog.model import Relation, RelationName, Routine
from penstock_core.sql.guardrails.own_rows import beside_itself
from penstock_core.sql.guardrails.require_where import Target, chooses
from penstock_core.sql.refusal import Refused, not_supported, refused
from penstock_core.sql.syntax.type_names import name_parts

StatementRule = Callable[[Authorizer, Any], None]

_ACCESS_SHARE = 1
_COPY_OPTIONS = words("""
    format freeze delimiter null default header quote escape force_quote force_not_null force_null encoding on_error
    log_verbosity reject_limit
""")
_TRANSACTIONS = frozenset(
    {
        enums.TransactionStmtKind.TRANS_STMT_BEGIN,
        enums.TransactionStmtKind.TRANS_STMT_START,
        enums.TransactionStmtKind.TRANS_STMT_COMMIT,
        enums.TransactionStmtKind.TRANS_STMT_ROLLBACK,
        enums.TransactionStmtKind.TRANS_STMT_SAVEPOINT,
        enums.TransactionStmtKind.TRANS_STMT_RELEASE,
        enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_TO,
    }
)
_TWO_PHASE = frozenset(
    {
        enums.TransactionStmtKind.TRANS_STMT_PREPARE,
        enums.TransactionStmtKind.TRANS_STMT_COMMIT_PREPARED,
        enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_PREPARED,
    }
)
# What DROP may remove where something is masked: nothing that other things are checked by.
_DROPPED = frozenset(
    {
        enums.ObjectType.OBJECT_TABLE,
        enums.ObjectType.OBJECT_VIEW,
        enums.ObjectType.OBJECT_MATVIEW,
        enums.ObjectType.OBJECT_INDEX,
        enums.ObjectType.OBJECT_SEQUENCE,
    }
)


# ---- rules for every access


def verb(authorizer: Authorizer, use: VerbUse) -> None:
    """A verb that some policy allows; the session's own temporary tables need none, by a name that means no other."""
    if use.own is not None and use.verb not in authorizer.governed.policies.allow:
        authorizer.found.edits.set(use.own, "schemaname", TEMPORARY)
        authorizer.found.pinned = True
    else:
        authorizer.allow_verb(use.verb)


def setting(authorizer: Authorizer, change: SettingChange) -> None:
    """A setting that may be changed, to that."""
    if isinstance(change.node, ast.FuncCall):
        authorizer.deny_function(("set_config",))
    check_setting(change.node, change.written, authorizer.bounds)
    authorizer.found.loosens |= loosens(change.node, change.written, authorizer.bounds)


# Where a statement has what it joins its target with.
_JOINED = ("usingClause", "fromClause", "sourceRelation")


def row_choice(authorizer: Authorizer, choice: RowChoice) -> None:
    """A WHERE that chooses rows, where a policy demands one."""
    rule = authorizer.governed.require_where.get(choice.verb)
    if rule is None:
        return
    where, item = getattr(choice.owner, choice.field), choice.target.item
    relation = choice.target.source.relation
    columns = relation.columns if relation is not None else ()
    known = None if relation is None else frozenset(column.name for column in columns)
    not_null = frozenset(column.name for column in columns if column.not_null)
    key = relation.key if relation is not None else None
    sources = [one for field in _JOINED if (one := getattr(choice.owner, field, None)) is not None]
    joined = [one for source in sources for one in (source if isinstance(source, tuple) else (source,))]
    target = beside_itself(Target(target_name(item), key, known, not_null), where, joined)
    if not chooses(where, target):
        place = f"{relation.schema}.{relation.name}" if relation is not None else item.relname
        without = "without WHERE" if where is None else "with a WHERE that is always true"
        raise refused(f"{choice.verb.upper()} {without} on {place}", "add a WHERE that chooses the rows you mean", rule)
    authorizer.choices.append(choice)


def copy(authorizer: Authorizer, statement: ast.CopyStmt) -> None:
    """COPY with the client; files and programs are the server's own."""
    if statement.is_program or statement.filename is not None:
        raise refused("COPY with a file or program of the server is not allowed", "use STDIN or STDOUT")
    for option in statement.options or ():
        if option.defname not in _COPY_OPTIONS:
            raise refused(f"COPY with the option {option.defname} is not allowed", "remove the option")


def _unmasked_transaction(authorizer: Authorizer, statement: ast.TransactionStmt) -> None:
    if statement.kind not in _TRANSACTIONS | _TWO_PHASE:
        raise refused("this transaction statement is not supported", "use COMMIT")


def _unmasked_fetch(authorizer: Authorizer, statement: ast.FetchStmt) -> None:
    authorizer.found.writes = True


def _nothing_more(authorizer: Authorizer, statement: ast.Node) -> None:
    """What is in it has been looked at."""


def _schema_change(authorizer: Authorizer, statement: ast.Node) -> None:
    """By the policy's verbs, where nothing is masked."""
    kind = kind_of(statement)
    if kind is None:
        raise _servers_business(statement)
    if type(statement) in CODE:
        authorizer.allow_code(kind)
    elif isinstance(statement, ast.LockStmt):
        _lock(authorizer, statement)
    elif type(statement) not in OWN:
        authorizer.allow_verb(VERB_OF[type(statement)], kind.name)


def _lock(authorizer: Authorizer, statement: ast.LockStmt) -> None:
    """The weakest lock is for readers; all others are for those who change rows."""
    authorizer.allow_verb("select" if statement.mode == _ACCESS_SHARE else "update", "LOCK")


# ---- rules where something is masked


def _masked_transaction(authorizer: Authorizer, statement: ast.TransactionStmt) -> None:
    if statement.kind not in _TRANSACTIONS:
        raise refused("two-phase commit is not allowed where columns are masked", "use COMMIT")


def _reads_masked(authorizer: Authorizer, statement: ast.Node) -> None:
    """What EXECUTE and FETCH run was decided when it was made; it may be about masked columns."""
    authorizer.found.touched = True


def _masked_listen(authorizer: Authorizer, statement: ast.ListenStmt) -> None:
    """Messages of others' come as they were sent, those of triggers about rows of masked columns included."""
    channel = statement.conditionname or ""
    if channel not in authorizer.governed.policies.allow_channels:
        raise refused(
            f"LISTEN {channel} is not allowed where columns are masked: what is sent there may hold what is masked",
            "have a policy list the channel in allowChannels, or poll a table",
        )


def _masked_explain(authorizer: Authorizer, statement: ast.ExplainStmt) -> None:
    if authorizer.found.touched:
        raise refused(
            "EXPLAIN of what reads masked columns is not allowed: it shows statistics of what is stored",
            "run the statement itself",
        )
    if authorizer.found.laid_out:
        raise refused(
            f"EXPLAIN of {authorizer.found.laid_out} is not allowed: it reads the rows of a relation with masked "
            "columns, and shows statistics of what is stored",
            "run the statement itself",
        )


def _masked_truncate(authorizer: Authorizer, statement: ast.TruncateStmt) -> None:
    if statement.behavior == enums.DropBehavior.DROP_CASCADE:
        raise refused("TRUNCATE … CASCADE empties tables that are not named", "name them all")


def _masked_schema_change(authorizer: Authorizer, statement: ast.Node) -> None:
    kind = kind_of(statement)
    if kind is None:
        raise _servers_business(statement)
    raise refused(
        f"{kind.name} is not allowed where columns are masked: it could show them, or take the masks off", kind.remedy
    )


UNMASKED_STATEMENTS: Mapping[type[ast.Node], StatementRule] = {
    ast.CopyStmt: copy,
    ast.TransactionStmt: _unmasked_transaction,
    ast.ExecuteStmt: _nothing_more,
    ast.FetchStmt: _unmasked_fetch,
    ast.ExplainStmt: _nothing_more,
    ast.CallStmt: _nothing_more,
    ast.TruncateStmt: _nothing_more,
}
MASKED_STATEMENTS: Mapping[type[ast.Node], StatementRule] = {
    ast.CopyStmt: copy,
    ast.TransactionStmt: _masked_transaction,
    ast.ExecuteStmt: _reads_masked,
    ast.FetchStmt: _reads_masked,
    ast.ExplainStmt: _masked_explain,
    ast.CallStmt: _nothing_more,
    ast.TruncateStmt: _masked_truncate,
    ast.LockStmt: _lock,
    ast.NotifyStmt: _nothing_more,
    ast.ListenStmt: _masked_listen,
    ast.IndexStmt: plain_changes.masked_index,
    ast.AlterTableStmt: plain_changes.masked_alter,
    ast.VacuumStmt: plain_changes.masked_analyze,
    ast.CommentStmt: plain_changes.masked_comment,
    ast.ViewStmt: plain_changes.masked_view,
    ast.CreateTableAsStmt: plain_changes.masked_materialized_view,
    ast.RefreshMatViewStmt: plain_changes.masked_refresh,
    ast.CreateSchemaStmt: plain_changes.masked_schema,
    ast.CreateSeqStmt: plain_changes.masked_sequence,
    ast.RenameStmt: plain_changes.masked_rename,
    ast.CreateStatsStmt: plain_changes.masked_statistics,
    ast.CreateEnumStmt: plain_changes.masked_enum,
    ast.AlterEnumStmt: plain_changes.masked_enum_value,
}


def unmasked_statement(authorizer: Authorizer, use: StatementUse) -> None:
    """A statement of a kind with a rule of its own; every other one changes the schema."""
    UNMASKED_STATEMENTS.get(type(use.node), _schema_change)(authorizer, use.node)


def masked_statement(authorizer: Authorizer, use: StatementUse) -> None:
    """The same, where something is masked."""
    MASKED_STATEMENTS.get(type(use.node), _masked_schema_change)(authorizer, use.node)


# ---- tables that come and go


def unmasked_table(authorizer: Authorizer, created: TableCreated) -> None:
    """A temporary table is the session's own, any other needs the verb."""
    if created.item is None or not is_temporary(created.item):
        authorizer.allow_verb("create", "CREATE TABLE")


def masked_table(authorizer: Authorizer, created: TableCreated) -> None:
    """The same; and no code of the database's own runs by it."""
    without_event_triggers(authorizer)
    unmasked_table(authorizer, created)
    if created.certainly and created.item is not None:
        authorizer.made.add((created.item.schemaname or "", created.item.relname or ""))


def masked_table_part(authorizer: Authorizer, part: TablePart) -> None:
    """What of CREATE TABLE refers to other objects."""
    raise not_supported(part.what, part.remedy)


def _is_own(authorizer: Authorizer, dropped: ObjectsDropped) -> bool:
    """Whether nothing of others' goes."""
    return dropped.temporary or (dropped.nowhere and "drop" not in authorizer.governed.policies.allow)


def unmasked_drop(authorizer: Authorizer, dropped: ObjectsDropped) -> None:
    """The session's own temporary tables go without a verb, by names that mean no others."""
    if _is_own(authorizer, dropped):
        _leave_alone(authorizer, dropped)
    else:
        authorizer.allow_verb("drop")


def _leave_alone(authorizer: Authorizer, dropped: ObjectsDropped) -> None:
    """Only what is the session's own may go: what exists by now was not meant by a name that nothing had."""
    objects = tuple(strings(TEMPORARY, name[-1]) for name in dropped.names)
    authorizer.found.edits.set(dropped.node, "objects", objects)
    authorizer.found.pinned = True


def masked_drop(authorizer: Authorizer, dropped: ObjectsDropped) -> None:
    """The same; and nothing goes that masks spread through, nor what is not named."""
    without_event_triggers(authorizer)
    unmasked_drop(authorizer, dropped)
    if _is_own(authorizer, dropped):
        return
    if dropped.node.removeType not in _DROPPED:
        raise refused(
            "DROP of that kind of object is not allowed where columns are masked: others may be checked by it",
            "ask the database's owner to do it",
        )
    cascade = dropped.node.behavior == enums.DropBehavior.DROP_CASCADE
    if cascade and dropped.nowhere:
        _leave_alone(authorizer, dropped)
        return
    if cascade and dropped.unknown:
        raise refused("DROP … CASCADE of what is not known removes what nobody named", "check the names")
    for name in dropped.names:
        _droppable(authorizer, name, cascade=cascade)


def _droppable(authorizer: Authorizer, name: tuple[str, ...], *, cascade: bool) -> None:
    """Refuses what masks spread through: without a foreign key, say, its other end would show."""
    for relation in authorizer.governed.named.get(name[-1], ()):
        if name[-2:-1] not in ((), (relation.schema,)):
            continue
        if authorizer.governed.governs(relation):
            raise refused(
                f"{relation.schema}.{relation.name} cannot be dropped: it has masked columns, and masks of others may "
                "depend on it",
                "ask someone for whom nothing is masked to drop it",
            )
        if cascade and (held := _held_by(authorizer, relation)):
            raise refused(
                f"DROP … CASCADE of {relation.schema}.{relation.name} would change {held}, which is not named",
                "drop without CASCADE, after what depends on it",
            )


def _held_by(authorizer: Authorizer, relation: Relation) -> str:
    """What CASCADE would change besides views without masks: these go with what they show."""
    relations = authorizer.catalog.relations
    pending, seen = [relation], {relation.key}
    while pending:
        gone = pending.pop()
        row = f"{gone.schema}.{gone.name}"
        for other in relations.values():
            depends = gone.key in other.sources or gone.key in other.parents
            if depends and other.kind in ("v", "m") and not authorizer.governed.governs(other):
                pending.extend(() if other.key in seen else (other,))
                seen.add(other.key)
            elif depends or any(_is_of(column.type_name, gone) for column in other.columns):
                return f"{other.schema}.{other.name}"
        if gone.referenced:
            return f"the foreign keys that refer to {row}"
        for place, routines in authorizer.catalog.routines.items():
            if any(_needs(routine, gone) for routine in routines):
                return ".".join(place)
    return ""


def _needs(routine: Routine, relation: Relation) -> bool:
    """Whether a function takes or returns rows of it, or has a body that the server keeps analysed and may read it."""
    rows = _rows_of(relation)
    return (
        routine.returns in rows or any(one.type in rows for one in routine.arguments) or relation.name in routine.parsed
    )


def _is_of(type_name: str, relation: Relation) -> bool:
    """Whether a column's type is the row of that relation, or an array of it."""
    return tuple(name_parts(type_name)[:2]) in _rows_of(relation)


def _rows_of(relation: Relation) -> tuple[RelationName, RelationName]:
    """The types of its row and of arrays of that."""
    return relation.key, (relation.schema, f"_{relation.name}")


def view_defined(authorizer: Authorizer, view: ViewDefined) -> None:
    """A view through which the system's own relations could be written to is refused."""
    resolved = certain(view.resolved)
    if resolved is None or resolved.temporary:
        return
    if resolved.relation is None:
        raise refused(
            f"a view of {resolved.schema}.{resolved.name} could be used to change it",
            "read the relation itself, or use SELECT DISTINCT in the view",
        )
    unmasked_view(authorizer, resolved.relation)


def _servers_business(statement: ast.Node) -> Refused:
    """What nobody may send through the gate: roles, databases, replication, foreign servers, the server's settings."""
    return refused(
        f"{_in_words(type(statement))} does not go through the gate: it is the business of whoever runs the server",
        "have it done on a connection of the server's administrator",
    )


def _in_words(kind: type[ast.Node]) -> str:
    """`AlterTableStmt` as ALTER TABLE."""
    name = kind.__name__.removesuffix("Stmt")
    name = {"Createdb": "CreateDatabase", "Dropdb": "DropDatabase"}.get(name, name)
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip().upper()
