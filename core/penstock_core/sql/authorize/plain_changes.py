"""Changes of the schema that masked identities may make: of what holds no masked column, by what runs no code.

Allowed where the identity has the verb: indexes, columns and plain constraints of tables without masks, views over
such, their ANALYZE and REFRESH, comments, sequences, schemas. Its own temporary tables need no verb. What is not listed
here, clause by clause, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from pglast import ast, enums

from penstock_core.sql.allowlists.statement_kinds import VERB_OF
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.authorize.authorizer import Authorizer, certain
from penstock_core.sql.authorize.filtered_targets import refuse_validation
from penstock_core.sql.authorize.likely_names import likely
from penstock_core.sql.authorize.relations import qualify, temporary, unknown_relation
from penstock_core.sql.bind.binder import idents, strings
from penstock_core.sql.bind.name_resolution import Ambiguous, MadeName, ResolvedRelation
from penstock_core.sql.bind.references import (
    ForeignKeyMade,
    QueryKept,
    Reference,
    RelationChanged,
    RelationLiked,
    RelationMade,
    RelationRead,
)
from penstock_core.sql.bind.schema_changes import RENAMED
from penstock_core.sql.catalog.model import Column, Constraint, Relation
from penstock_core.sql.refusal import Refused, refused, unknown
from penstock_core.sql.syntax.type_names import name_parts
from penstock_core.sql.syntax.walk import below

_INDEX_METHODS = words("brin btree gin gist hash spgist")
_OPERATOR_CLASSES = words("bpchar_pattern_ops inet_ops jsonb_path_ops text_pattern_ops varchar_pattern_ops")
_AT = enums.AlterTableType
_OBJECTS = enums.ObjectType
_COMMENTED = frozenset(
    {
        _OBJECTS.OBJECT_TABLE, _OBJECTS.OBJECT_COLUMN, _OBJECTS.OBJECT_VIEW, _OBJECTS.OBJECT_MATVIEW,
        _OBJECTS.OBJECT_INDEX, _OBJECTS.OBJECT_SEQUENCE, _OBJECTS.OBJECT_SCHEMA, _OBJECTS.OBJECT_TABCONSTRAINT,
    }
)  # fmt: skip
_COMMANDS = frozenset(
    {
        _AT.AT_AddColumn, _AT.AT_AddConstraint, _AT.AT_ColumnDefault, _AT.AT_AlterColumnType, _AT.AT_DropColumn,
        _AT.AT_DropConstraint, _AT.AT_DropNotNull, _AT.AT_SetNotNull, _AT.AT_SetStatistics, _AT.AT_ValidateConstraint,
        # How a table is stored and vacuumed.
        _AT.AT_SetRelOptions, _AT.AT_ResetRelOptions,
    }
)  # fmt: skip
# The kinds of relations that a statement may change (pg_class.relkind), where these are not tables alone.
_KINDS: dict[type[ast.Node], str] = {
    ast.IndexStmt: "rpm", ast.VacuumStmt: "rpm", ast.RefreshMatViewStmt: "m", ast.RenameStmt: "rpvm",
    ast.CreateStatsStmt: "rpm",
}  # fmt: skip


# The kinds of constraints that are indexes, or have one.
_WITH_INDEX = frozenset("puxie")

# ---- relations


def masked_change(authorizer: Authorizer, changed: RelationChanged) -> None:
    """Refuses a relation unless it is the session's own, or holds nothing to mask, nor what inherits from it."""
    resolved, kind = certain(changed.resolved), type(changed.node)
    if resolved is not None and resolved.temporary:
        if resolved.made:
            authorizer.allow_verb(VERB_OF[kind])
        temporary(authorizer, changed.item, resolved)
        return
    authorizer.allow_verb(VERB_OF[kind])
    if isinstance(changed.node, ast.RenameStmt) and changed.node.renameType == _OBJECTS.OBJECT_INDEX:
        _masked_index_renamed(authorizer, changed.item, resolved)
        return
    if resolved is None:
        raise unknown_relation(authorizer, changed.item)
    relation = resolved.relation
    if relation is None:
        raise _refused(f"a change of {resolved.schema}.{resolved.name}", "it is the system's own", "leave it")
    named = f"{relation.schema}.{relation.name}"
    if relation.kind not in _KINDS.get(kind, "rp"):
        raise _refused(f"a change of {named}", "it is of another kind", "name a table")
    if not _is_plain(authorizer, relation):
        raise _refused(
            f"a change of {named}",
            "it has masked columns, or runs code of the database's own",
            "let an identity without masks make the change",
        )
    if isinstance(changed.node, ast.AlterTableStmt) and any(map(_validates, changed.node.cmds or ())):
        refuse_validation(authorizer.governed, relation, named)
        # Which of several rows an error names could depend on what a foreign key leads to.
        authorizer.found.touched = True
    qualify(authorizer, changed.item, resolved)


