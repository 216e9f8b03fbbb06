"""Whether a WHERE chooses among rows at all, for `requireWhere`: one that is always true is none.

Constants are folded, and a condition that looks at no column of the table is taken for one that is true of every row,
whatever it computes: it is the same for all rows. So are the usual tautologies over columns (`id = id`, `id IS NULL OR
id IS NOT NULL`, `name LIKE '%'`), also in the guise of what changes nothing (`id = id + 0`, `id < id + 1`), of lengths
(`length(name) >= 0`), and of the table itself (`id IN (SELECT id FROM t)`). Not found are conditions that hold for the
rows there happen to be (`id > -1`) and longer calculations: `maxRowsChanged` is for these. The algebra of comparisons
is in `comparisons.py`.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from pglast import ast, enums

from penstock_core.sql.guardrails import own_rows
from penstock_core.sql.guardrails.comparisons import (
    complementary,
    holds,
    irreflexive,
    is_negation,
    reflexive,
    text_of,
    value_of,
)
from penstock_core.sql.guardrails.own_rows import Target
from penstock_core.sql.syntax.equivalence import same
from penstock_core.sql.syntax.operators import operator_of
from penstock_core.sql.syntax.walk import fields_below

_Kind = enums.A_Expr_Kind
_COMPARISONS = frozenset({"=", "<>", "<", ">", "<=", ">="})
_DISTINCT = frozenset({_Kind.AEXPR_DISTINCT, _Kind.AEXPR_NOT_DISTINCT})
_CONDITIONS = (ast.A_Expr, ast.BoolExpr, ast.NullTest, ast.BooleanTest)
# Functions that make one value, never null, of a whole row.
_OF_ROWS = frozenset({"to_json", "to_jsonb", "row_to_json"})
_FALSE = frozenset({"f", "false", "n", "no", "off", "0"})


__all__ = ["Target", "chooses"]


class Verdict(Enum):
    """What a condition says about rows."""

    # The same for all rows, and true or unknown; then it may be true.
    ALL = "all"
    NONE = "none"
    # It depends on the row.
    SOME = "some"


def chooses(where: ast.Node | None, target: Target) -> bool:
    """Whether that WHERE chooses among rows."""
    return where is not None and _verdict(where, target) is not Verdict.ALL


def _verdict(node: Any, target: Target) -> Verdict:
    match node:
        case ast.A_Const():
            return _constant(node)
        case ast.TypeCast(arg=argument):
            return _verdict(argument, target)
        case ast.BoolExpr():
            return _connected(node, target)
        case ast.CoalesceExpr(args=arguments) if arguments:
            return next((_verdict(one, target) for one in arguments if not _is_null(one)), Verdict.NONE)
        case ast.CaseExpr():
            return Verdict.ALL if _results(node, target) == {Verdict.ALL} else _unfolded(node, target)
        case ast.BooleanTest(arg=argument):
            return _tested(node, _verdict(argument, target))
        case ast.NullTest():
            return _null_tested(node, target)
        case ast.A_Expr():
            return _expression(node, target)
        case ast.SubLink():
            return _subquery(node, target)
        case ast.FuncCall(funcname=(*_, ast.String(sval="starts_with")), args=(_, prefix)) if text_of(prefix) == "":
            return Verdict.ALL
        case _:
            return _unfolded(node, target)


def _null_tested(node: ast.NullTest, target: Target) -> Verdict:
    test, arg = node.nulltesttype, node.arg
    if _never_null(arg, target):
        return Verdict.ALL if test == enums.NullTestType.IS_NOT_NULL else Verdict.NONE
    if isinstance(arg, ast.A_Expr) and arg.kind == _Kind.AEXPR_NULLIF and same(arg.lexpr, arg.rexpr):
        return Verdict.ALL if test == enums.NullTestType.IS_NULL else Verdict.NONE
    return _unfolded(node, target)


def _expression(node: ast.A_Expr, target: Target) -> Verdict:
    left, right = node.lexpr, node.rexpr
    if reflexive(node) or own_rows.joins_itself(node, target):
        return Verdict.ALL
    if node.kind in _DISTINCT and (told := _distinct_from_null(node, target)) is not None:
        return told
    if node.kind == _Kind.AEXPR_IN and isinstance(left, _CONDITIONS) and isinstance(right, tuple):
        return Verdict.ALL if _never_null(left, target) and _names_both(right) else _unfolded(node, target)
    if node.kind == _Kind.AEXPR_OP_ANY and isinstance(right, ast.SubLink) and operator_of(node) == "=":
        return Verdict.ALL if own_rows.holds_all(left, right.subselect, target) else _unfolded(node, target)
    return _compared(node, left, right, target) if node.kind == _Kind.AEXPR_OP else _unfolded(node, target)


def _distinct_from_null(node: ast.A_Expr, target: Target) -> Verdict | None:
    """`id IS DISTINCT FROM NULL`: whether there is a value; None for other comparisons."""
    value = next(
        (other for null, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)) if _is_null(null)), None
    )
    if value is None or not _never_null(value, target):
        return None
    return Verdict.ALL if node.kind == _Kind.AEXPR_DISTINCT else Verdict.NONE


def _unfolded(node: Any, target: Target) -> Verdict:
    return Verdict.SOME if _looks_at_rows(node, target) else Verdict.ALL


def _results(node: ast.CaseExpr, target: Target) -> set[Verdict]:
    """What the branches that may be taken say."""
    found: set[Verdict] = set()
    for arm in node.args or ():
        condition = Verdict.SOME if node.arg is not None else _verdict(arm.expr, target)
        if condition is not Verdict.NONE:
            found.add(_verdict(arm.result, target))
        if condition is Verdict.ALL:
            return found
    return found | {Verdict.NONE if node.defresult is None else _verdict(node.defresult, target)}


def _never_null(node: Any, target: Target) -> bool:
    """Whether that has a value in every row."""
    match node:
        case ast.ColumnRef():
            return _is_name_of(node, target.not_null)
        case ast.NullTest() | ast.BooleanTest():
            return True
        case ast.A_Const():
            return not node.isnull
        case ast.CoalesceExpr(args=arguments):
            return any(_never_null(one, target) for one in arguments or ())
        case ast.BoolExpr(args=arguments):
            return all(_never_null(one, target) for one in arguments or ())
        case ast.A_Expr(kind=_Kind.AEXPR_OP) if operator_of(node) in _COMPARISONS:
            return _never_null(node.lexpr, target) and _never_null(node.rexpr, target)
        case ast.FuncCall(funcname=(*_, ast.String(sval=name)), args=(ast.ColumnRef() as row,)) if name in _OF_ROWS:
            return own_rows.last(row) == target.name
        case _:
            return False


def _names_both(values: tuple[Any, ...]) -> bool:
    """Whether a list holds true and false."""
    truths = {one.val.boolval for one in values if isinstance(one, ast.A_Const) and isinstance(one.val, ast.Boolean)}
    return {bool(one) for one in truths} == {True, False}


def _is_null(node: Any) -> bool:
    return isinstance(node, ast.A_Const) and bool(node.isnull)


def _constant(node: ast.A_Const) -> Verdict:
    match node.val:
        case ast.Boolean(boolval=truth):
            return Verdict.ALL if truth else Verdict.NONE
        case ast.String(sval=text):
            return Verdict.NONE if (text or "").strip().lower() in _FALSE else Verdict.ALL
        case _:
            return Verdict.NONE if node.isnull else Verdict.ALL


def _connected(node: ast.BoolExpr, target: Target) -> Verdict:
    arms: list[Any] = list(node.args or ())
    verdicts = {_verdict(arm, target) for arm in arms}
    if node.boolop == enums.BoolExprType.NOT_EXPR:
        return _negated(arms[0], target)
    if node.boolop == enums.BoolExprType.AND_EXPR:
        order = (Verdict.NONE, Verdict.SOME, Verdict.ALL)
    else:
        if Verdict.ALL in verdicts or complementary(arms):
            return Verdict.ALL
        order = (Verdict.SOME, Verdict.NONE, Verdict.ALL)
    return next(verdict for verdict in order if verdict in verdicts)


def _negated(arm: Any, target: Target) -> Verdict:
    """NOT: what lets no row through lets all through; what was only taken for ALL (a parameter, say) may be either."""
    if is_negation(arm):
        return _verdict(arm.args[0], target)
    if isinstance(arm, ast.BoolExpr):
        kinds = enums.BoolExprType
        other = kinds.OR_EXPR if arm.boolop == kinds.AND_EXPR else kinds.AND_EXPR
        negated = tuple(ast.BoolExpr(boolop=kinds.NOT_EXPR, args=(one,)) for one in arm.args or ())
        return _connected(ast.BoolExpr(boolop=other, args=negated), target)
    verdict = _verdict(arm, target)
    if verdict is Verdict.ALL and isinstance(arm, ast.A_Const):
        return Verdict.NONE
    if verdict is Verdict.SOME and isinstance(arm, ast.A_Expr) and irreflexive(arm):
        return Verdict.ALL
    return verdict if verdict is Verdict.SOME else Verdict.ALL


def _tested(node: ast.BooleanTest, verdict: Verdict) -> Verdict:
    tests = enums.BoolTestType
    if verdict is Verdict.SOME or node.booltesttype in (tests.IS_TRUE, tests.IS_NOT_FALSE):
        return verdict
    return Verdict.ALL


def _compared(node: ast.A_Expr, left: Any, right: Any, target: Target) -> Verdict:
    if own_rows.reaches_all(node, target):
        return Verdict.ALL
    if _looks_at_rows(left, target) or _looks_at_rows(right, target):
        return Verdict.SOME
    one, other, name = value_of(left), value_of(right), operator_of(node)
    if isinstance(one, int) and isinstance(other, int) and name in _COMPARISONS:
        return Verdict.ALL if holds(one, name, other) else Verdict.NONE
    if isinstance(one, str) and isinstance(other, str) and name in ("=", "<>"):
        return Verdict.ALL if (one == other) == (name == "=") else Verdict.NONE
    return Verdict.ALL


def _subquery(node: ast.SubLink, target: Target) -> Verdict:
    """A subquery chooses if what it is compared with does, or what it says depends on the row."""
    select = node.subselect
    if node.subLinkType == enums.SubLinkType.EXISTS_SUBLINK and isinstance(select, ast.SelectStmt):
        if own_rows.finds_itself(select, target):
            return Verdict.ALL
        # EXISTS does not care what is selected.
        parts = [getattr(select, name) for name in select if name != "targetList"]
        return Verdict.SOME if _looks_at_rows(tuple(parts), target) else Verdict.ALL
    if node.subLinkType == enums.SubLinkType.EXPR_SUBLINK and (values := own_rows.without_from(select)) is not None:
        return _connected(ast.BoolExpr(boolop=enums.BoolExprType.AND_EXPR, args=values), target)
    equal = not node.operName or [one.sval for one in node.operName][-1] == "="
    among = node.subLinkType == enums.SubLinkType.ANY_SUBLINK and equal
    return Verdict.ALL if among and own_rows.holds_all(node.testexpr, select, target) else _unfolded(node, target)


def _looks_at_rows(node: Any, target: Target) -> bool:
    """Whether a column that may be the target's is mentioned anywhere below."""
    if isinstance(node, ast.ColumnRef):
        return target.may_have(node)
    if isinstance(node, tuple):
        return any(_looks_at_rows(part, target) for part in node)
    if isinstance(node, ast.CurrentOfExpr):
        return True
    if not isinstance(node, ast.Node):
        return False
    return any(_looks_at_rows(getattr(node, name), target) for name in fields_below(node))


def _is_name_of(column: ast.ColumnRef, names: frozenset[str]) -> bool:
    return own_rows.last(column) in names
