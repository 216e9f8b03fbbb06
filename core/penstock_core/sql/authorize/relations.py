"""Relations that are read: what a query is put in place of, and what may not be read at all.

Rows and stars are in `rows.py`, columns in `columns.py`; what may be written to is in `write_targets.py`.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.authorize.authorizer import Authorizer, certain, possible
from penstock_core.sql.authorize.columns import unknown_column
from penstock_core.sql.authorize.function_calls import read_unseen
from penstock_core.sql.authorize.likely_names import likely, likely_relation
from penstock_core.sql.authorize.system_relations import hidden_columns, system_relation, visible_rows
from penstock_core.sql.bind.binder import idents, strings
from penstock_core.sql.bind.name_resolution import TEMPORARY, ResolvedRelation
from penstock_core.sql.bind.references import (
    RelationCopied,
    RelationLocked,
    RelationRead,
    Sample,
    ViewWrittenOut,
)
from penstock_core.sql.bind.scopes import Source
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.decision import Denial
from penstock_core.sql.refusal import Refused, refused, unknown

_SAMPLING = frozenset({("bernoulli",), ("system",), ("pg_catalog", "bernoulli"), ("pg_catalog", "system")})


# ---- relations in FROM


def masked_relation(authorizer: Authorizer, read: RelationRead) -> None:
    """A relation with masked columns is replaced by the query of its columns and masks; others keep their names."""
    authorizer.allow_verb("select")
    resolved = certain(read.resolved)
    if resolved is None:
        raise unknown_relation(authorizer, read.item)
    if resolved.temporary:
        temporary(authorizer, read.item, resolved)
    elif resolved.relation is None:
        system_relation(authorizer, read, resolved)
        qualify(authorizer, read.item, resolved)
    elif _is_replaced(authorizer, resolved.relation, only=not read.item.inh):
        substitute(authorizer, read.source, resolved.relation)
    else:
        qualify(authorizer, read.item, resolved)
        authorizer.note_place(read.item, resolved.relation, only=not read.item.inh)


def masked_view(authorizer: Authorizer, view: ViewWrittenOut) -> None:
    """The view's definition goes in its place, in which relations are replaced as anywhere; so do the masks that its
    own columns have besides those of what they copy.
    """
    authorizer.allow_verb("select")
    relation, source, place = view.relation, view.source, view.source.place
    read_unseen(authorizer, relation)
    if place is None:
        raise refused(f"{source.name} cannot be replaced by its definition", "read the tables it is made of")
    query = authorizer.substitutions.masked_again(relation, view.definition)
    alias = ast.Alias(aliasname=source.name, colnames=strings(*(source.columns or ())))
    authorizer.found.edits.put(place, ast.RangeSubselect(lateral=False, subquery=query, alias=alias))
    authorizer.substituted.add(source)
    _note_masked(authorizer, relation)


def unmasked_relation(authorizer: Authorizer, read: RelationRead) -> None:
    """Nothing is masked: what the system's own relations show of others is looked after."""
    authorizer.allow_verb("select")
    for resolved in possible(read.resolved):
        if resolved.system:
            system_relation(authorizer, read, resolved)
        elif resolved.relation is not None:
            read_unseen(authorizer, resolved.relation)


def _is_replaced(authorizer: Authorizer, relation: Relation, *, only: bool) -> bool:
    """Whether a query is put in the relation's place. Raises Refused for one that can't be read.

    `only`: its own rows are read, not those of its children.
    """
    governed = authorizer.governed
    reason = governed.unreadable.get(relation.key)
    if reason:
        raise refused(f"{relation.schema}.{relation.name} cannot be read: {reason}", "read the tables it is made of")
    if governed.is_laid_out(relation, only=only):
        authorizer.found.laid_out = f"{relation.schema}.{relation.name}"
    read_unseen(authorizer, relation)
    if governed.governs(relation):
        _note_masked(authorizer, relation)
        return True
    if relation.key in governed.disarmed:
        authorizer.found.pinned = True
        return True
    return False


