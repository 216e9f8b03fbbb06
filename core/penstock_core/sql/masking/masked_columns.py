"""What a policy makes of a database: which columns are masked and how, which rows are there, and which relations can't
be read at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule, stricter
from penstock_core.resources.vocabulary import column_parts
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog, Column, ColumnName, Relation, RelationName
from penstock_core.sql.masking.function_access import Reach, computing
from penstock_core.sql.masking.masks import MaskWriter
from penstock_core.sql.masking.order_hazards import OrderHazards, judge_views, order_hazards
from penstock_core.sql.masking.order_sensitivity import OwnCalls
from penstock_core.sql.masking.propagation import close
from penstock_core.sql.masking.row_filters import RowFilters, row_filters
from penstock_core.sql.syntax.type_names import name_parts


@dataclass(frozen=True)
class Governed:
    """One policy set over one catalog snapshot."""

    policies: PolicySet
    catalog: Catalog
    columns: dict[ColumnName, Mask]
    # Relations that masked identities can't read, and why not.
    unreadable: dict[RelationName, str]
    # Relations with columns of domains that run the user's code: what shows of these is the type below the domain.
    disarmed: frozenset[RelationName] = frozenset()
    # Of some relations, which of their rows are there.
    filters: RowFilters = field(default_factory=RowFilters)
    # Relations whose rows may come in an order that masked values decide; none where a policy leaves that open.
    hazards: OrderHazards = field(default_factory=OrderHazards)

    @property
    def masked(self) -> bool:
        """Whether anything in the database is masked for the identity, or left out: then what is unknown is refused."""
        return bool(self.columns or self.filters.relations)

    @property
    def free(self) -> bool:
        """Whether the identity may do anything in the database, code of its own included."""
        return not (self.masked or self.policies.missing or self.policies.guards)

    @cached_property
    def functions(self) -> Functions:
        """The functions of the database's own, those that the policies vouch for taken at their word."""
        return Functions(self.catalog, attested(self.policies))

    @cached_property
    def own_calls(self) -> OwnCalls:
        """What the order of rows needs to know about these functions."""
        return OwnCalls(self.functions)

    @cached_property
    def calling(self) -> dict[RelationName, tuple[str, ...]]:
        """Of each relation whose reading runs functions of the database's own, also through views: their names."""
        found: dict[RelationName, tuple[str, ...]] = {}
        for relation in self.catalog.relations.values():
            names: dict[str, None] = {}
            seen, pending = {relation.key}, [relation.key]
            while pending:
                one = self.catalog.relations.get(pending.pop())
                if one is not None:
                    names.update(dict.fromkeys(one.calls))
                    fresh = sorted({*one.sources, *self.children.get(one.key, ())} - seen)
                    seen.update(fresh)
                    pending.extend(fresh)
            if names:
                found[relation.key] = tuple(names)
        return found

    @cached_property
    def reach(self) -> Reach:
        """What leads to relations that functions may not read unseen."""
        return Reach(self.catalog, self._relations | self.unreadable.keys() | self.disarmed)

    @cached_property
    def denied_functions(self) -> dict[str, Rule]:
        """The functions that a policy denies, by bare or qualified name."""
        return dict(self.policies.deny_functions)

    @cached_property
    def require_where(self) -> dict[str, Rule]:
        """The verbs that need a WHERE."""
        return dict(self.policies.require_where)

    @cached_property
    def _relations(self) -> frozenset[RelationName]:
        return self.filters.relations.union((schema, name) for schema, name, _ in self.columns)

    @cached_property
    def sequences(self) -> frozenset[RelationName]:
        """The sequences that number masked columns."""
        named = ((schema, name) for schema, name, _ in self.columns)
        return frozenset(key for key in named if self.catalog.relations[key].kind == "S")

    @cached_property
    def named(self) -> dict[str, tuple[Relation, ...]]:
        """Every relation by its bare name."""
        found: dict[str, tuple[Relation, ...]] = {}
        for relation in self.catalog.relations.values():
            found[relation.name] = (*found.get(relation.name, ()), relation)
        return found

    @cached_property
    def children(self) -> dict[RelationName, tuple[RelationName, ...]]:
        """The relations that inherit from each, or are partitions of it."""
        found: dict[RelationName, tuple[RelationName, ...]] = {}
        for relation in self.catalog.relations.values():
            for parent in relation.parents:
                found[parent] = (*found.get(parent, ()), relation.key)
        return found

    @cached_property
    def code_when_read(self) -> frozenset[RelationName]:
        """Relations that code of the user's may run for when they are read, and views of such."""
        catalog = self.catalog
        found = {
            relation.key
            for relation in catalog.relations.values()
            if relation.calls or any(is_coded(column, catalog) for column in relation.columns)
        }
        found |= {whole for key in found for whole in _ancestors(catalog.relations[key], catalog)}
        grown = True
        while grown:
            fresh = {one.key for one in catalog.relations.values() if one.key not in found and one.sources & found}
            found |= fresh
            grown = bool(fresh)
        return frozenset(found)

    @cached_property
    def checked_when_parsed(self) -> frozenset[RelationName]:
        """Relations beside whose columns a literal may become a value of a type whose checks run code of the user's."""
        checked = self.catalog.checked_types
        return frozenset(
            relation.key
            for relation in self.catalog.relations.values()
            if checked and any(name_parts(column.type_name) in checked for column in relation.columns)
        )

    def governs(self, relation: Relation) -> bool:
        """Whether any column of that relation is masked, or any row left out."""
        return relation.key in self._relations

    @cached_property
    def _laid_out(self) -> frozenset[RelationName]:
        """Relations whose rows, or the rows of what is read through them, lie on disk by the width of masked values."""
        above: dict[RelationName, list[RelationName]] = {}
        for relation in self.catalog.relations.values():
            above.setdefault(relation.key, []).extend(relation.parents)
            for source in relation.sources:
                above.setdefault(source, []).append(relation.key)
        found, pending = set(self._relations), list(self._relations)
        while pending:
            fresh = [name for name in above.get(pending.pop(), ()) if name not in found]
            found.update(fresh)
            pending.extend(fresh)
        return frozenset(found)

    def is_laid_out(self, relation: Relation, *, only: bool = False) -> bool:
        """Whether where its rows lie, how many pages they take and what reading them costs depends on masked values.

        `only`: without the rows of its children.
        """
        if only:
            return self.governs(relation) or not relation.sources.isdisjoint(self._laid_out)
        return relation.key in self._laid_out

    def harmless(self, relation: Relation) -> bool:
        """Whether reading and writing it needs no rule at all."""
        return not relation.has_triggers and self.may_change(relation)

    def may_change(self, relation: Relation) -> bool:
        """Whether its columns, constraints and indexes may change: nothing is masked, and no code runs by that. Changes
        of the schema fire no triggers of tables; what these do is looked at whenever rows are written.
        """
        return not (
            self.governs(relation)
            or relation.key in self.unreadable
            or relation.key in self.disarmed
            or relation.has_rules
            or relation.write_calls
            or relation.default_calls
        )

    def runs_code(self, key: RelationName) -> bool:
        """Whether the type of that schema and name may run code of the user's where it is named or stored."""
        catalog = self.catalog
        unsafe = key[0] != "pg_catalog" and key not in catalog.safe_types
        return unsafe or key in catalog.coded_types or key in catalog.cast_types

    def mask(self, relation: Relation, column: Column) -> Mask | None:
        """The column's mask, if it has one."""
        return self.columns.get((relation.schema, relation.name, column.name))


