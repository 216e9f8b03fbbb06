"""Whether a WHERE chooses among rows at all, for `requireWhere`: one that is always true is none.

Constants are folded, and a condition that looks at no column of the table is taken for one that is true of every row,
whatever it computes: it is the same for all rows. So are the usual tautologies over columns (`id = id`, `id IS NULL OR
id IS NOT NULL`, `name LIKE '%'`), also in the guise of what changes nothing (`id = id + 0`, `id < id + 1`), of lengths
(`length(name) >= 0`), and of the table itself (`id IN (SELECT id FROM t)`). Not found are conditions that hold for the
rows there happen to be (`id > -1`) and longer calculations: a limit of changed rows is for these.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from pglast import ast, enums

from penstock_core.sql.syntax.equivalence import same
from penstock_core.sql.syntax.walk import fields_below

_Kind = enums.A_Expr_Kind
_REFLEXIVE = frozenset({"=", ">=", "<=", "~~", "~~*", "<@", "@>"})
_COMPARISONS = frozenset({"=", "<>", "<", ">", "<=", ">="})
_FALSE = frozenset({"f", "false", "n", "no", "off", "0"})
# Operators that are true of anything beside nothing: patterns, and beginnings.
_EMPTY_MATCHES = frozenset({"~", "~*", "^@"})
# What changes nothing about its left side, by the right one.
_NEUTRAL = frozenset({("*", 1), ("/", 1), ("||", "")})
_SIZES = frozenset({"length", "char_length", "character_length", "octet_length", "bit_length", "cardinality", "abs"})
_BETWEEN = frozenset({_Kind.AEXPR_BETWEEN, _Kind.AEXPR_BETWEEN_SYM})


class Verdict(Enum):
    """What a condition says about rows."""

    # The same for all rows, and true or unknown; then it may be true.
    ALL = "all"
    NONE = "none"
    # It depends on the row.
    SOME = "some"


@dataclass(frozen=True, slots=True)
class Target:
    """The table whose rows are to be chosen."""

    # What it is called in the statement.
    name: str
    # Its schema and name; None where they are not known.
    relation: tuple[str, str] | None = None
    # Its columns, and those that never are null; None where they are not known.
    columns: frozenset[str] | None = None
    not_null: frozenset[str] = frozenset()

    def may_have(self, column: ast.ColumnRef) -> bool:
        """Whether that may be a column of it, or its row."""
        *qualifiers, name = [one.sval if isinstance(one, ast.String) else "*" for one in column.fields or ()]
        if qualifiers:
            return qualifiers[-1] == self.name
        return self.columns is None or name in self.columns or name == self.name


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
        case ast.CaseExpr(args=arms, defresult=otherwise):
            results = {_verdict(one, target) for one in (*(arm.result for arm in arms or ()), otherwise)}
            return Verdict.ALL if results == {Verdict.ALL} else _unfolded(node, target)
        case ast.BooleanTest(arg=argument):
            return _tested(node, _verdict(argument, target))
        case ast.NullTest(arg=ast.ColumnRef() as column) if _is_name_of(column, target.not_null):
            return Verdict.ALL if node.nulltesttype == enums.NullTestType.IS_NOT_NULL else Verdict.NONE
        case ast.NullTest(arg=ast.NullTest() | ast.BooleanTest()):
            return Verdict.ALL if node.nulltesttype == enums.NullTestType.IS_NOT_NULL else Verdict.NONE
        case ast.A_Expr() if _reflexive(node):
            return Verdict.ALL
        case ast.A_Expr(kind=_Kind.AEXPR_OP, lexpr=left, rexpr=right):
            return _compared(node, left, right, target)
        case ast.SubLink():
            return _subquery(node, target)
        case _:
            return _unfolded(node, target)


def _unfolded(node: Any, target: Target) -> Verdict:
    return Verdict.SOME if _looks_at_rows(node, target) else Verdict.ALL


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
        if Verdict.ALL in verdicts or _complementary(arms):
            return Verdict.ALL
        order = (Verdict.SOME, Verdict.NONE, Verdict.ALL)
    return next(verdict for verdict in order if verdict in verdicts)


def _negated(arm: Any, target: Target) -> Verdict:
    """NOT: what lets no row through lets all through; what was only taken for ALL (a parameter, say) may be either."""
    verdict = _verdict(arm, target)
    if verdict is Verdict.ALL and isinstance(arm, ast.A_Const):
        return Verdict.NONE
    if verdict is Verdict.SOME and isinstance(arm, ast.A_Expr) and _irreflexive(arm):
        return Verdict.ALL
    return verdict if verdict is Verdict.SOME else Verdict.ALL


def _tested(node: ast.BooleanTest, verdict: Verdict) -> Verdict:
    tests = enums.BoolTestType
    if verdict is Verdict.SOME or node.booltesttype in (tests.IS_TRUE, tests.IS_NOT_FALSE):
        return verdict
    return Verdict.ALL


def _complementary(arms: list[Any]) -> bool:
    """Whether of two alternatives one always holds: `p OR NOT p`, `x IS NULL OR x IS NOT NULL`, `x = 1 OR x <> 1`."""
    for place, one in enumerate(arms):
        for other in arms[:place]:
            if _negation_of(one, other) or _negation_of(other, one):
                return True
    return False


def _negation_of(one: Any, other: Any) -> bool:
    if isinstance(one, ast.BoolExpr) and one.boolop == enums.BoolExprType.NOT_EXPR:
        return same((one.args or (None,))[0], other)
    if isinstance(one, ast.NullTest) and isinstance(other, ast.NullTest):
        return one.nulltesttype != other.nulltesttype and same(one.arg, other.arg)
    if isinstance(one, ast.A_Expr) and isinstance(other, ast.A_Expr) and one.kind == other.kind == _Kind.AEXPR_OP:
        pair = {_operator(one), _operator(other)}
        between = same(one.lexpr, other.lexpr) and same(one.rexpr, other.rexpr)
        return between and pair in ({"=", "<>"}, {"<", ">="}, {">", "<="}, {"<=", ">="})
    return False


def _reflexive(node: ast.A_Expr) -> bool:
    """Something compared with itself, or with a pattern that everything matches; true of all that is not null."""
    left, right = node.lexpr, node.rexpr
    kind = node.kind
    if kind in (_Kind.AEXPR_LIKE, _Kind.AEXPR_ILIKE) and _operator(node) in ("~~", "~~*"):
        pattern = _text(right)
        return (bool(pattern) and set(pattern or "") == {"%"}) or same(left, right)
    if kind == _Kind.AEXPR_OP and _operator(node) in _EMPTY_MATCHES and _text(right) == "":
        return True
    if kind == _Kind.AEXPR_NOT_DISTINCT:
        return same(left, right)
    if kind == _Kind.AEXPR_IN and _operator(node) == "=":
        return isinstance(right, tuple) and any(same(left, one) for one in right)
    if kind == _Kind.AEXPR_OP_ANY and _operator(node) == "=" and isinstance(right, ast.A_ArrayExpr):
        return any(same(left, one) for one in right.elements or ())
    if kind in _BETWEEN and isinstance(right, tuple):
        return all(same(left, one) for one in right)
    return kind == _Kind.AEXPR_OP and left is not None and _always_holds(left, _operator(node), right)


def _always_holds(left: Any, name: str, right: Any) -> bool:
    """Whether that comparison holds for whatever is not null: of the same, of the same moved by a constant, of a length
    with what no length is below.
    """
    if name in _REFLEXIVE and same(left, right):
        return True
    (one, by), (other, other_by) = _moved(left), _moved(right)
    if same(one, other) and _holds(by, name, other_by):
        return True
    if _is_size(left) and isinstance(bound := _value(right), int):
        return _holds(0, name, bound) and name in (">", ">=")
    return _is_size(right) and isinstance(bound := _value(left), int) and _holds(bound, name, 0) and name in ("<", "<=")


def _holds(one: int, name: str, other: int) -> bool:
    truths = {"=": one == other, "<>": one != other, "<": one < other, ">": one > other}
    return (truths | {"<=": one <= other, ">=": one >= other}).get(name, False)


def _moved(node: Any) -> tuple[Any, int]:
    """An expression without what changes nothing about it, and the whole number that is added to it."""
    by = 0
    while isinstance(node, ast.A_Expr) and node.kind == _Kind.AEXPR_OP and node.lexpr is not None:
        name, right, left = _operator(node), _value(node.rexpr), _value(node.lexpr)
        if name in ("+", "-") and isinstance(right, int):
            node, by = node.lexpr, by + (right if name == "+" else -right)
        elif name == "+" and isinstance(left, int):
            node, by = node.rexpr, by + left
        elif (name, right) in _NEUTRAL:
            node = node.lexpr
        elif (name, left) in (("*", 1), ("||", "")):
            node = node.rexpr
        else:
            break
    return node, by


def _is_size(node: Any) -> bool:
    """What is never below zero."""
    return (
        isinstance(node, ast.FuncCall)
        and isinstance(last := (node.funcname or (None,))[-1], ast.String)
        and last.sval in _SIZES
    )


def _irreflexive(node: ast.A_Expr) -> bool:
    """Something that differs from itself: never true, so its negation always is."""
    differs = (node.kind == _Kind.AEXPR_OP and _operator(node) in ("<>", "<", ">")) or node.kind == _Kind.AEXPR_DISTINCT
    if differs and same(node.lexpr, node.rexpr):
        return True
    (one, by), (other, other_by) = _moved(node.lexpr), _moved(node.rexpr)
    compares = node.kind == _Kind.AEXPR_OP and _operator(node) in _COMPARISONS
    return compares and same(one, other) and not _holds(by, _operator(node), other_by)


def _compared(node: ast.A_Expr, left: Any, right: Any, target: Target) -> Verdict:
    if _looks_at_rows(left, target) or _looks_at_rows(right, target):
        return Verdict.SOME
    one, other, name = _value(left), _value(right), _operator(node)
    if isinstance(one, int) and isinstance(other, int) and name in _COMPARISONS:
        return Verdict.ALL if _holds(one, name, other) else Verdict.NONE
    if isinstance(one, str) and isinstance(other, str) and name in ("=", "<>"):
        return Verdict.ALL if (one == other) == (name == "=") else Verdict.NONE
    return Verdict.ALL


def _subquery(node: ast.SubLink, target: Target) -> Verdict:
    """A subquery chooses if what it is compared with does, or what it says depends on the row."""
    select = node.subselect
    if node.subLinkType == enums.SubLinkType.EXISTS_SUBLINK and isinstance(select, ast.SelectStmt):
        # EXISTS does not care what is selected.
        parts = [getattr(select, name) for name in select if name != "targetList"]
        return Verdict.SOME if _looks_at_rows(tuple(parts), target) else Verdict.ALL
    return Verdict.ALL if _is_among_its_own(node, target) else _unfolded(node, target)


def _is_among_its_own(node: ast.SubLink, target: Target) -> bool:
    """`id IN (SELECT id FROM t)`: a column of the table among all values of that column."""
    column, select = node.testexpr, node.subselect
    equal = not node.operName or [one.sval for one in node.operName][-1] == "="
    if not (node.subLinkType == enums.SubLinkType.ANY_SUBLINK and equal and isinstance(column, ast.ColumnRef)):
        return False
    match select:
        case ast.SelectStmt(
            targetList=(ast.ResTarget(val=ast.ColumnRef() as other),), fromClause=(ast.RangeVar() as item,)
        ):
            name = (item.schemaname or (target.relation or ("",))[0], item.relname)
            choosing = any(
                getattr(select, part)
                for part in ("whereClause", "limitCount", "limitOffset", "withClause", "groupClause", "havingClause")
            )
            return name == target.relation and not choosing and _last(column) == _last(other)
        case _:
            return False


def _last(column: ast.ColumnRef) -> str | None:
    last = (column.fields or (None,))[-1]
    return last.sval if isinstance(last, ast.String) else None


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
    return _last(column) in names


def _operator(node: ast.A_Expr) -> str:
    last = (node.name or (None,))[-1]
    return last.sval or "" if isinstance(last, ast.String) else ""


def _text(node: Any) -> str | None:
    value = _value(node.arg if isinstance(node, ast.TypeCast) else node)
    return value if isinstance(value, str) else None


def _value(node: Any) -> int | str | None:
    """The value of a whole number or text that is written out; a cast could change it."""
    match node:
        case ast.A_Const(val=ast.Integer(ival=number)):
            return number or 0
        case ast.A_Const(val=ast.String(sval=text)):
            return text or ""
        case _:
            return None