def _validates(command: ast.AlterTableCmd) -> bool:
    return command.subtype == _AT.AT_ValidateConstraint


def _masked_index_renamed(authorizer: Authorizer, item: ast.RangeVar, resolved: ResolvedRelation | None) -> None:
    """The index of a table without masks, by its full name: the same statement would rename a table."""
    schema, name = item.schemaname or "", item.relname or ""
    named = f"a change of the index {'.'.join(filter(None, (schema, name)))}"
    owners = [
        one
        for one in authorizer.catalog.relations.values()
        if schema in ("", one.schema)
        and name in {*(index.name for index in one.indexes), *_names_with_index(one.constraints)}
    ]
    places = {one.schema for one in owners}
    if resolved is not None or len(places) != 1:
        raise _refused(
            named,
            "it is not known which that is" if places or resolved is None else "it is of another kind",
            "write it with its schema, or ask the database's owner",
        )
    if not all(_is_plain(authorizer, one) for one in owners):
        raise _refused(
            named, "its table has masked columns, or runs code of the database's own", "ask the database's owner"
        )
    authorizer.found.edits.set(item, "schemaname", places.pop())
    authorizer.found.pinned = True


def _names_with_index(constraints: Iterable[Constraint]) -> set[str]:
    """Of those that are indexes, or have one: the names of others may be those of indexes elsewhere."""
    return {one.name for one in constraints if one.kind in _WITH_INDEX}


def masked_like(authorizer: Authorizer, liked: RelationLiked) -> None:
    """A new table with the columns of one without masks: what it takes over with them runs no code."""
    authorizer.allow_verb("select")
    resolved, governed = certain(liked.resolved), authorizer.governed
    if resolved is None:
        raise unknown_relation(authorizer, liked.item)
    if resolved.temporary:
        temporary(authorizer, liked.item, resolved)
        return
    relation = resolved.relation
    named = f"a table LIKE {resolved.schema}.{resolved.name}"
    if relation is None:
        raise _refused(named, "it is the system's own", "name the columns")
    coded = any(governed.runs_code(_type_of(one)) for one in relation.columns)
    if coded or relation.calls or not _is_plain(authorizer, relation):
        raise _refused(named, "it has masked columns, or runs code of the database's own", "name the columns")
    qualify(authorizer, liked.item, resolved)


def _type_of(column: Column) -> tuple[str, str]:
    schema, name = name_parts(column.type_name)[:2]
    return schema, name


def masked_new(authorizer: Authorizer, made: RelationMade) -> None:
    """A name for something new that lasts: what is temporary is not seen when policies change."""
    if made.item.relpersistence == "t" or made.item.schemaname == "pg_temp":
        raise _refused("a temporary view or sequence", "masks could not follow it", "make a temporary table")
    relation = None if made.resolved is None else certain(made.resolved)
    known = relation.relation if relation is not None else None
    if known is not None and not _is_plain(authorizer, known):
        raise _refused(f"a change of {known.schema}.{known.name}", "it has masked columns", "use another name")


def masked_foreign_key(authorizer: Authorizer, key: ForeignKeyMade) -> None:
    """To columns without masks: whether a row with some key is there, a query would tell as well."""
    authorizer.allow_verb("select")
    item, resolved, governed = key.item, certain(key.resolved), authorizer.governed
    if resolved is None:
        raise unknown_relation(authorizer, item)
    if resolved.temporary:
        temporary(authorizer, item, resolved)
        return
    relation = resolved.relation
    named = f"{resolved.schema}.{resolved.name}"
    if relation is None:
        raise _refused(f"a foreign key to {named}", "it is the system's own", "refer to a table of your own")
    if relation.key in governed.unreadable:
        raise _refused(f"a foreign key to {named}", "it cannot be read", "leave the foreign key out")
    if relation.key in governed.filters.relations:
        raise _refused(
            f"a foreign key to {named}", "a policy filters its rows, and all of them would be looked at",
            "leave the foreign key out",
        )  # fmt: skip
    columns = tuple(idents(key.constraint.pk_attrs)) or relation.primary_key
    if not columns:
        raise _refused(f"a foreign key to {named}", "its primary key is not known", "name the columns it refers to")
    for name in columns:
        _referred(authorizer, relation, name)
    # As they are known here, whatever the primary key is by then.
    authorizer.found.edits.set(key.constraint, "pk_attrs", strings(*columns))
    authorizer.found.pinned = True
    # Which of several rows an error names could depend on how wide masked values are.
    authorizer.found.touched |= governed.governs(relation)
    qualify(authorizer, item, resolved)