def govern(policies: PolicySet, catalog: Catalog) -> Governed:
    """Which columns the policies mask in that database, closed over what derives from them."""
    columns = close(_named(policies, catalog), catalog)
    filters = row_filters(policies.row_filters, catalog, columns)
    if not columns and not filters.relations:
        return Governed(policies, catalog, columns, {})
    columns = {**filters.numbering, **columns}
    hazards = _hazards(policies, {} if policies.row_order == "unspecified" else columns, filters, catalog)
    disarmed = frozenset(
        relation.key
        for relation in catalog.relations.values()
        if relation.key in catalog.coded_types or any(is_coded(column, catalog) for column in relation.columns)
    )
    functions = Functions(catalog, attested(policies))
    hazards, undecided = judge_views(hazards, catalog, OwnCalls(functions))
    undecided = {**undecided, **filters.unreadable}
    unreadable = _unreadable(columns, catalog, functions, disarmed, filters.relations, undecided)
    return Governed(policies, catalog, columns, unreadable, disarmed, filters, hazards)


def _hazards(
    policies: PolicySet, columns: Mapping[ColumnName, Mask], filters: RowFilters, catalog: Catalog
) -> OrderHazards:
    return order_hazards(columns, catalog, always=policies.row_order == "always", filtered=filters.conditions)