def _note_masked(authorizer: Authorizer, relation: Relation) -> None:
    """Masked columns are read: remember which, and that errors must tell nothing."""
    found, governed = authorizer.found, authorizer.governed
    found.touched = True
    for column in relation.columns:
        if governed.mask(relation, column) is not None:
            found.masked.add((relation.schema, relation.name, column.name))


def substitute(authorizer: Authorizer, source: Source, relation: Relation, system: tuple[str, ...] = ()) -> None:
    """The query of the relation's columns, and of such system columns, under the name that the relation had."""
    item, place = source.item, source.place
    if item is None or place is None:
        raise refused(f"{source.name} cannot be replaced by its masked columns", "name the columns you need")
    alias = item.alias or ast.Alias(aliasname=item.relname)
    query = authorizer.substitutions.query(relation, only=not item.inh, system=system)
    if id(query) in authorizer.substitutions.texts:
        authorizer.found.substituted[id(query)] = authorizer.substitutions.texts[id(query)]
    node = ast.RangeSubselect(lateral=False, subquery=query, alias=alias)
    authorizer.found.edits.put(place, node)
    authorizer.note_place(node, relation, only=not item.inh)
    authorizer.substituted.add(source)


def temporary(authorizer: Authorizer, item: ast.RangeVar, resolved: ResolvedRelation) -> None:
    """A table of the session's own. Its bare name could come to mean another's; that of what the transaction made is
    given up as soon as it could.
    """
    if resolved.made:
        return
    if resolved.rival:
        raise refused(
            f"{item.relname} is the name of a temporary table and of {resolved.rival}",
            f"write pg_temp.{item.relname} or {resolved.rival}",
        )
    if not item.schemaname:
        authorizer.found.edits.set(item, "schemaname", TEMPORARY)
        authorizer.found.pinned = True


def qualify(authorizer: Authorizer, item: ast.RangeVar, resolved: ResolvedRelation) -> None:
    """A bare name with its schema. If under another path it could mean what is not as harmless, the text must show it
    too: a prepared statement is resolved again whenever the path has changed.
    """
    if item.schemaname:
        return
    authorizer.found.edits.set(item, "schemaname", resolved.schema)
    if any(not authorizer.governed.harmless(candidate) for candidate in resolved.candidates):
        authorizer.found.pinned = True


def masked_copy(authorizer: Authorizer, copied: RelationCopied) -> None:
    """`COPY t TO STDOUT` of a masked relation, as COPY of the query for it: same columns, same order."""
    statement, item, edits = copied.statement, copied.item, authorizer.found.edits
    resolved = certain(copied.resolved)
    if resolved is None:
        raise unknown_relation(authorizer, item)
    if resolved.temporary:
        temporary(authorizer, item, resolved)
        return
    relation = resolved.relation
    if relation is None:
        _copy_of_system_relation(authorizer, resolved)
        return
    known = [column.name for column in relation.columns if not column.generated]
    replaced = _is_replaced(authorizer, relation, only=True)
    if relation.key in authorizer.governed.hazards.reasons and relation.kind not in ("p", "v"):
        _copy_in_order(authorizer, copied, relation, known, replaced=replaced)
        return
    if not replaced:
        qualify(authorizer, item, resolved)
        if not statement.attlist and relation.columns:
            # Not those that were added since the catalog was read.
            edits.set(statement, "attlist", strings(*known))
            authorizer.found.pinned = True
        return
    if relation.kind in ("p", "v"):
        raise refused(f"COPY of {relation.schema}.{relation.name} is not possible", "use COPY (SELECT …) TO STDOUT")
    wanted = tuple(idents(statement.attlist))
    if not _are_listed(authorizer, relation, wanted):
        return
    query = authorizer.substitutions.query(relation, only=True, columns=wanted or tuple(known))
    edits.set(statement, "query", query)
    edits.set(statement, "relation", None)
    edits.set(statement, "attlist", None)


