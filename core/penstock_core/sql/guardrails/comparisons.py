"""Comparisons that hold for every row, by what they look like: of the same with itself, of what is never below zero, …

Simple algebra over trees, which knows no table. What a whole condition says about the rows of one is
`require_where.py`'s.
"""

from __future__ import annotations

from typing import Any

from pglast import ast, enums

from penstock_core.sql.syntax.equivalence import same
from penstock_core.sql.syntax.operators import operator_of

_Kind = enums.A_Expr_Kind
_ZERO = ast.A_Const(val=ast.Integer(ival=0))
_REFLEXIVE = frozenset({"=", ">=", "<=", "~~", "~~*", "<@", "@>"})
_COMPARISONS = frozenset({"=", "<>", "<", ">", "<=", ">="})
# Operators that are true of anything beside nothing: patterns, and beginnings.
_EMPTY_MATCHES = frozenset({"~", "~*", "^@"})
# What changes nothing about its left side, by the right one.
_NEUTRAL = frozenset({("*", 1), ("/", 1), ("||", "")})
_SIZES = frozenset({"length", "char_length", "character_length", "octet_length", "bit_length", "cardinality", "abs"})
# Regular expressions that match any text.
_ANYTHING = frozenset({"", "^", "$", ".*", "^.*", ".*$", "^.*$"})
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}
_TESTS = enums.BoolTestType
_OPPOSITE_TESTS = (
    {_TESTS.IS_TRUE, _TESTS.IS_NOT_TRUE},
    {_TESTS.IS_FALSE, _TESTS.IS_NOT_FALSE},
    {_TESTS.IS_UNKNOWN, _TESTS.IS_NOT_UNKNOWN},
)
_BETWEEN = frozenset({_Kind.AEXPR_BETWEEN, _Kind.AEXPR_BETWEEN_SYM})


def complementary(arms: list[Any]) -> bool:
    """Whether of two alternatives one always holds: `p OR NOT p`, `x IS NULL OR x IS NOT NULL`, `x = 1 OR x <> 1`."""
    for place, one in enumerate(arms):
        for other in arms[:place]:
            if _negation_of(one, other) or _negation_of(other, one):
                return True
    return False


def _negation_of(one: Any, other: Any) -> bool:
    if is_negation(one):
        inner = one.args[0]
        return same(inner, other) or (is_negation(other) and _excluding(inner, other.args[0]))
    if isinstance(one, ast.BooleanTest) and isinstance(other, ast.BooleanTest):
        return {one.booltesttype, other.booltesttype} in _OPPOSITE_TESTS and same(one.arg, other.arg)
    if isinstance(one, ast.NullTest) and isinstance(other, ast.NullTest):
        return one.nulltesttype != other.nulltesttype and same(one.arg, other.arg)
    if isinstance(one, ast.A_Expr) and isinstance(other, ast.A_Expr) and one.kind == other.kind == _Kind.AEXPR_OP:
        pair = {operator_of(one), operator_of(other)}
        between = same(one.lexpr, other.lexpr) and same(one.rexpr, other.rexpr)
        opposite = between and pair in ({"=", "<>"}, {"<", ">="}, {">", "<="}, {"<=", ">="})
        return opposite or _meet(one, other) or (pair == {"<>"} and _unequal(one, other))
    return False


def is_negation(node: Any) -> bool:
    """NOT of something."""
    return isinstance(node, ast.BoolExpr) and node.boolop == enums.BoolExprType.NOT_EXPR and bool(node.args)


def _excluding(one: Any, other: Any) -> bool:
    """Whether two conditions never hold together: each the other's negation, or equal to different constants."""
    equalities = isinstance(one, ast.A_Expr) and isinstance(other, ast.A_Expr)
    return _negation_of(one, other) or (
        equalities and operator_of(one) == operator_of(other) == "=" and _unequal(one, other)
    )


