"""What tells the rows of a query apart: keys of its sources, and what its conditions pin or tie together.

Rows that are equal in what is found here are the same row, so an order by it is complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.total import ALIKE, ALIKE_TEXTS, COMPARISONS, GIVING_ALIKE, TEXTS
from penstock_core.sql.bind.scopes import Columns
from penstock_core.sql.catalog.model import Column, Relation
from penstock_core.sql.masking.order_nodes import by, by_image, column, own_nodes
from penstock_core.sql.masking.order_sensitivity import EXACT, INTEGERS, SUMS, function_name

# With more sources it is not found out which rows are told apart by what, so that nobody keeps the gate busy by that.
_MOST_SOURCES = 40
_FEW_SOURCES = 8
_EQUALS = (("=",), ("pg_catalog", "="))
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%"})
_ALIKE = frozenset({"abs", "ceil", "ceiling", "floor", "max", "min", "mod", "round", "trunc"}) | SUMS
# Functions that give values of their arguments, or texts of the same letters.
_THROUGH = frozenset(
    {"btrim", "first_value", "lag", "last_value", "lead", "lower", "ltrim", "max", "min", "rtrim", "upper"}
)


# What a floating point number can hold, in digits.
_MOST_DIGITS = 300
_BOUND = re.compile(r"pg_catalog\.numeric\((\d+)")


class NotTold(Exception):
    """Rows can't be told apart by names that the query could sort by."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A relation where it stands in a statement."""

    relation: Relation
    # Whether its rows may come in an order that masked values decide.
    hazard: bool
    # Unmasked columns of which no two of its rows hold the same.
    key: tuple[str, ...]
    # Columns that are computed when they are read, and may fail then; whether reading any row may.
    failing: frozenset[str] = frozenset()
    fails: bool = False
    masked: frozenset[str] = frozenset()
    # Whether some of its rows are not there: then nothing that may fail, or tells how often it is called, is computed
    # for any before that is known.
    filtered: bool = False


@dataclass(slots=True, eq=False)
class Rows:
    """What one FROM item brings, or a query gives."""

    name: str
    # None where they can't be known without the server.
    columns: Columns = None
    # Whether they may come in an order that masked values decide.
    hazard: bool = False
    # Columns of which no two rows hold the same; empty for none that are known.
    key: tuple[str, ...] = ()
    # Whether there is one row at most.
    single: bool = False
    # The base type's bare name of each column whose type is known.
    types: Mapping[str, str] = field(default_factory=dict)
    # Columns of which no two values are equal and look different.
    alike: frozenset[str] = frozenset()
    # Columns that are computed when they are read, and may fail then; whether reading any row may.
    failing: frozenset[str] = frozenset()
    fails: bool = False
    # The FROM item, by identity, where it is a relation.
    item: int = 0


# One column of one source.
Cell = tuple[int, str]


