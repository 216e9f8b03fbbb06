"""What a policy makes of a database: which columns are masked and how, which rows are there, and which relations can't
be read at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce

from penstock_core.policy.effective import Mask, MaskRule, PolicySet, Rule, stricter
from penstock_core.resources.vocabulary import column_parts
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog, Column, ColumnName, Relation, RelationName
from penstock_core.sql.catalog.overview import MaskedSet
from penstock_core.sql.masking.function_access import Reach, computing
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
    # Views of filtered relations, in whose place their definitions are written out.
    written_out: frozenset[RelationName] = frozenset()
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

    def prepare(self) -> None:
        """Find all that the first decision would have to wait for."""
        for name in ("functions", "own_calls", "reach", "denied_functions", "require_where", "_laid_out", "sequences"):
            getattr(self, name)

    @cached_property
    def functions(self) -> Functions:
        """The functions of the database's own, those that the policies vouch for taken at their word."""
        return Functions(self.catalog, attested(self.policies))

    @cached_property
    def own_calls(self) -> OwnCalls:
        """What the order of rows needs to know about these functions."""
        return OwnCalls(self.functions)

    @property
    def calling(self) -> dict[RelationName, tuple[str, ...]]:
        """Of each relation whose reading runs functions of the database's own, also through views: their names."""
        return self.catalog.overview.calls

    @cached_property
    def reach(self) -> Reach:
        """What leads to relations that functions may not read unseen."""
        others = self.unreadable.keys() | self.disarmed
        return Reach(self.catalog, self._relations | others if others else self._relations)

    @cached_property
    def denied_functions(self) -> dict[str, Rule]:
        """The functions that a policy denies, by bare or qualified name."""
        return dict(self.policies.deny_functions)

    @cached_property
    def require_where(self) -> dict[str, Rule]:
        """The verbs that need a WHERE."""
        return dict(self.policies.require_where)

    @cached_property
    def _set(self) -> MaskedSet:
        return self.catalog.overview.masked(self.columns)

    @cached_property
    def _relations(self) -> frozenset[RelationName]:
        masked, filtered = self._set.relations, self.filters.relations
        return masked | filtered if filtered else masked

    @cached_property
    def sequences(self) -> frozenset[RelationName]:
        """The sequences that number masked columns."""
        return frozenset(key for key in self._set.relations if self.catalog.relations[key].kind == "S")

    @property
    def named(self) -> dict[str, tuple[Relation, ...]]:
        """Every relation by its bare name."""
        return self.catalog.overview.named

    @property
    def children(self) -> dict[RelationName, tuple[RelationName, ...]]:
        """The relations that inherit from each, or are partitions of it."""
        return self.catalog.overview.children

    @property
    def code_when_read(self) -> frozenset[RelationName]:
        """Relations that code of the user's may run for when they are read, and views of such."""
        return self.catalog.overview.code_when_read

    @property
    def checked_when_parsed(self) -> frozenset[RelationName]:
        """Relations beside whose columns a literal may become a value of a type whose checks run code of the user's."""
        return self.catalog.overview.checked

    def governs(self, relation: Relation) -> bool:
        """Whether any column of that relation is masked, or any row left out."""
        return relation.key in self._relations

    @cached_property
    def _laid_out(self) -> frozenset[RelationName]:
        """Relations whose rows, or the rows of what is read through them, lie on disk by the width of masked values."""
        return self.catalog.overview.above(self._relations) if self.filters.relations else self._set.above

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
    columns = close(named_columns(policies, catalog), catalog)
    filters = row_filters(policies.row_filters, catalog, columns)
    if not columns and not filters.relations:
        return Governed(policies, catalog, columns, {})
    columns = {**filters.numbering, **columns}
    hazards = hazards_of(policies, {} if policies.row_order == "unspecified" else columns, filters, catalog)
    disarmed = frozenset({one.key for one in catalog.overview.coded} | (catalog.coded_types & catalog.relations.keys()))
    functions = Functions(catalog, attested(policies))
    hazards, undecided = judge_views(hazards, catalog, OwnCalls(functions))
    # What is written out is judged where it stands.
    undecided = {key: why for key, why in undecided.items() if key not in filters.views}
    undecided = {**undecided, **filters.unreadable}
    unreadable = _unreadable(columns, catalog, functions, disarmed, filters.relations, undecided)
    written_out = frozenset(filters.views.keys() - unreadable.keys() - disarmed)
    unreadable = {**filters.views, **unreadable}
    return Governed(policies, catalog, columns, unreadable, disarmed, filters, written_out, hazards)


def hazards_of(
    policies: PolicySet, columns: Mapping[ColumnName, Mask], filters: RowFilters, catalog: Catalog
) -> OrderHazards:
    """What is known of the order of rows where these columns are masked, and these rows left out."""
    return order_hazards(columns, catalog, always=policies.row_order == "always", filtered=filters.conditions)


def attested(policies: PolicySet) -> frozenset[RelationName]:
    """The functions that the policies vouch for, by schema and name."""
    parts = [tuple(name.split(".")) for name, _ in policies.allow_functions]
    return frozenset((one[0], one[1]) for one in parts if len(one) == 2)


def is_coded(column: Column, catalog: Catalog) -> bool:
    """Whether values of the column's type run code of the user's."""
    return name_parts(column.type_name) in catalog.coded_types


def named_columns(policies: PolicySet, catalog: Catalog) -> dict[ColumnName, Mask]:
    """The columns that masks name by their patterns, each with the strictest."""
    rules = [(column_parts(pattern), rule.mask) for rule in policies.masks for pattern in rule.columns]
    places: dict[ColumnName, tuple[int, ...]] = {}
    for place, name in catalog.overview.matching([pattern for pattern, _ in rules]):
        places[name] = (*places.get(name, ()), place)
    # Many columns are named by the same few rules.
    strictest: dict[tuple[int, ...], Mask] = {}
    for chosen in places.values():
        if chosen not in strictest:
            strictest[chosen] = reduce(stricter, (rules[place][1] for place in chosen))
    return {name: strictest[chosen] for name, chosen in places.items()}


def columns_of(rule: MaskRule, catalog: Catalog) -> frozenset[ColumnName]:
    """The columns that one mask is for, closed over what derives from them."""
    alone = PolicySet((), frozenset(), masks=(rule,))
    return frozenset(close(named_columns(alone, catalog), catalog))


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
    overview = catalog.overview
    for relation in {one.key: one for one in (*overview.choosing, *overview.coded)}.values():
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
            for relation in overview.reading
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
    for relation in catalog.overview.calling:
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
    chosen_by = sorted(name for name in relation.filters if name in columns)
    if chosen_by:
        return f"its rows are chosen by the masked column {'.'.join(chosen_by[0])}"
    evaluated = sorted(name for name in relation.evaluated if name in columns)
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