def _unequal(one: ast.A_Expr, other: ast.A_Expr) -> bool:
    """Whether the same is compared with two constants that differ."""
    if not same(one.lexpr, other.lexpr):
        return False
    left, right = value_of(one.rexpr), value_of(other.rexpr)
    return left is not None and right is not None and type(left) is type(right) and left != right


def _meet(one: ast.A_Expr, other: ast.A_Expr) -> bool:
    """Whether whatever is not above the one bound is below the other: `x > 3 OR x < 5`."""
    if operator_of(one) not in (">", ">=") or operator_of(other) not in ("<", "<=") or not same(one.lexpr, other.lexpr):
        return False
    strict = operator_of(one) == ">" and operator_of(other) == "<"
    (low, by), (high, other_by) = _moved(one.rexpr), _moved(other.rexpr)
    bounds = (
        (by + bound, other_by + other_bound)
        if (isinstance(bound := value_of(low), int) and isinstance(other_bound := value_of(high), int))
        else ((by, other_by) if same(low, high) else (1, 0))
    )
    return bounds[0] < bounds[1] or (bounds[0] == bounds[1] and not strict)


def reflexive(node: ast.A_Expr) -> bool:
    """Something compared with itself, or with a pattern that everything matches; true of all that is not null."""
    left, right = node.lexpr, node.rexpr
    kind = node.kind
    if kind in (_Kind.AEXPR_LIKE, _Kind.AEXPR_ILIKE) and operator_of(node) in ("~~", "~~*"):
        pattern = text_of(right)
        return (bool(pattern) and set(pattern or "") == {"%"}) or same(left, right)
    if kind == _Kind.AEXPR_OP and operator_of(node) in _EMPTY_MATCHES and text_of(right) in _ANYTHING:
        return True
    if kind == _Kind.AEXPR_SIMILAR and operator_of(node) == "~" and isinstance(right, ast.FuncCall):
        return set(text_of((right.args or (None,))[0]) or "") == {"%"}
    if kind == _Kind.AEXPR_NOT_DISTINCT:
        return same(left, right)
    if kind == _Kind.AEXPR_IN and isinstance(right, tuple):
        if operator_of(node) == "<>":
            return all(_always_holds(left, "<>", one) for one in right)
        return any(same(left, one) for one in right)
    if kind == _Kind.AEXPR_OP_ANY and operator_of(node) == "=" and isinstance(right, ast.A_ArrayExpr):
        return any(same(left, one) for one in right.elements or ())
    if kind in _BETWEEN and isinstance(right, tuple):
        return _always_holds(left, ">=", right[0]) and _always_holds(left, "<=", right[1])
    if kind == _Kind.AEXPR_OP and operator_of(node) == "&&" and isinstance(left, ast.A_ArrayExpr):
        return bool(left.elements) and same(left, right)
    return kind == _Kind.AEXPR_OP and left is not None and _always_holds(left, operator_of(node), right)


def _always_holds(left: Any, name: str, right: Any) -> bool:
    """Whether that comparison holds for whatever is not null: of the same, of the same moved by a constant, of a length
    with what no length is below.
    """
    if name in _REFLEXIVE and same(left, right):
        return True
    moved = _level(left, right)
    if moved is not None and holds(moved[0], name, moved[1]):
        return True
    return _is_bounded(left, name, right) or _is_bounded(right, _FLIPPED.get(name, ""), left)


def _level(left: Any, right: Any) -> tuple[int, int] | None:
    """Two expressions as the whole numbers that are added to the same thing; None where they are of different things.

    A constant is read only where the other side is one, or comes to nothing: whoever reads one decides for it alone.
    """
    (one, by), (other, other_by) = _moved(left), _moved(right)
    if one is _ZERO and isinstance(value := value_of(other), int):
        return by, other_by + value
    if other is _ZERO and isinstance(value := value_of(one), int):
        return by + value, other_by
    return (by, other_by) if same(one, other) else None