@dataclass(slots=True)
class Level:
    """One query: its sources as far as they are known by then, the queries around it, the tables of WITH in reach."""

    sources: list[Rows]
    outer: Level | None = None
    ctes: Mapping[str, Rows] = field(default_factory=dict)
    # Cells that a condition sets equal to a constant, and those that follow from another.
    fixed: set[Cell] = field(default_factory=set)
    ties: list[tuple[Cell, Cell]] = field(default_factory=list)
    # Whether a condition has a subquery that the server may join, with rows whose order is a hazard.
    joined_hazard: bool = False
    # Whether a query inside this one has an aggregate of this one's rows.
    aggregated: bool = False
    # Whether what its sources or their joins compute may fail for some rows.
    fails: bool = False
    # Sources of which a join may give NULL in place of rows, by identity.
    nullable: set[int] = field(default_factory=set)
    # Conditions on one source alone that all of its rows that count keep to, and that can't fail.
    selecting: list[tuple[Rows, Any]] = field(default_factory=list)

    def owner(self, node: Any) -> tuple[Rows, str] | None:
        """The source of this level whose column that is, and the column; None if it is none, or not surely."""
        if not isinstance(node, ast.ColumnRef):
            return None
        names = [one.sval or "" if isinstance(one, ast.String) else "" for one in node.fields or ()]
        name = names[-1]
        if not name or len(names) > 2:
            return None
        owners = [
            one
            for one in self.sources
            if one.columns is not None and name in one.columns and (len(names) == 1 or one.name == names[0])
        ]
        return (owners[0], name) if len(owners) == 1 and (owners[0].columns or ()).count(name) == 1 else None

    def around(self) -> Iterator[Level]:
        """The queries around this one, innermost first."""
        level = self.outer
        while level is not None:
            yield level
            level = level.outer

    def ties_alike(self, source: tuple[Rows, str], target: tuple[Rows, str]) -> bool:
        """Whether the two columns are compared as both of their types are."""
        return _compare_alike(source[0].types.get(source[1]), target[0].types.get(target[1]))

    def tie(self, source: tuple[Rows, str], target: tuple[Rows, str]) -> None:
        """What is in the one column is in the other, where that is compared as both types are."""
        if self.ties_alike(source, target):
            self.ties.append(((id(source[0]), source[1]), (id(target[0]), target[1])))

    # ---- conditions

    def condition(self, node: Any, into: Iterable[Rows] | None = None) -> None:
        """What an AND of conditions pins and ties; `into`: only these sources are held to it (an outer join's)."""
        held = None if into is None else {id(one) for one in into}
        if isinstance(node, ast.BoolExpr) and node.boolop == enums.BoolExprType.AND_EXPR:
            for part in node.args or ():
                self.condition(part, into)
        elif isinstance(node, ast.CurrentOfExpr):
            # The target, which stands first; what is joined to it is not chosen by that.
            self.sources[0].single = True
        elif is_equality(node):
            self._equal(node.lexpr, node.rexpr, held)
            self._equal(node.rexpr, node.lexpr, held)

    def _equal(self, left: Any, right: Any, held: set[int] | None) -> None:
        cell = self.owner(left)
        if cell is None or (held is not None and id(cell[0]) not in held):
            return
        kind = cell[0].types.get(cell[1])
        if kind is None:
            return
        other = self.owner(right)
        if other is None:
            if _is_constant(right, kind):
                self.fixed.add((id(cell[0]), cell[1]))
        else:
            self.tie(other, cell)

    # ---- which sources are told apart by what

    def told(self, fixed: Iterable[Cell], sources: Iterable[Rows] = ()) -> set[int]:
        """The sources (by identity) of which there is one row at most once those cells and sources are given."""
        cells = {*self.fixed, *fixed}
        known = {id(one) for one in (*sources, *(one for one in self.sources if one.single))}
        grown = len(self.sources) <= _MOST_SOURCES
        while grown:
            before = len(cells), len(known)
            known |= {id(one) for one in self.sources if one.key and all((id(one), key) in cells for key in one.key)}
            cells |= {right for left, right in self.ties if left in cells or left[0] in known}
            grown = (len(cells), len(known)) != before
        return known

    def apart(self, fixed: Iterable[Cell]) -> list[Rows]:
        """The fewest sources whose rows, with those cells, tell all rows of the query apart; all of many."""
        if len(self.sources) > _MOST_SOURCES:
            return self.sources
        given, chosen = set(fixed), list[Rows]()
        while True:
            known = self.told(given, chosen)
            left = [one for one in self.sources if id(one) not in known]
            if not left:
                return chosen
            # Past some number it is not worth finding out which is best.
            few = left if len(left) <= _FEW_SOURCES else left[:1]
            chosen.append(max(few, key=lambda one: (len(self.told(given, [*chosen, one])), bool(one.key))))

    def order(self, fixed: Iterable[Cell]) -> list[ast.SortBy]:
        """What to sort by besides those cells so that no two rows are equal. Raises NotTold."""
        if len(self.sources) > _MOST_SOURCES:
            raise NotTold("too many sources")
        given = set(fixed)
        order: list[ast.SortBy] = []
        for one in self.apart(given):
            if not one.name or sum(other.name == one.name for other in self.sources) > 1:
                raise NotTold(one.name)
            if one.key:
                order += [by(column(one.name, name)) for name in one.key if (id(one), name) not in given]
            else:
                order.append(by_image(one.name))
        return order

    def holding(self, node: Any) -> Rows | None:
        """The source that an expression without subqueries reads, if it surely reads that one alone."""
        parts = list(own_nodes(node))
        if any(isinstance(one, (ast.SubLink, ast.CurrentOfExpr)) for one in parts):
            return None
        owners = [self.owner(one) for one in parts if isinstance(one, ast.ColumnRef)]
        sources = {id(one[0]) if one is not None else 0 for one in owners}
        return owners[0][0] if owners and owners[0] is not None and len(sources) == 1 else None

    def take(self, other: Level) -> None:
        """What is known of a join of this level's."""
        self.fixed |= other.fixed
        self.ties += other.ties
        self.nullable |= other.nullable
        self.selecting += other.selecting
        self.joined_hazard |= other.joined_hazard
        self.fails |= other.fails

    # ---- types

    def is_alike(self, node: Any) -> bool:
        """Whether no two values of that expression are surely equal and look different."""
        match node:
            case ast.ColumnRef():
                owner = self.owner(node)
                return owner is not None and owner[1] in owner[0].alike
            case ast.A_Const() | ast.ParamRef() | ast.BoolExpr() | ast.NullTest() | ast.BooleanTest():
                return True
            case ast.FuncCall():
                name, parts = function_name(node), node.args or ()
                through = name in _THROUGH and bool(parts)
                return name in GIVING_ALIKE or (through and all(self.is_alike(one) for one in parts))
            case ast.CoalesceExpr(args=parts) | ast.MinMaxExpr(args=parts):
                return self._are_alike(node, parts or ())
            case ast.CaseExpr():
                return self._are_alike(node, (*(when.result for when in node.args or ()), node.defresult))
            case ast.TypeCast(arg=argument) if self.type_of(node) in TEXTS:
                return self.type_of(node) in ALIKE_TEXTS and self.type_of(argument) in ALIKE
            case ast.A_Expr(name=names) if names and names[-1].sval in COMPARISONS:
                return True
            case _:
                return self.type_of(node) in ALIKE

    def _are_alike(self, node: ast.Node, parts: Iterable[Any]) -> bool:
        """Of one of several: each may be alike, and all of them not, as 1.0 and 1.00 are."""
        if self.type_of(node) in ALIKE:
            return True
        values = [one for one in parts if one is not None and not (isinstance(one, ast.A_Const) and one.isnull)]
        return all(
            isinstance(one.val, ast.String)
            if isinstance(one, ast.A_Const)
            else not isinstance(one, ast.ParamRef) and self.is_alike(one)
            for one in values
        )

    def type_of(self, node: Any) -> str | None:
        """The bare name of an expression's type, as far as it matters here: None for what is not known."""
        match node:
            case ast.ColumnRef():
                cell = self.owner(node)
                return cell[0].types.get(cell[1]) if cell is not None else None
            case ast.A_Const(val=ast.Integer()):
                return "int4"
            case ast.A_Const(val=ast.Float()):
                return "numeric"
            case ast.TypeCast(typeName=ast.TypeName(names=names, arrayBounds=None)) if names:
                return str(names[-1].sval)
            case ast.CoalesceExpr(args=parts) | ast.MinMaxExpr(args=parts):
                return self._common(parts)
            case ast.CaseExpr():
                parts = (*(when.result for when in node.args or ()), node.defresult)
                return self._common([one for one in parts if one is not None])
            case ast.A_Expr() if node.name and node.name[-1].sval in _ARITHMETIC:
                return self._common([one for one in (node.lexpr, node.rexpr) if one is not None])
            case ast.FuncCall():
                return self._type_of_call(node)
            case _:
                return None

    def _type_of_call(self, node: ast.FuncCall) -> str | None:
        name = function_name(node)
        if name in ("count", "row_number", "rank", "dense_rank"):
            return "int8"
        if name in ("length", "char_length", "octet_length", "cardinality"):
            return "int4"
        return self._common(node.args) if name in _ALIKE and node.args else None

    def _common(self, parts: Any) -> str | None:
        """Exact where all parts are; NULL is of any type."""
        kinds = [self.type_of(one) for one in parts if not (isinstance(one, ast.A_Const) and one.isnull)]
        if not kinds or any(kind not in EXACT for kind in kinds):
            return None
        return kinds[0] if len(set(kinds)) == 1 else "numeric"