def _referred(authorizer: Authorizer, relation: Relation, name: str) -> None:
    column, governed = relation.column(name), authorizer.governed
    named = f"{relation.schema}.{relation.name}.{name}"
    if column is None:
        like = likely(name, (one.name for one in relation.columns))
        raise unknown(f'column "{name}" referenced in foreign key constraint does not exist', "42703", likely=like)
    if governed.mask(relation, column) is not None:
        raise _refused(
            f"a foreign key to {named}", "the column is masked, and rows would show which values it holds",
            "refer to a column without a mask",
        )  # fmt: skip
    schema, kind = name_parts(column.type_name)[:2]
    if governed.runs_code((schema, kind)):
        raise _refused(
            f"a foreign key to {named}", "its type may run code of the database's own", "leave the foreign key out"
        )


def masked_query(authorizer: Authorizer, kept: QueryKept) -> None:
    """A query that is kept: later it would be run as it was written, whatever is masked by then."""
    if authorizer.found.touched:
        raise _refused("a view of masked columns", "it would keep the masks as they are now", "read the tables")
    inside = {id(one) for one in below(kept.query)}
    plain = True
    for read in authorizer.bound.references:
        if not isinstance(read, RelationRead) or id(read.item) not in inside:
            continue
        resolved = None if isinstance(read.resolved, Ambiguous) else read.resolved
        if resolved is not None and resolved.temporary and not resolved.made:
            raise _refused("a view of a temporary table", "masks could not follow it", "make a temporary table")
        plain &= resolved is not None and (resolved.made or _shows_nothing_hidden(authorizer, resolved.relation))
    if plain and kept.made is not None:
        authorizer.made.add(_name(kept.made))


def _shows_nothing_hidden(authorizer: Authorizer, relation: Relation | None) -> bool:
    """Whether a view of it needs no more rules than it does itself, before the catalog knows the view."""
    return relation is not None and not authorizer.governed.is_laid_out(relation) and _is_plain(authorizer, relation)


def known_as_made(authorizer: Authorizer, reference: Reference) -> None:
    """Refuses what the transaction made and is not known to hold only what came through here."""
    resolved = getattr(reference, "resolved", None)
    if not isinstance(resolved, ResolvedRelation) or not resolved.made:
        return
    if (resolved.schema, resolved.name) not in authorizer.made:
        name = ".".join(filter(None, (resolved.schema, resolved.name)))
        raise refused(
            f"{name} was made by this transaction, and what it shows is not known before that has ended", "commit first"
        )


def _name(item: ast.RangeVar) -> MadeName:
    return (item.schemaname or "", item.relname or "")


def _is_plain(authorizer: Authorizer, relation: Relation) -> bool:
    """Whether nothing is masked in the relation or in what inherits from it, and changing it runs no code."""
    governed = authorizer.governed
    return all(governed.may_change(one) for one in governed.catalog.overview.family(relation).values())


# ---- statements


def without_event_triggers(authorizer: Authorizer) -> None:
    """Refuses a change of the schema by which code of the database's own would run."""
    functions = authorizer.catalog.event_functions
    if functions:
        raise refused(
            f"changes of the schema are refused: the event trigger's function {functions[0]} could read masked columns",
            "read with WITH or a subquery instead",
        )


def masked_index(authorizer: Authorizer, node: ast.IndexStmt) -> None:
    """By a method and operators of the system's own."""
    without_event_triggers(authorizer)
    if (node.accessMethod or "btree") not in _INDEX_METHODS or node.tableSpace or node.excludeOpNames:
        raise _refused("that index", "its method or place is not known", "use one of the system's own methods")
    for element in (*(node.indexParams or ()), *(node.indexIncludingParams or ())):
        _operator_class(authorizer, element)


def _operator_class(authorizer: Authorizer, element: ast.IndexElem) -> None:
    """One of the system's own, by its full name: another schema may have one of the same."""
    if not element.opclass and not element.opclassopts:
        return
    *schema, name = idents(element.opclass) or [""]
    if name not in _OPERATOR_CLASSES or schema not in ([], ["pg_catalog"]) or element.opclassopts:
        raise _refused("an index with that operator class", "its functions are not known", "leave it out")
    authorizer.found.edits.set(element, "opclass", strings("pg_catalog", name))
    authorizer.found.pinned = True