def _is_bounded(node: Any, name: str, other: Any) -> bool:
    """Whether the bounds of what is computed answer that comparison with a whole number."""
    low, high = _bounds(node)
    if (low is None and high is None) or not isinstance(value := value_of(other), int):
        return False
    above = low is not None and name in (">", ">=", "<>") and holds(low, ">" if name == "<>" else name, value)
    below = high is not None and name in ("<", "<=", "<>") and holds(high, "<" if name == "<>" else name, value)
    return above or below


def _bounds(node: Any) -> tuple[int | None, int | None]:
    """What a value is never below and never above."""
    match node:
        case ast.FuncCall(funcname=(*_, ast.String(sval=name))) if name in _SIZES:
            return 0, None
        case ast.A_Expr(kind=_Kind.AEXPR_OP, lexpr=left, rexpr=right) if left is not None:
            square = operator_of(node) == "*" and same(left, right)
            power = value_of(right) if operator_of(node) == "^" else None
            return (0 if square or (isinstance(power, int) and power % 2 == 0) else None), None
        case ast.MinMaxExpr(args=arguments):
            numbers = [value for one in arguments or () if isinstance(value := value_of(one), int)]
            greatest = node.op == enums.MinMaxOp.IS_GREATEST
            return (max(numbers, default=None), None) if greatest else (None, min(numbers, default=None))
        case _:
            return None, None


def holds(one: int, name: str, other: int) -> bool:
    """Whether two whole numbers compare like that."""
    truths = {"=": one == other, "<>": one != other, "<": one < other, ">": one > other}
    return (truths | {"<=": one <= other, ">=": one >= other}).get(name, False)


def _moved(node: Any) -> tuple[Any, int]:
    """An expression without what changes nothing about it, and the whole number that is added to it."""
    by = 0
    while True:
        if isinstance(node, ast.CoalesceExpr) and node.args:
            # What is not null stays what it is.
            node = node.args[0]
        elif isinstance(node, ast.A_Expr) and node.kind == _Kind.AEXPR_OP and node.lexpr is not None:
            before = node
            node, more = _step(node)
            by += more
            if node is before:
                return node, by
        else:
            return node, by


def _step(node: ast.A_Expr) -> tuple[Any, int]:
    """The same for one operator; the node itself where it changes something else."""
    name, right, left = operator_of(node), value_of(node.rexpr), value_of(node.lexpr)
    nothing = (name == "-" and same(node.lexpr, node.rexpr)) or (name == "*" and 0 in (left, right))
    if nothing or (name == "%" and right in (1, -1)):
        return _ZERO, 0
    if name in ("+", "-") and isinstance(right, int):
        return node.lexpr, right if name == "+" else -right
    if name == "+" and isinstance(left, int):
        return node.rexpr, left
    if (name, right) in _NEUTRAL:
        return node.lexpr, 0
    return (node.rexpr if (name, left) in (("*", 1), ("||", "")) else node), 0


def irreflexive(node: ast.A_Expr) -> bool:
    """Something that differs from itself: never true, so its negation always is."""
    kind, name = node.kind, operator_of(node)
    differs = kind == _Kind.AEXPR_DISTINCT or (kind == _Kind.AEXPR_OP and name in ("<>", "<", ">"))
    if differs and same(node.lexpr, node.rexpr):
        return True
    if kind != _Kind.AEXPR_OP or name not in _COMPARISONS or node.lexpr is None:
        return False
    moved = _level(node.lexpr, node.rexpr)
    return moved is not None and not holds(moved[0], name, moved[1])


def text_of(node: Any) -> str | None:
    """A text that is written out, perhaps with its type."""
    value = value_of(node.arg if isinstance(node, ast.TypeCast) else node)
    return value if isinstance(value, str) else None


def value_of(node: Any) -> int | str | None:
    """The value of a whole number or text that is written out; a cast could change it."""
    match node:
        case ast.A_Const(val=ast.Integer(ival=number)):
            return number or 0
        case ast.A_Const(val=ast.String(sval=text)):
            return text or ""
        case _:
            return None