def attested(policies: PolicySet) -> frozenset[RelationName]:
    """The functions that the policies vouch for, by schema and name."""
    parts = [tuple(name.split(".")) for name, _ in policies.allow_functions]
    return frozenset((one[0], one[1]) for one in parts if len(one) == 2)


def is_coded(column: Column, catalog: Catalog) -> bool:
    """Whether values of the column's type run code of the user's."""
    return name_parts(column.type_name) in catalog.coded_types


def misfits(policy: EffectivePolicy, catalog: Catalog) -> tuple[str, ...]:
    """In words, what policies name and does not fit the database: masks that the column's type, a NOT NULL or a unique
    constraint beside INSERT is at odds with, and each allowed function that does not exist.
    """
    writer = MaskWriter(b"")
    found: set[str] = set()
    for policies in (policy.enforced, policy.observed):
        if policies is None:
            continue
        for function, rule in policies.allow_functions:
            schema, _, name = function.partition(".")
            if (schema, name) not in catalog.routines:
                found.add(f"policy {rule.policy} allows the function {function} ({rule.path}), which does not exist")
        governed = govern(policies, catalog)
        found.update(governed.filters.findings)
        for (schema, table, name), mask in governed.columns.items():
            relation = catalog.relations[schema, table]
            column = relation.column(name)
            if column is not None and relation.kind != "S":
                found.update(_misfits(relation, column, mask, fits=writer.fits(mask, column)))
                if "insert" in policies.allow and not mask.reveals_uniqueness:
                    found.update(_uninsertable(relation, column, mask))
    return tuple(sorted(found))


def _misfits(relation: Relation, column: Column, mask: Mask, *, fits: bool) -> Iterator[str]:
    named = f"{relation.schema}.{relation.name}.{column.name}"
    by = f"of policy {mask.rule.policy} ({mask.rule.path})"
    if not fits:
        yield f"{named} is {column.type_sql}, which the mask {mask.title} {by} does not fit; it is masked as null"
    if column.not_null and (mask.kind == "null" or not fits):
        yield (
            f"{named} is NOT NULL, but shows as NULL by the mask {mask.title} {by}: clients with fixed types may fail; "
            "redact shows a value of the column's type"
        )


def _uninsertable(relation: Relation, column: Column, mask: Mask) -> Iterator[str]:
    unique = any(one.kind in ("p", "u", "i") and column.name in one.columns for one in relation.constraints)
    if relation.kind in ("r", "p") and unique:
        yield (
            f"rows with a value for {column.name} can't be inserted into {relation.schema}.{relation.name}: a unique "
            f"constraint or index is on its masked column {column.name}; uniqueness: reveal in {mask.rule.path} of "
            f"policy {mask.rule.policy} would allow it, and tell which values are there"
        )


def row_order_findings(policy: EffectivePolicy, catalog: Catalog) -> tuple[str, ...]:
    """In words, each index, partition key and view by which masked values may decide the order of rows."""
    found: set[str] = set()
    for policies in (policy.enforced, policy.observed):
        if policies is None:
            continue
        open_order = policies.row_order == "unspecified"
        what = (
            "rowOrder is unspecified, so rows may tell it"
            if open_order
            else "statements that read it are sorted further"
        )
        hazards = _hazards(policies, close(_named(policies, catalog), catalog), RowFilters(), catalog)
        found.update(f"{why}; {what}" for why in hazards.own)
    return tuple(sorted(found))