def masked_alter(authorizer: Authorizer, node: ast.AlterTableStmt) -> None:
    """Columns and plain constraints of tables."""
    without_event_triggers(authorizer)
    if node.objtype != _OBJECTS.OBJECT_TABLE:
        raise _refused("ALTER of what is not a table", "it could take masks off", "ask the database's owner")
    for command in node.cmds or ():
        if command.behavior == enums.DropBehavior.DROP_CASCADE:
            raise _refused("ALTER TABLE … CASCADE", "it changes what is not named", "name it all")
        if command.subtype not in _COMMANDS:
            raise _refused("that form of ALTER TABLE", "it could take masks off", "ask the database's owner")


def masked_analyze(authorizer: Authorizer, node: ast.VacuumStmt) -> None:
    """ANALYZE of tables that are named."""
    if node.is_vacuumcmd or not node.rels:
        raise _refused("VACUUM, or ANALYZE of everything", "it reaches masked columns", "name the tables to ANALYZE")


def masked_comment(authorizer: Authorizer, node: ast.CommentStmt) -> None:
    """On what is the identity's to change."""
    without_event_triggers(authorizer)
    authorizer.allow_verb(VERB_OF[type(node)])
    if node.objtype not in _COMMENTED:
        raise _refused("COMMENT on that kind of object", "it is not the identity's", "ask the database's owner")


def masked_view(authorizer: Authorizer, node: ast.ViewStmt) -> None:
    """Its query is looked at as any."""
    without_event_triggers(authorizer)
    authorizer.allow_verb(VERB_OF[type(node)])


def masked_materialized_view(authorizer: Authorizer, node: ast.CreateTableAsStmt) -> None:
    """By the system's own method."""
    without_event_triggers(authorizer)
    authorizer.allow_verb("create")
    into = node.into
    if into is None or into.accessMethod or into.tableSpaceName or into.options:
        raise _refused("a materialized view with a method or place", "the gate does not examine it", "leave it out")


def masked_refresh(authorizer: Authorizer, node: ast.RefreshMatViewStmt) -> None:
    """The relation is looked at."""
    without_event_triggers(authorizer)


def masked_schema(authorizer: Authorizer, node: ast.CreateSchemaStmt) -> None:
    """Its name alone."""
    without_event_triggers(authorizer)
    authorizer.allow_verb(VERB_OF[type(node)])
    if node.schemaElts or node.authrole:
        raise _refused("CREATE SCHEMA with more than a name", "it makes what is not looked at", "make it separately")


def masked_sequence(authorizer: Authorizer, node: ast.CreateSeqStmt) -> None:
    """Of whole numbers, of no column."""
    without_event_triggers(authorizer)
    authorizer.allow_verb(VERB_OF[type(node)])
    if any(option.defname in ("owned_by", "as") for option in node.options or ()):
        raise _refused("CREATE SEQUENCE with a type or an owner", "the gate does not examine it", "leave it out")


def masked_rename(authorizer: Authorizer, node: ast.RenameStmt) -> None:
    """Tables, views, indexes, and columns and constraints of tables."""
    without_event_triggers(authorizer)
    of_table = node.renameType == _OBJECTS.OBJECT_TABCONSTRAINT or (
        node.renameType == _OBJECTS.OBJECT_COLUMN and node.relationType == _OBJECTS.OBJECT_TABLE
    )
    if node.renameType in RENAMED and node.relation is not None and _name(node.relation) in authorizer.made:
        authorizer.made.add((node.relation.schemaname or "", node.newname or ""))
    if node.renameType not in (*RENAMED, _OBJECTS.OBJECT_INDEX) and not of_table:
        raise _refused("RENAME of that kind of object", "it could take masks off", "ask the database's owner")


def masked_statistics(authorizer: Authorizer, node: ast.CreateStatsStmt) -> None:
    """Of a table, which is looked at."""
    without_event_triggers(authorizer)
    if not any(isinstance(one, ast.RangeVar) for one in node.relations or ()):
        raise _refused("CREATE STATISTICS of a query", "the gate does not examine it", "name a table")


def masked_enum(authorizer: Authorizer, node: ast.CreateEnumStmt) -> None:
    """A type of words alone, which runs no code."""
    without_event_triggers(authorizer)
    authorizer.allow_verb(VERB_OF[type(node)])
    if idents(node.typeName)[:-1] == ["pg_temp"]:
        raise _refused("a temporary type", "its name would stand for others", "make a type that lasts")


def masked_enum_value(authorizer: Authorizer, node: ast.AlterEnumStmt) -> None:
    """One more word: those that are there stay, in their order."""
    without_event_triggers(authorizer)
    authorizer.allow_verb(VERB_OF[type(node)])
    if node.oldVal is not None:
        raise _refused(
            "ALTER TYPE … RENAME VALUE", "it changes what rows show that are there", "ask the database's owner"
        )


def _refused(what: str, why: str, remedy: str) -> Refused:
    return refused(f"{what} is not allowed where columns are masked: {why}", remedy)
