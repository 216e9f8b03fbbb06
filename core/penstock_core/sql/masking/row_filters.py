"""Row filters: of a table that a policy filters, only the rows that its condition is true for are there.

A condition is written by a policy's author, and holds for every identity alike: it may be made only of what gives the
same for a row in any session, and fails for none. What a filtered table stands for in a statement is
`substitution.py`'s; that no condition of a client's is computed for a row that isn't there, `order_errors.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pglast import ast, enums
from pglast.parser import ParseError

from penstock_core.policy.effective import Mask, RowFilter
from penstock_core.sql.catalog.model import Catalog, ColumnName, Relation, RelationName
from penstock_core.sql.masking.build import null, operator
from penstock_core.sql.masking.filter_values import NotSteady, Values
from penstock_core.sql.refusal import Refused
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.walk import below

_Kind = enums.A_Expr_Kind
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_LIKE = {_Kind.AEXPR_LIKE, _Kind.AEXPR_ILIKE}
_BETWEEN = {_Kind.AEXPR_BETWEEN: False, _Kind.AEXPR_NOT_BETWEEN: True}
_DISTINCT = {_Kind.AEXPR_DISTINCT: True, _Kind.AEXPR_NOT_DISTINCT: False}
_AND, _OR, _NOT = enums.BoolExprType.AND_EXPR, enums.BoolExprType.OR_EXPR, enums.BoolExprType.NOT_EXPR
# Of these, what is stored is what is read.
_FILTERED_KINDS = ("r", "p", "m")


@dataclass(frozen=True)
class RowFilters:
    """What filters make of a database."""

    # Of each filtered relation its condition, in SQL that means the same under any search path.
    conditions: Mapping[RelationName, str] = field(default_factory=dict)
    # Relations whose filter can't be carried out, or that show rows of a filtered one without being filtered as it is:
    # nobody who is filtered can read them, and why.
    unreadable: Mapping[RelationName, str] = field(default_factory=dict)
    # Views that show such rows, and why; but for that, their definitions may be written out in their place.
    views: Mapping[RelationName, str] = field(default_factory=dict)
    # The columns of sequences that number filtered relations: they tell how many rows there are. And these relations.
    numbering: Mapping[ColumnName, Mask] = field(default_factory=dict)
    numbered: frozenset[RelationName] = frozenset()
    # Relations of which what is unique, and what numbers them, may tell of rows that are not there.
    revealing: frozenset[RelationName] = frozenset()
    # In words, what is wrong with the filters themselves.
    findings: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> Mapping[RelationName, frozenset[str]]:
        """The columns that each condition looks at."""
        return {key: frozenset(_columns_of(condition)) for key, condition in self.conditions.items()}

    @cached_property
    def relations(self) -> frozenset[RelationName]:
        """The relations some of whose rows are not there."""
        return frozenset((*self.conditions, *self.unreadable, *self.views))


def row_filters(filters: Sequence[RowFilter], catalog: Catalog, masked: Mapping[ColumnName, Any]) -> RowFilters:
    """The filters over that database, spread to the partitions and children of what they name."""
    conditions: dict[RelationName, list[str]] = {}
    protected: set[RelationName] = set()
    unreadable: dict[RelationName, str] = {}
    findings: list[str] = []
    for one in filters:
        place = f"the row filter of policy {one.rule.policy} ({one.rule.path})"
        relation = catalog.relations.get(one.table)
        if relation is None:
            findings.append(f"{place} is for {'.'.join(one.table)}, which does not exist")
            continue
        for each in catalog.overview.family(relation).values():
            try:
                written = compiled(one.where, each, catalog, masked)
            except NotSteady as error:
                unreadable[each.key] = f"{place} can't be carried out: {error}"
                findings.append(f"{place} can't be carried out, so {'.'.join(each.key)} can't be read: {error}")
            else:
                conditions.setdefault(each.key, []).append(written)
            if not one.reveals_uniqueness:
                protected.add(each.key)
    joined = {key: " AND ".join(f"({one})" for one in dict.fromkeys(found)) for key, found in conditions.items()}
    showing, views = _showing(joined.keys() | unreadable.keys(), catalog)
    unreadable = {**showing, **_mixed(joined, catalog), **unreadable}
    conditions_left = {key: one for key, one in joined.items() if key not in unreadable}
    numbered = _numbered(joined.keys() | unreadable.keys(), catalog)
    numbering = {name: Mask("redact", filters[0].rule) for names in numbered.values() for name in names}
    revealing = conditions_left.keys() - protected
    return RowFilters(
        conditions=conditions_left,
        unreadable=unreadable,
        views=views,
        numbering=numbering,
        numbered=frozenset(numbered),
        revealing=frozenset(revealing),
        findings=tuple(sorted(findings)),
    )


def _numbered(filtered: AbstractSet[RelationName], catalog: Catalog) -> dict[RelationName, set[ColumnName]]:
    """The relations whose rows are numbered by sequences, and the columns of these: they tell of the rows that they
    numbered as those of masked columns do.
    """
    found: dict[RelationName, set[ColumnName]] = {}
    for key in filtered:
        for column in catalog.relations[key].columns:
            for derived in catalog.overview.derived:
                for target in derived.get((*key, column.name), ()):
                    if catalog.relations[target[0], target[1]].kind == "S":
                        found.setdefault(key, set()).add(target)
    return found


def _mixed(conditions: Mapping[RelationName, str], catalog: Catalog) -> dict[RelationName, str]:
    """Wholes that hold the rows of a part which is filtered in another way than they are."""
    found: dict[RelationName, str] = {}
    for key in conditions:
        pending = list(catalog.relations[key].parents)
        while pending:
            whole = pending.pop()
            alike = conditions.get(whole) == conditions[key]
            if whole in catalog.relations and whole not in found and not alike:
                found[whole] = f"it holds the rows of {'.'.join(key)}, of which a policy filters some"
                pending.extend(catalog.relations[whole].parents)
    return found


def _showing(
    keys: AbstractSet[RelationName], catalog: Catalog
) -> tuple[dict[RelationName, str], dict[RelationName, str]]:
    """What reads filtered relations, at whatever level, and would show all rows: what can't be read, and views in whose
    place their definitions can be written out; and why. What is stored may have a filter of its own.
    """
    found: dict[RelationName, str] = {}
    views: dict[RelationName, str] = {}
    above = catalog.overview.above(keys)
    for relation in (catalog.relations[key] for key in above - keys):
        known = relation.sources & above
        if known:
            why = _kept_apart(relation, catalog)
            said = f"it reads {'.'.join(min(known))}, of which a policy filters the rows{why}"
            (found if why else views)[relation.key] = said
    return found, views


def _kept_apart(relation: Relation, catalog: Catalog) -> str:
    """Why the definition can't be written out in place of what it defines, in words."""
    if relation.kind == "m":
        return ", and holds all that were there when it was refreshed"
    if relation.kind != "v":
        return ", for its row security"
    if not relation.definition:
        return ", and its definition is not known"
    if relation.security_barrier:
        return ", and is a security barrier, which would not hold where its definition is written out"
    pending, seen = [relation.key], {relation.key}
    while pending:
        present = catalog.relations.get(pending.pop())
        if present is None:
            continue
        if present.has_row_security:
            return f", and the row security of {'.'.join(present.key)} is that of the view's owner"
        fresh = present.sources - seen if present.kind == "v" else frozenset[RelationName]()
        seen |= fresh
        pending.extend(fresh)
    return ""


