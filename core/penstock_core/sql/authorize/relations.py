"""Relations, rows and columns where something is masked: what a query is put in place of, and what may not be read.

What may be written to is in `write_targets.py`.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.allowlists.system_relations import CATALOGS, INFORMATION_SCHEMA, UNMASKED_CATALOGS
from penstock_core.sql.authorize.authorizer import Authorizer, certain
from penstock_core.sql.bind.binder import idents, renamed_by, strings
from penstock_core.sql.bind.column_names import star_of
from penstock_core.sql.bind.name_resolution import TEMPORARY, ResolvedRelation
from penstock_core.sql.bind.references import (
    ColumnRead,
    Grouping,
    RelationCopied,
    RelationRead,
    Sample,
    Stars,
    UnknownSource,
    WholeRow,
)
from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.masking.grouping import extended_group_by
from penstock_core.sql.refusal import Refused, refused, unknown

_SAMPLING = frozenset({("bernoulli",), ("system",), ("pg_catalog", "bernoulli"), ("pg_catalog", "system")})
# Each is replaced by some hundred words.
_MOST_REFERENCES = 1000


# ---- relations in FROM


def masked_relation(authorizer: Authorizer, read: RelationRead) -> None:
    """A relation with masked columns is replaced by the query of its columns and masks; others keep their names."""
    authorizer.allow_verb("select")
    resolved = certain(read.resolved)
    if resolved is None:
        raise unknown_relation(read.item)
    if resolved.temporary:
        temporary(authorizer, read.item, resolved)
    elif resolved.relation is None:
        system_relation(authorizer, read, resolved)
        qualify(authorizer, read.item, resolved)
    elif _is_replaced(authorizer, resolved.relation):
        substitute(authorizer, read.source, resolved.relation)
    else:
        qualify(authorizer, read.item, resolved)


def unmasked_relation(authorizer: Authorizer, read: RelationRead) -> None:
    """Nothing is masked: what the system's own relations show of others is looked after."""
    authorizer.allow_verb("select")
    resolved = certain(read.resolved)
    if resolved is not None and resolved.system:
        system_relation(authorizer, read, resolved)


def _is_replaced(authorizer: Authorizer, relation: Relation) -> bool:
    """Whether a query is put in the relation's place. Raises Refused for one that can't be read."""
    governed = authorizer.governed
    reason = governed.unreadable.get(relation.key)
    if reason:
        raise refused(f"{relation.schema}.{relation.name} cannot be read: {reason}", "read the tables it is made of")
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


def substitute(authorizer: Authorizer, source: Source, relation: Relation) -> None:
    """The query of the relation's columns, under the name that the relation had."""
    item, place = source.item, source.place
    if item is None or place is None:
        raise refused(f"{source.name} cannot be replaced by its masked columns", "name the columns you need")
    alias = item.alias or ast.Alias(aliasname=item.relname)
    query = authorizer.substitutions.query(relation, only=not item.inh)
    authorizer.found.substituted[id(query)] = authorizer.substitutions.texts[id(query)]
    authorizer.found.edits.put(place, ast.RangeSubselect(lateral=False, subquery=query, alias=alias))
    authorizer.substituted.add(source)


def system_relation(authorizer: Authorizer, read: RelationRead, resolved: ResolvedRelation) -> None:
    """One of the system's own relations: whether it may be read, and which of its columns may not."""
    hidden = hidden_columns(authorizer, resolved)
    if hidden and renamed_by(read.item):
        raise refused(f"the columns of {resolved.name} may not be renamed", "use its own column names")
    if hidden:
        authorizer.hidden[read.source] = hidden


def hidden_columns(authorizer: Authorizer, resolved: ResolvedRelation) -> frozenset[str]:
    """The columns of a system relation that must not be read. Raises Refused where none may be."""
    governed, schema, name = authorizer.governed, resolved.schema, resolved.name
    allowed = CATALOGS if schema == "pg_catalog" else INFORMATION_SCHEMA
    if name in allowed:
        return allowed[name] if governed.masked else frozenset()
    if not governed.masked and name in UNMASKED_CATALOGS:
        return frozenset() if governed.free else UNMASKED_CATALOGS[name]
    raise refused(
        f"{schema}.{name} may not be read",
        "it can show values, statements or secrets; read other catalogs, or ask an administrator",
    )


def temporary(authorizer: Authorizer, item: ast.RangeVar, resolved: ResolvedRelation) -> None:
    """A table of the session's own. Its bare name could come to mean another's."""
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
        raise unknown_relation(item)
    if resolved.temporary:
        temporary(authorizer, item, resolved)
        return
    relation = resolved.relation
    if relation is None:
        _copy_of_system_relation(authorizer, resolved)
        return
    known = [column.name for column in relation.columns if not column.generated]
    if not _is_replaced(authorizer, relation):
        qualify(authorizer, item, resolved)
        if not statement.attlist and relation.columns:
            # Not those that were added since the catalog was read.
            edits.set(statement, "attlist", strings(*known))
            authorizer.found.pinned = True
        return
    if relation.kind in ("p", "v"):
        raise refused(f"COPY of {relation.schema}.{relation.name} is not possible", "use COPY (SELECT …) TO STDOUT")
    wanted = tuple(idents(statement.attlist))
    missing = [column for column in wanted if relation.column(column) is None]
    if missing:
        authorizer.found.unknown_column = missing[0]
        return
    query = authorizer.substitutions.query(relation, only=True, columns=wanted or tuple(known))
    edits.set(statement, "query", query)
    edits.set(statement, "relation", None)
    edits.set(statement, "attlist", None)


