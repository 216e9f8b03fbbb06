"""What a query computes that may fail for some of its rows and not for others.

An error tells which row it met, and so in which order rows were read. What is known to give a value for any row is
data, in `allowlists/total.py`; all else may fail. What is done about it is in `order_errors.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.functions import AGGREGATES, FUNCTIONS, WINDOWS
from penstock_core.sql.allowlists.total import (
    BY_COLLATION,
    COMPARISONS,
    FLOATS,
    MOST_ARGUMENTS,
    OF_JSONB,
    OF_PARTS,
    STEADY,
    TEXTS,
    TOTAL_AGGREGATES,
    TOTAL_BY_FIRST,
    TOTAL_BY_NUMBERS,
    TOTAL_FUNCTIONS,
    TOTAL_OPERATORS,
    TOTAL_SUMS,
    WIDER,
)
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.catalog.pull_up import SET_RETURNING, VOLATILE
from penstock_core.sql.masking.order_keys import Level
from penstock_core.sql.masking.order_meetings import Meetings
from penstock_core.sql.masking.order_nodes import CONSTANTS, own_nodes
from penstock_core.sql.masking.order_sensitivity import EXACT, INTEGERS, OwnCalls, function_name

_Kind = enums.A_Expr_Kind
_LISTS = frozenset({_Kind.AEXPR_IN, _Kind.AEXPR_BETWEEN, _Kind.AEXPR_NOT_BETWEEN, _Kind.AEXPR_BETWEEN_SYM,
                    _Kind.AEXPR_NOT_BETWEEN_SYM, _Kind.AEXPR_DISTINCT, _Kind.AEXPR_NOT_DISTINCT,
                    _Kind.AEXPR_NULLIF})  # fmt: skip
_OF_ARRAYS = frozenset({_Kind.AEXPR_OP_ANY, _Kind.AEXPR_OP_ALL})
_LIKE = frozenset({_Kind.AEXPR_LIKE, _Kind.AEXPR_ILIKE})
# What is total if all below it is.
_CARRIERS = (
    ast.ResTarget, ast.SortBy, ast.NullTest, ast.BooleanTest, ast.CaseWhen, ast.CollateClause, ast.RowExpr,
    ast.GroupingFunc, ast.GroupingSet, ast.BoolExpr, ast.MergeWhenClause, ast.ReturningClause,
)  # fmt: skip
_LEAVES = (ast.A_Const, ast.ParamRef, ast.SQLValueFunction, ast.SetToDefault, *CONSTANTS)
# What computes its parts for some rows only.
_CONDITIONAL = (ast.CaseExpr, ast.CoalesceExpr)
_TIMES = ("timestamp", "timestamptz")
_PARTS = {
    **dict.fromkeys(words("year month day quarter week dow doy isodow isoyear epoch"), ("date", *_TIMES)),
    **dict.fromkeys(words("hour minute second"), _TIMES),
}
# A regular expression of these is one, and a short time is within the calendar.
_PLAIN_PATTERN = re.compile(r"\^?(?:(?:[\w @#%&,:;<>=~!'\"/.-]|\[\^?[\w @.,:]+\])[*+]?)*\$?")
_SHORT_TIME = re.compile(r"\d{1,4} ?(?:second|minute|hour|day|week|month|year)s?", re.IGNORECASE)


@dataclass(slots=True)
class Failures:
    """Of the queries of one statement, innermost first."""

    own: OwnCalls
    # The queries that may fail, and those that give one row at most, by identity.
    queries: set[int] = field(default_factory=set)
    single: set[int] = field(default_factory=set)
    # Expressions of the gate's own, which never fail, by identity.
    masks: frozenset[int] = frozenset()
    # Whether conditions are asked of rows that are not there: then what fails for all rows alike tells of these.
    hidden: bool = False
    # How often the statement names each parameter, and the bare names of types that the client declares; None: they
    # are not known.
    parameters: Counter[int] = field(default_factory=Counter)
    declared: Mapping[int, str] | None = None

    def may_fail(self, node: Any, level: Level, *, deep: bool = True, always: bool = True) -> bool:
        """Whether what is computed there may fail for some of the rows of that query; not `deep`: but for what its
        subqueries compute; not `always`: for some rows it is not computed at all.
        """
        return any(_Expression(self, level, deep).fails(one, guarded=not always) for one in conjuncts(node))

    def may_tell(self, node: Any, level: Level) -> bool:
        """Whether asking a condition may tell of some of the rows that it is asked of: by failing, or of those that are
        not there by failing as for all.
        """
        return self.may_fail(node, level, always=not self.hidden)

    def is_steady(self, node: Any, level: Level) -> bool:
        """Whether it is the same for all rows, failing or not."""
        return _Expression(self, level).is_steady(node)

    def is_given(self, number: int, kind: str) -> bool:
        """Whether that parameter is surely given as that type where it is cast to it."""
        if self.declared is None:
            return False
        declared = self.given(number)
        return declared in ("", kind) or kind in WIDER.get(declared or "", frozenset())

    def given(self, number: int) -> str | None:
        """The bare name of that parameter's type; empty if it gets it where it stands, None if it is not known."""
        if self.declared is None:
            return None
        if number not in self.declared:
            return "" if self.parameters[number] == 1 else None
        return self.declared[number] or None