def compiled(where: str, relation: Relation, catalog: Catalog, masked: Mapping[ColumnName, Any]) -> str:
    """The condition in SQL with every name qualified. Raises NotSteady, with the reason."""
    if relation.kind not in _FILTERED_KINDS:
        raise NotSteady(f"{'.'.join(relation.key)} is no table and no materialized view")
    condition = _Conditions(Values(relation, catalog, masked)).condition(_condition(where))
    statement = ast.SelectStmt(targetList=(ast.ResTarget(val=null()),), whereClause=condition)
    written = deparse((statement,))
    return written[written.index(" WHERE ") + len(" WHERE ") :]


def parsed(condition: str) -> ast.Node:
    """Fresh nodes of a condition that was compiled."""
    (statement,) = parse(f"SELECT NULL WHERE {condition}")
    if not isinstance(statement, ast.SelectStmt) or statement.whereClause is None:  # pragma: no cover - it was written
        raise TypeError(type(statement).__name__)
    return statement.whereClause


def _columns_of(condition: str) -> Iterator[str]:
    for node in below(parsed(condition)):
        if isinstance(node, ast.ColumnRef) and node.fields and isinstance(node.fields[-1], ast.String):
            yield node.fields[-1].sval or ""


def _condition(where: str) -> ast.Node:
    try:
        statements = parse(f"SELECT NULL WHERE ({where}\n)")
    except (ParseError, Refused, ValueError, RecursionError) as error:
        raise NotSteady(f"it is no condition in SQL: {' '.join(str(error).split())}") from None
    statement = statements[0]
    if len(statements) != 1 or not isinstance(statement, ast.SelectStmt) or statement.whereClause is None:
        raise NotSteady("it is no condition in SQL")
    present = {name for name in statement if getattr(statement, name)}
    if not present <= {"targetList", "whereClause", "limitOption", "op", "all"}:
        raise NotSteady("it is no condition in SQL")
    return statement.whereClause