def unmasked_copy(authorizer: Authorizer, copied: RelationCopied) -> None:
    """Nothing is masked: only what the system's own relations show of others is looked after."""
    resolved = certain(copied.resolved)
    if resolved is not None and resolved.system:
        _copy_of_system_relation(authorizer, resolved)


def _copy_of_system_relation(authorizer: Authorizer, resolved: ResolvedRelation) -> None:
    if hidden_columns(authorizer, resolved):
        raise refused(f"COPY of {resolved.name} is not allowed", "use COPY (SELECT …) and name the columns")


# ---- rows


def unmasked_row(authorizer: Authorizer, row: WholeRow) -> None:
    """All columns of a source, unless some of them may not be read."""
    hidden = authorizer.hidden.get(row.source)
    if hidden:
        raise refused(
            f"{row.source.name} may not be read as a whole: it has columns that may not be read"
            f" ({', '.join(sorted(hidden))})",
            "name the columns you need",
        )


def masked_row(authorizer: Authorizer, row: WholeRow) -> None:
    """In the relation's place goes the query of its known columns; a statement's target has no such place."""
    unmasked_row(authorizer, row)
    _known_row(authorizer, row.source)


def _known_row(authorizer: Authorizer, source: Source) -> None:
    if source.relation is None or source in authorizer.substituted:
        return
    if source.place is None:
        raise refused(
            f"a row of {source.name} may not be read as a whole while it is written to", "name the columns you need"
        )
    authorizer.found.pinned = True
    substitute(authorizer, source, source.relation)


def unmasked_stars(authorizer: Authorizer, stars: Stars) -> None:
    """Each star is a whole row of what it means."""
    for target in getattr(stars.owner, stars.field):
        qualifiers = star_of(target.val)
        for source in _all_of(qualifiers, stars.scope) if qualifiers is not None else ():
            unmasked_row(authorizer, WholeRow(source))


def masked_stars(authorizer: Authorizer, stars: Stars) -> None:
    """The output columns, each star replaced by the columns that it is known to mean.

    So that a column which was added since the catalog was read does not show. What is no plain relation keeps its
    star: a masked subquery names its columns, and functions bring what they bring.
    """
    scope = stars.scope
    listed: list[ast.Node] = []
    for target in getattr(stars.owner, stars.field):
        qualifiers = star_of(target.val)
        if qualifiers is None:
            listed.append(target)
            continue
        if not qualifiers and scope.merges and isinstance(stars.owner, ast.ReturningClause):
            raise refused("RETURNING * over a join with USING is not understood", "name the columns you need")
        expanded = _expanded(authorizer, qualifiers, scope)
        if expanded is not None:
            listed.extend(expanded)
            continue
        listed.append(target)
        for source in _all_of(qualifiers, scope):
            for part in (source, *source.members):
                masked_row(authorizer, WholeRow(part))
    authorizer.expanded[id(stars.owner)] = tuple(listed)
    authorizer.found.edits.set(stars.owner, stars.field, tuple(listed))


def _expanded(authorizer: Authorizer, qualifiers: list[str], scope: Scope) -> list[ast.Node] | None:
    """The columns in place of a star; None where the star stays."""
    sources = _named_apart(qualifiers, scope)
    plain = {source for source in sources if source.relation is not None and source not in authorizer.substituted}
    if not plain:
        return None
    for source in sources:
        unmasked_row(authorizer, WholeRow(source))
    authorizer.found.pinned = True
    listed: list[ast.Node] = []
    for source in sources:
        if len(qualifiers) > 1 and scope.find(source.name)[0] is not source:
            raise _nearer(source)
        for column in (source.columns or ()) if source in plain else ("*",):
            listed.append(_output(authorizer, source, column))
    return listed


def _output(authorizer: Authorizer, source: Source, column: str) -> ast.ResTarget:
    last = ast.A_Star() if column == "*" else strings(column)[0]
    if source.target and column != "*":
        value = _mask_of_target(authorizer, source, column)
        if value is not None:
            return ast.ResTarget(name=column, val=value)
    return ast.ResTarget(val=ast.ColumnRef(fields=(*strings(source.name), last)))


def _all_of(qualifiers: list[str], scope: Scope) -> list[Source]:
    """The sources that a star means."""
    if qualifiers:
        return scope.find(qualifiers[-1], qualifiers[-2] if len(qualifiers) > 1 else "")[:1]
    return scope.sources


def _named_apart(qualifiers: list[str], scope: Scope) -> list[Source]:
    """The sources that a star means; none where they can't be named one by one."""
    if qualifiers:
        return _all_of(qualifiers, scope)
    sources = [source for source in scope.sources if not source.qualified_only]
    names = {source.name for source in sources}
    return [] if scope.merges or "" in names or len(names) < len(sources) else sources