def _named(policies: PolicySet, catalog: Catalog) -> dict[ColumnName, Mask]:
    """The columns that masks name by their patterns, each with the strictest."""
    named: dict[ColumnName, Mask] = {}
    rules = [(column_parts(pattern), rule.mask) for rule in policies.masks for pattern in rule.columns]
    for relation in catalog.relations.values():
        here = [
            (column, mask)
            for (schema, table, column), mask in rules
            if schema in ("*", relation.schema) and table in ("*", relation.name)
        ]
        for column in relation.columns if here else ():
            masks = [mask for name, mask in here if name in ("*", column.name)]
            if masks:
                named[relation.schema, relation.name, column.name] = reduce(stricter, masks)
    return named


def columns_of(rule: MaskRule, catalog: Catalog) -> frozenset[ColumnName]:
    """The columns that one mask is for, closed over what derives from them."""
    alone = PolicySet((), frozenset(), masks=(rule,))
    return frozenset(close(_named(alone, catalog), catalog))


def _unreadable(
    columns: dict[ColumnName, Mask],
    catalog: Catalog,
    functions: Functions,
    disarmed: frozenset[RelationName],
    filtered: frozenset[RelationName],
    undecided: Mapping[RelationName, str],
) -> dict[RelationName, str]:
    """Relations whose rows are chosen by masked values, or that run code of the user's which is not harmless, and views
    over such.
    """
    reasons = dict(undecided)
    for relation in catalog.relations.values():
        reason = _hidden_read(relation, columns) or _coded_read(relation, catalog)
        if reason:
            reasons[relation.key] = reason
    masked = disarmed | filtered | {(schema, name) for schema, name, _ in columns}
    grown = True
    while grown:
        # Whether a function is harmless depends on what it reads.
        reach = Reach(catalog, masked | reasons.keys())
        fresh = dict(_calling(catalog, functions, reach, reasons))
        fresh |= {
            relation.key: f"it reads {'.'.join(source)}, which can't be read either ({reasons[source]})"
            for relation in catalog.relations.values()
            if relation.key not in reasons
            for source in sorted(relation.sources)
            if source in reasons
        }
        grown = not fresh.keys() <= reasons.keys()
        reasons = {**fresh, **reasons}
    return reasons


def _calling(
    catalog: Catalog, functions: Functions, reach: Reach, reasons: Mapping[RelationName, str]
) -> Iterator[tuple[RelationName, str]]:
    """Relations that run code of the database's own when they are read, and those that hold their rows."""
    for relation in catalog.relations.values():
        called = next((name for name in relation.calls if computing(name, functions, reach)), None)
        if called is None:
            continue
        reason = f"reading it calls {called}, code of the database's own that could read masked columns"
        if relation.key not in reasons:
            yield relation.key, reason
        for whole in _ancestors(relation, catalog):
            if whole not in reasons:
                yield whole, f"it holds the rows of {relation.schema}.{relation.name}, and {reason}"


def _coded_read(relation: Relation, catalog: Catalog) -> str | None:
    """A column that nothing can be put in place of: it is no domain, or of what a domain is made of."""
    for column in relation.columns:
        if is_coded(column, catalog) and name_parts(column.base_type) in catalog.coded_types:
            return (
                f"its column {column.name} is of type {column.type_name}, which runs code of the database's own that "
                "could read masked columns"
            )
    return None


def _hidden_read(relation: Relation, columns: dict[ColumnName, Mask]) -> str | None:
    chosen_by = sorted(relation.filters & columns.keys())
    if chosen_by:
        return f"its rows are chosen by the masked column {'.'.join(chosen_by[0])}"
    evaluated = sorted(relation.evaluated & columns.keys())
    if evaluated:
        return (
            f"whatever is asked of it, it computes something from the masked column {'.'.join(evaluated[0])} that "
            "fails for some values"
        )
    if relation.hazards:
        return f"its definition uses {relation.hazards[0]}, which could show masked values"
    return None


def _ancestors(relation: Relation, catalog: Catalog) -> Iterator[RelationName]:
    for name in relation.parents:
        if name in catalog.relations:
            yield name
            yield from _ancestors(catalog.relations[name], catalog)