def is_alike(column: Column) -> bool:
    """Whether no two values of a column are equal and look different."""
    kind = column.base_type.rpartition(".")[2]
    if kind == "numeric":
        # With the same number of decimals all along.
        bound = _BOUND.match(column.cast_type)
        return bound is not None and int(bound[1]) <= _MOST_DIGITS
    letters = kind in ALIKE_TEXTS and not column.citext and column.collation in (None, 'pg_catalog."C"', "pg_catalog.C")
    return kind in ALIKE or letters or column.category == "E"


def is_equality(node: Any) -> bool:
    """Whether it compares two values by `=`."""
    if not isinstance(node, ast.A_Expr) or node.kind != enums.A_Expr_Kind.AEXPR_OP:
        return False
    return tuple(one.sval or "" for one in node.name or () if isinstance(one, ast.String)) in _EQUALS


def _is_constant(node: Any, kind: str) -> bool:
    """A value that is the same for all rows and is compared as the column's own type is."""
    if isinstance(node, ast.TypeCast) and isinstance(node.typeName, ast.TypeName):
        names = node.typeName.names or ()
        last = names[-1].sval if names and isinstance(names[-1], ast.String) else ""
        return _compare_alike(kind, last) and _is_constant(node.arg, kind)
    return isinstance(node, ast.ParamRef) or (isinstance(node, ast.A_Const) and not node.isnull)


def _compare_alike(one: str | None, other: str | None) -> bool:
    return one is not None and (one == other or (one in INTEGERS and other in INTEGERS))