def _are_listed(authorizer: Authorizer, relation: Relation, wanted: tuple[str, ...]) -> bool:
    """Whether the relation has those columns. Raises Refused for what a query could show and COPY of a table does not:
    a column that is named twice, or generated.
    """
    for place, column in enumerate(wanted):
        known = relation.column(column)
        if known is None:
            like = likely(column, (one.name for one in relation.columns))
            authorizer.found.unknown_column = unknown_column(column, like=like)
            return False
        if known.generated:
            raise Refused(Denial(f'column "{column}" is a generated column', "use COPY (SELECT …)", sqlstate="42P10"))
        if column in wanted[:place]:
            raise Refused(Denial(f'column "{column}" specified more than once', "name it once", sqlstate="42701"))
    return True


def _copy_in_order(
    authorizer: Authorizer, copied: RelationCopied, relation: Relation, known: list[str], *, replaced: bool
) -> None:
    """A relation whose rows may come in an order that masked values decide: as a query, which can be sorted."""
    statement, edits = copied.statement, authorizer.found.edits
    item = ast.RangeVar(schemaname=relation.schema, relname=relation.name, inh=False, relpersistence="p")
    source: ast.Node = item
    if replaced:
        query = authorizer.substitutions.query(relation, only=True)
        authorizer.found.substituted[id(query)] = authorizer.substitutions.texts[id(query)]
        source = ast.RangeSubselect(lateral=False, subquery=query, alias=ast.Alias(aliasname=relation.name))
    authorizer.note_place(source, relation, only=True)
    wanted = tuple(idents(statement.attlist)) or tuple(known)
    if not _are_listed(authorizer, relation, wanted):
        return
    targets = [ast.ResTarget(val=ast.ColumnRef(fields=strings(relation.name, column))) for column in wanted]
    edits.set(statement, "query", ast.SelectStmt(targetList=tuple(targets), fromClause=(source,)))
    edits.set(statement, "relation", None)
    edits.set(statement, "attlist", None)


def unmasked_copy(authorizer: Authorizer, copied: RelationCopied) -> None:
    """Nothing is masked: only what the system's own relations show of others is looked after."""
    for resolved in possible(copied.resolved):
        if resolved.relation is not None:
            read_unseen(authorizer, resolved.relation)
        if resolved.system:
            _copy_of_system_relation(authorizer, resolved)


def _copy_of_system_relation(authorizer: Authorizer, resolved: ResolvedRelation) -> None:
    if hidden_columns(authorizer, resolved) or visible_rows(authorizer, resolved):
        raise refused(f"COPY of {resolved.name} is not allowed", "use COPY (SELECT …) and name the columns")


def masked_lock(authorizer: Authorizer, locked: RelationLocked) -> None:
    """A lock depends on no value; the system's own relations are not for locking."""
    resolved = certain(locked.resolved)
    if resolved is None:
        raise unknown_relation(authorizer, locked.item)
    if resolved.temporary:
        temporary(authorizer, locked.item, resolved)
    elif resolved.relation is None:
        raise refused(f"LOCK of {resolved.name} is not allowed: it is the system's own", "lock a table")
    else:
        qualify(authorizer, locked.item, resolved)


def masked_sample(authorizer: Authorizer, sample: Sample) -> None:
    """TABLESAMPLE picks rows by where they are on disk, which depends on values that are masked."""
    relation, item = sample.source.relation, sample.source.item
    only = item is not None and not item.inh
    if relation is not None and authorizer.governed.is_laid_out(relation, only=only):
        raise refused(
            f"TABLESAMPLE of {sample.source.name} would depend on masked values", "use ORDER BY and LIMIT instead"
        )
    if tuple(idents(sample.node.method)) not in _SAMPLING:
        raise refused("that sampling method is not known", "use BERNOULLI or SYSTEM")


def unknown_relation(authorizer: Authorizer, reference: ast.RangeVar) -> Refused:
    """A relation that is in no catalog: the words and code the server has for it."""
    name = f"{reference.schemaname}.{reference.relname}" if reference.schemaname else reference.relname
    like = likely_relation(reference.schemaname or "", reference.relname or "", authorizer.catalog)
    return unknown(f'relation "{name}" does not exist', "42P01", reference.location, like)