@dataclass(frozen=True, slots=True)
class _Conditions:
    """Writes conditions anew."""

    values: Values

    def condition(self, node: Any) -> ast.Node:
        match node:
            case ast.BoolExpr(args=parts):
                return ast.BoolExpr(boolop=node.boolop, args=tuple(self.condition(part) for part in parts or ()))
            case ast.NullTest(arg=arg):
                return ast.NullTest(arg=self.values.value(arg).node, nulltesttype=node.nulltesttype, argisrow=False)
            case ast.BooleanTest(arg=arg):
                return ast.BooleanTest(arg=self.condition(arg), booltesttype=node.booltesttype)
            case ast.A_Expr():
                return self._comparison(node)
            case _:
                value = self.values.value(node)
                if value.type != "bool":
                    raise NotSteady(f"{value.named} is no condition")
                return value.node

    def _comparison(self, node: ast.A_Expr) -> ast.Node:
        kind, right = node.kind, node.rexpr
        name = _operator_name(node)
        if kind == _Kind.AEXPR_OP and name in _COMPARISONS:
            return self._compared(name, node.lexpr, right)
        if kind == _Kind.AEXPR_OP and name in ("@>", "?"):
            return self.values.held(name, node.lexpr, right)
        if kind == _Kind.AEXPR_IN and isinstance(right, tuple):
            return self._any(node.lexpr, right, negated=name == "<>")
        if kind == _Kind.AEXPR_OP_ANY and name == "=" and isinstance(right, ast.A_ArrayExpr):
            return self._any(node.lexpr, tuple(right.elements or ()), negated=False)
        if kind in _BETWEEN and isinstance(right, tuple):
            low, high = right
            within = _joined(_AND, self._compared(">=", node.lexpr, low), self._compared("<=", node.lexpr, high))
            return _joined(_NOT, within) if _BETWEEN[kind] else within
        if kind in _DISTINCT:
            return self._distinct(node.lexpr, right, negated=_DISTINCT[kind])
        if kind in _LIKE:
            return self.values.like(name, node.lexpr, right)
        raise NotSteady(f"the operator {name} may not be used in it")

    def _compared(self, name: str, left: Any, right: Any) -> ast.Node:
        one, other = self.values.alike(left, right)
        return operator(name, one.node, other.node)

    def _any(self, left: Any, parts: Sequence[Any], *, negated: bool) -> ast.Node:
        if not parts:
            raise NotSteady("a list in it is empty")
        each = [self._compared("=", left, part) for part in parts]
        found = each[0] if len(each) == 1 else _joined(_OR, *each)
        return _joined(_NOT, found) if negated else found

    def _distinct(self, left: Any, right: Any, *, negated: bool) -> ast.Node:
        """`IS NOT DISTINCT FROM` has no spelling with a qualified operator."""
        equal = ast.BooleanTest(arg=self._compared("=", left, right), booltesttype=enums.BoolTestType.IS_TRUE)
        nulls = [
            ast.NullTest(arg=self.values.value(one).node, nulltesttype=enums.NullTestType.IS_NULL, argisrow=False)
            for one in (left, right)
        ]
        same = _joined(_OR, equal, _joined(_AND, *nulls))
        return _joined(_NOT, same) if negated else same


def _joined(boolop: enums.BoolExprType, *parts: ast.Node) -> ast.Node:
    return ast.BoolExpr(boolop=boolop, args=parts)


def _operator_name(node: ast.A_Expr) -> str:
    names = [one.sval or "" for one in node.name or () if isinstance(one, ast.String)]
    if names[:-1] not in ([], ["pg_catalog"]):
        raise NotSteady(f"the operator {'.'.join(names)} may not be used in it")
    return "<>" if names[-1] == "!=" else names[-1]