@dataclass(slots=True)
class _Expression:
    failures: Failures
    level: Level
    deep: bool = True

    def fails(self, node: Any, *, guarded: bool) -> bool:
        """`guarded`: for some rows it is not computed at all, so that even what is the same for all of them tells."""
        if node is None:
            return False
        if isinstance(node, tuple):
            return any(self.fails(part, guarded=guarded) for part in node)
        if isinstance(node, _LEAVES) or id(node) in self.failures.masks:
            return False
        if not guarded and self.is_steady(node):
            return False
        guarded = guarded or isinstance(node, ast.BoolExpr)
        if isinstance(node, _CARRIERS):
            return any(self.fails(part, guarded=guarded) for part in _parts(node))
        return self._special(node, guarded=guarded)

    def _special(self, node: Any, *, guarded: bool) -> bool:
        match node:
            case ast.ColumnRef():
                return self._column(node)
            case ast.A_Expr():
                return self._operator(node, guarded=guarded)
            case ast.TypeCast():
                return self._cast(node, guarded=guarded)
            case ast.FuncCall():
                return self._call(node, guarded=guarded)
            case ast.CaseExpr():
                return self._case(node)
            case ast.CoalesceExpr() | ast.MinMaxExpr() | ast.A_ArrayExpr():
                parts = (node.elements if isinstance(node, ast.A_ArrayExpr) else node.args) or ()
                conditional = guarded or isinstance(node, _CONDITIONAL)
                nested = isinstance(node, ast.A_ArrayExpr) and not all(map(self._is_scalar, parts))
                return nested or self.fails(tuple(parts), guarded=conditional) or self._join_badly(parts)
            case ast.SubLink():
                return self._sublink(node, guarded=guarded)
            case ast.A_Indirection(indirection=steps):
                subscripts = all(isinstance(one, ast.A_Indices) for one in steps or ())
                return not subscripts or self.fails((node.arg, *_parts_of(steps)), guarded=guarded)
            case ast.WindowDef():
                offsets = (node.startOffset, node.endOffset)
                plain = all(one is None or _is_whole_number(one) for one in offsets)
                return not plain or self.fails((node.partitionClause, node.orderClause), guarded=guarded)
            case _:
                return True

    # ---- columns

    def _column(self, node: ast.ColumnRef) -> bool:
        """Those of views and virtual generated columns are computed when they are read."""
        owner = self.level.owner(node)
        if owner is not None:
            return owner[1] in owner[0].failing
        sources = [one for level in (self.level, *self.level.around()) for one in level.sources]
        last = (node.fields or (None,))[-1]
        name = last.sval if isinstance(last, ast.String) else ""
        return any(one.failing and (name in (one.failing | {one.name, ""})) for one in sources)

    def _is_scalar(self, node: Any) -> bool:
        kind = self.level.type_of(node) or ("text" if self._meetings.is_text(node) else "_")
        return isinstance(node, ast.A_Const) or not kind.startswith("_")

    # ---- operators

    def _operator(self, node: ast.A_Expr, *, guarded: bool) -> bool:
        *schema, name = [one.sval or "" for one in node.name or () if isinstance(one, ast.String)] or [""]
        if schema not in ([], ["pg_catalog"]) or name in self.failures.own.operators:
            return True
        right: Any = node.rexpr
        sides = (node.lexpr, *(right if isinstance(right, tuple) else (right,)))
        if self.fails(sides, guarded=guarded):
            return True
        if node.kind in _LIKE:
            pattern = _text(right)
            return pattern is None or "\\" in pattern or self._meetings.unlike(sides)
        if node.kind in _OF_ARRAYS:
            known = name in COMPARISONS and not self._may_be(node.lexpr, FLOATS | {"numeric", None})
            return not known or self.meet_badly(sides)
        if node.kind in _LISTS:
            return self.meet_badly(sides)
        return node.kind != _Kind.AEXPR_OP or self._plain_operator(name, node.lexpr, right)

    def _plain_operator(self, name: str, left: Any, right: Any) -> bool:
        if name in COMPARISONS and isinstance(left, ast.RowExpr) and isinstance(right, ast.RowExpr):
            return any(map(self.meet_badly, zip(left.args or (), right.args or (), strict=False)))
        if name in COMPARISONS:
            return self.meet_badly((left, right))
        if name in TOTAL_OPERATORS:
            # Those that intarray brings take no NULL in an array.
            extended = name in self.failures.own.extension_operators
            numbers = extended and any(self._may_be(one, ("_int4", None)) for one in (left, right))
            return numbers or self.meet_badly((left, right))
        if name in OF_JSONB:
            return self.level.type_of(left) != "jsonb" and not self._is_jsonb(left)
        if name in ("~", "~*", "!~", "!~*"):
            pattern = _text(right)
            plain = pattern is not None and _PLAIN_PATTERN.fullmatch(pattern) is not None
            return not plain or self._meetings.unlike((left, right))
        if name == "||":
            known = [one for one in (left, right) if self._meetings.is_text(one) and not isinstance(one, ast.A_Const)]
            return not known
        if name in ("/", "%"):
            # Of whole numbers only, and not by -1, which the smallest one can't be divided by.
            return self.level.type_of(left) not in INTEGERS or not _is_whole_number(right, least=1)
        return not (name in ("+", "-") and _is_now(left) and _is_short_time(right))

    def meet_badly(self, parts: Iterable[Any]) -> bool:
        """Whether values of several types or collations meet of which one may not be the other's."""
        return self._meetings.fail(parts)

    def _join_badly(self, parts: Iterable[Any]) -> bool:
        """Whether one of several values is given as another one's type, which may not be had."""
        parts = tuple(parts)
        return self.meet_badly(parts) or self._meetings.shift(parts)

    @property
    def _meetings(self) -> Meetings:
        return Meetings(self.level, self.failures.own, self.failures.hidden, self.failures.given)

    def _may_be(self, node: Any, kinds: Iterable[str | None]) -> bool:
        """Whether the value is of one of those types; None: not known."""
        return not isinstance(node, ast.A_Const) and self._meetings.kind(node) in kinds

    def _is_jsonb(self, node: Any) -> bool:
        """What `->` gives of one."""
        if not isinstance(node, ast.A_Expr) or (node.name or (ast.String(),))[-1].sval not in ("->", "#>"):
            return False
        return self.level.type_of(node.lexpr) == "jsonb" or self._is_jsonb(node.lexpr)

    # ---- casts, calls, cases, subqueries

    def _cast(self, node: ast.TypeCast, *, guarded: bool) -> bool:
        names = [one.sval for one in (node.typeName.names or ())] if isinstance(node.typeName, ast.TypeName) else []
        builtin = names[:-1] in ([], ["pg_catalog"])
        if not builtin or self.fails(node.arg, guarded=guarded):
            return True
        if isinstance(node.arg, ast.A_Const):
            # Read once, before there are rows.
            return False
        target: Any = node.typeName
        name = names[-1]
        if isinstance(node.arg, ast.ParamRef) and (target.arrayBounds or name not in TEXTS):
            kind = f"_{name}" if target.arrayBounds else name
            return bool(target.typmods) or not self.failures.is_given(node.arg.number or 0, kind or "")
        if target.arrayBounds:
            return True
        if name in TEXTS:
            known = self.level.type_of(node.arg) is not None or id(node.arg) in self.failures.masks
            return self.failures.own.converting and not known
        kind = self.level.type_of(node.arg)
        return bool(target.typmods) or name not in WIDER.get(kind or "", frozenset())

    def _call(self, node: ast.FuncCall, *, guarded: bool) -> bool:
        name, own = function_name(node), self.failures.own
        arguments: tuple[Any, ...] = tuple(node.args or ())
        if not own.is_systems(node) or self.fails((arguments, node.agg_order, node.over), guarded=guarded):
            return True
        if self.fails(node.agg_filter, guarded=True):
            return True
        if name in AGGREGATES | WINDOWS:
            exact = bool(arguments) and self.level.type_of(arguments[0]) in EXACT
            return name not in TOTAL_AGGREGATES and not (name in TOTAL_SUMS and exact and not node.over)
        if name in TOTAL_BY_FIRST:
            # What is no part of any time fails for all rows.
            fits = not guarded or self._has_part(arguments)
            return not fits or not arguments or not isinstance(arguments[0], ast.A_Const)
        if name in TOTAL_BY_NUMBERS:
            # A place alone may be any.
            places = len(arguments) == 2 and _is_place(arguments[1])
            return not places and not all(_is_whole_number(one) for one in arguments[1:])
        return self._of_any_arguments(name, arguments)

    def _of_any_arguments(self, name: str, arguments: tuple[Any, ...]) -> bool:
        """Whether a function may fail that is one of those of any arguments, or none."""
        if name not in TOTAL_FUNCTIONS or len(arguments) > MOST_ARGUMENTS.get(name, len(arguments)):
            return True
        if name == "to_jsonb":
            # A json may hold what no jsonb does.
            return self._meetings.kind(arguments[0] if arguments else None) not in STEADY
        if name in BY_COLLATION:
            return self._collide(arguments)
        return name in OF_PARTS and (self._meetings.unlike(arguments) or self._collide(arguments))

    def _collide(self, arguments: tuple[Any, ...]) -> bool:
        return self.failures.hidden and self._meetings.collide(arguments)

    def _has_part(self, arguments: tuple[Any, ...]) -> bool:
        """Whether the second is a time that has the part which the first names."""
        kinds = _PARTS.get(_text(arguments[0]) or "", ()) if len(arguments) == 2 else ()
        return len(arguments) == 2 and self.level.type_of(arguments[1]) in kinds

    def _case(self, node: ast.CaseExpr) -> bool:
        whens: tuple[Any, ...] = tuple(node.args or ())
        results = [*(one.result for one in whens), *((node.defresult,) if node.defresult is not None else ())]
        if self.fails(node.arg, guarded=False) or self.fails((*whens, node.defresult), guarded=True):
            return True
        compared = node.arg is not None and self.meet_badly((node.arg, *(one.expr for one in whens)))
        return compared or self._join_badly(results)

    def _sublink(self, node: ast.SubLink, *, guarded: bool) -> bool:
        failures = self.failures
        if self.fails(node.testexpr, guarded=guarded):
            return True
        if not self.deep:
            return False
        if id(node.subselect) in failures.queries:
            return True
        kind = node.subLinkType
        if kind == enums.SubLinkType.EXPR_SUBLINK:
            # More than one row is an error.
            return id(node.subselect) not in failures.single
        if kind in (enums.SubLinkType.ANY_SUBLINK, enums.SubLinkType.ALL_SUBLINK):
            return self._may_be(node.testexpr, FLOATS | {"numeric", None})
        return kind not in (enums.SubLinkType.EXISTS_SUBLINK, enums.SubLinkType.ARRAY_SUBLINK)

    def is_steady(self, node: Any) -> bool:
        """Whether it is the same for all rows, failing or not."""
        for one in own_nodes(node):
            if isinstance(one, (ast.ColumnRef, ast.SubLink, ast.CurrentOfExpr, ast.SelectStmt)):
                return False
            if isinstance(one, ast.FuncCall):
                name = function_name(one)
                grouped = name in AGGREGATES | WINDOWS | SET_RETURNING | VOLATILE
                if grouped or not self.failures.own.is_systems(one) or name not in FUNCTIONS:
                    return False
            elif isinstance(one, ast.A_Expr) and self.failures.own.is_operator(one):
                return False
        return True


def conjuncts(node: Any) -> Iterator[Any]:
    """The conditions that an AND puts together."""
    if isinstance(node, ast.BoolExpr) and node.boolop == enums.BoolExprType.AND_EXPR:
        for part in node.args or ():
            yield from conjuncts(part)
    elif node is not None:
        yield node


def _parts(node: ast.Node) -> Iterator[Any]:
    for name in node:
        value = getattr(node, name)
        if isinstance(value, (ast.Node, tuple)):
            yield value


def _parts_of(steps: Any) -> Iterator[Any]:
    for step in steps or ():
        yield from (step.lidx, step.uidx)


def _text(node: Any) -> str | None:
    """A text that is written out."""
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        return node.val.sval or ""
    return None


def _is_whole_number(node: Any, least: int = 0) -> bool:
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer) and (node.val.ival or 0) >= least


def _is_place(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and function_name(node) in ("position", "strpos")


def _is_now(node: Any) -> bool:
    return isinstance(node, ast.SQLValueFunction) or (isinstance(node, ast.FuncCall) and function_name(node) == "now")


def _is_short_time(node: Any) -> bool:
    return isinstance(node, ast.TypeCast) and _SHORT_TIME.fullmatch(_text(node.arg) or "") is not None
