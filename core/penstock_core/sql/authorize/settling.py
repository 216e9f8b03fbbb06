"""What is decided when all of a text is known, since it depends on which sources were replaced by queries."""

from __future__ import annotations

from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.authorize.relations import substitute
from penstock_core.sql.authorize.rows import nearer
from penstock_core.sql.authorize.system_relations import put_queries
from penstock_core.sql.bind.binder import strings
from penstock_core.sql.bind.references import Grouping
from penstock_core.sql.bind.scopes import Source
from penstock_core.sql.masking.grouping import extended_group_by
from penstock_core.sql.refusal import refused


def settle(authorizer: Authorizer) -> None:
    """What depends on which sources were replaced: names that told two apart, and schemas before names."""
    put_queries(authorizer)
    _widen(authorizer)
    for sources in authorizer.levels:
        _named_once(authorizer, sources)
    for use in authorizer.qualifiers:
        if use.source in authorizer.substituted:
            if use.nearer:
                raise nearer(use.source)
            fields = use.node.fields or ()
            authorizer.found.edits.set(use.node, "fields", (*strings(use.source.name), fields[-1]))
    for grouping in authorizer.groupings:
        _extend_grouping(authorizer, grouping)


def _widen(authorizer: Authorizer) -> None:
    """The query of a table shows the system columns too that are named of it."""
    for source, names in authorizer.wanted.items():
        if source not in authorizer.substituted or source.relation is None:
            continue
        if source in authorizer.whole:
            raise refused(f"{source.name} is read as a whole beside its {min(names)}", "name the columns you need")
        substitute(authorizer, source, source.relation, tuple(sorted(names)))


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