def masked_sample(authorizer: Authorizer, sample: Sample) -> None:
    """TABLESAMPLE picks rows by where they are on disk, which depends on values that are masked."""
    if sample.source in authorizer.substituted:
        raise refused(
            f"TABLESAMPLE of {sample.source.name} would depend on masked values", "use ORDER BY and LIMIT instead"
        )
    if tuple(idents(sample.node.method)) not in _SAMPLING:
        raise refused("that sampling method is not known", "use BERNOULLI or SYSTEM")


# ---- columns


def unmasked_column(authorizer: Authorizer, read: ColumnRead) -> None:
    """A column, unless it may not be read."""
    if not authorizer.hidden:
        return
    sources = read.owners if len(read.owners) == 1 else [one for level in read.scope.levels() for one in level.sources]
    for source in sources:
        if any(read.name in authorizer.hidden.get(one, ()) for one in (source, *source.members)):
            raise refused(
                f"column {read.name} may not be read", "it can show values or sizes of what is masked; leave it out"
            )


def masked_column(authorizer: Authorizer, read: ColumnRead) -> None:
    """Of a statement's target, the mask replaces the column."""
    unmasked_column(authorizer, read)
    targets = [owner for owner in read.owners if owner.target]
    if not targets:
        return
    value = _mask_of_target(authorizer, targets[0], read.name)
    if value is None:
        return
    if read.unsure or len(read.owners) > 1:
        raise refused(
            f"it cannot be told which column {read.name} means, and one of that name is masked",
            f"write it with the name of its table, as in {targets[0].name}.{read.name}",
        )
    edits = authorizer.found.edits
    edits.replace(read.node, value)
    if edits.replaced > _MOST_REFERENCES:
        raise refused(f"the statement names masked columns more than {_MOST_REFERENCES} times", "split it")


def _mask_of_target(authorizer: Authorizer, source: Source, name: str) -> ast.Node | None:
    """The mask of that column of a statement's target; None if it has none."""
    relation = source.relation
    column = relation.column(name) if relation is not None else None
    if relation is None or column is None:
        return None
    value = authorizer.substitutions.value(relation, column, source.name)
    if value is not None:
        authorizer.found.masked.add((*relation.key, name))
    return value


def masked_unknown_source(authorizer: Authorizer, use: UnknownSource) -> None:
    """`t.c`, where nothing is named t."""
    raise unknown(f'missing FROM-clause entry for table "{use.name}"', "42P01")


# ---- what is known when all of the text is


def settle(authorizer: Authorizer) -> None:
    """What depends on which sources were replaced: names that told two apart, and schemas before names."""
    for sources in authorizer.levels:
        _named_once(authorizer, sources)
    for use in authorizer.qualifiers:
        if use.source in authorizer.substituted:
            if use.nearer:
                raise _nearer(use.source)
            fields = use.node.fields or ()
            authorizer.found.edits.set(use.node, "fields", (*strings(use.source.name), fields[-1]))
    for grouping in authorizer.groupings:
        _extend_grouping(authorizer, grouping)


def _extend_grouping(authorizer: Authorizer, grouping: Grouping) -> None:
    """GROUP BY of a primary key, where its relation was replaced."""
    replaced = [source for source in grouping.scope.sources if source in authorizer.substituted]
    if not replaced:
        return
    select = grouping.select
    targets = authorizer.expanded.get(id(select), select.targetList or ())
    keys = {source: _key(authorizer, source) for source in replaced}
    groups = extended_group_by(select, targets, grouping.scope, keys)
    if groups is not None:
        authorizer.found.edits.set(select, "groupClause", groups)


def _key(authorizer: Authorizer, source: Source) -> tuple[str, ...]:
    """The primary key by the names it has here; none if part of it is masked, for then rows share keys."""
    relation = source.relation
    if relation is None:
        return ()
    places = [place for place, column in enumerate(relation.columns) if column.name in relation.primary_key]
    if any(authorizer.governed.mask(relation, relation.columns[place]) for place in places):
        return ()
    return tuple((source.columns or ())[place] for place in places)


def _named_once(authorizer: Authorizer, sources: list[Source]) -> None:
    """The same name from two schemas: told apart by the schema alone, which a subquery has not."""
    first: dict[str, Source] = {}
    for source in sources:
        other = first.setdefault(source.name, source)
        replaced = source in authorizer.substituted
        if other is not source and source.name and (replaced or other in authorizer.substituted):
            raise refused(f"FROM lists two relations named {source.name}", "give them aliases")
        if replaced:
            first[source.name] = source


def _nearer(source: Source) -> Refused:
    return refused(
        f"{source.schema}.{source.name} is named by its schema where another {source.name} is nearer",
        "give one of the two an alias and name it by that",
    )


def unknown_relation(reference: ast.RangeVar) -> Refused:
    """A relation that is in no catalog: the words and code the server has for it."""
    name = f"{reference.schemaname}.{reference.relname}" if reference.schemaname else reference.relname
    return unknown(f'relation "{name}" does not exist', "42P01")
