"""From the syntax trees of expressions to text, fast: the expressions of most statements. What else there is raises.

Nothing here has to be trusted: `deparse.py` parses what is printed and compares. An operand stands in brackets unless
it can't be torn apart, names stand in quotes unless they are plain, and types are written by their qualified names.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from pglast import ast, enums
from pglast.keywords import COL_NAME_KEYWORDS, RESERVED_KEYWORDS, TYPE_FUNC_NAME_KEYWORDS

from penstock_core.sql.syntax.literals import marked

_T = TypeVar("_T")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_KEYWORDS = frozenset(COL_NAME_KEYWORDS) | frozenset(RESERVED_KEYWORDS) | frozenset(TYPE_FUNC_NAME_KEYWORDS)
_DEFAULT_FRAME = 1058  # FRAMEOPTION_DEFAULTS
_Kind = enums.A_Expr_Kind

# Never torn apart by what stands beside them.
_WHOLE = (
    ast.ColumnRef, ast.FuncCall, ast.TypeCast, ast.ParamRef, ast.CaseExpr, ast.CoalesceExpr, ast.MinMaxExpr,
    ast.A_ArrayExpr, ast.RowExpr,
)  # fmt: skip
_ORDERS = {
    enums.SortByDir.SORTBY_DEFAULT: "",
    enums.SortByDir.SORTBY_ASC: " ASC",
    enums.SortByDir.SORTBY_DESC: " DESC",
}
_NULLS = {
    enums.SortByNulls.SORTBY_NULLS_DEFAULT: "",
    enums.SortByNulls.SORTBY_NULLS_FIRST: " NULLS FIRST",
    enums.SortByNulls.SORTBY_NULLS_LAST: " NULLS LAST",
}
_LIKE = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}
_TRUTH = {
    enums.BoolTestType.IS_TRUE: "TRUE",
    enums.BoolTestType.IS_NOT_TRUE: "NOT TRUE",
    enums.BoolTestType.IS_FALSE: "FALSE",
    enums.BoolTestType.IS_NOT_FALSE: "NOT FALSE",
    enums.BoolTestType.IS_UNKNOWN: "UNKNOWN",
    enums.BoolTestType.IS_NOT_UNKNOWN: "NOT UNKNOWN",
}
_NOW = {
    enums.SQLValueFunctionOp.SVFOP_CURRENT_DATE: "CURRENT_DATE",
    enums.SQLValueFunctionOp.SVFOP_CURRENT_TIME: "CURRENT_TIME",
    enums.SQLValueFunctionOp.SVFOP_CURRENT_TIMESTAMP: "CURRENT_TIMESTAMP",
    enums.SQLValueFunctionOp.SVFOP_LOCALTIME: "LOCALTIME",
    enums.SQLValueFunctionOp.SVFOP_LOCALTIMESTAMP: "LOCALTIMESTAMP",
    enums.SQLValueFunctionOp.SVFOP_CURRENT_USER: "CURRENT_USER",
    enums.SQLValueFunctionOp.SVFOP_SESSION_USER: "SESSION_USER",
    enums.SQLValueFunctionOp.SVFOP_CURRENT_CATALOG: "CURRENT_CATALOG",
    enums.SQLValueFunctionOp.SVFOP_CURRENT_SCHEMA: "CURRENT_SCHEMA",
}


class Unprintable(Exception):
    """There is something in the tree that this module does not know."""


@lru_cache(maxsize=16384)
def quoted(name: str) -> str:
    """The name as SQL."""
    if _PLAIN.fullmatch(name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as a literal that means the same whatever the session's settings are."""
    doubled = text.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in text else f"'{doubled}'"


class ExpressionPrinter(ABC):
    """Prints expressions; the queries in them are printed by `Printer`."""

    @abstractmethod
    def statement(self, node: Any) -> str:
        """The text of a statement or query. Raises Unprintable."""

    def expression(self, node: Any) -> str:
        """The text of an expression."""
        rule = _EXPRESSIONS.get(type(node))
        if rule is None:
            raise Unprintable(type(node).__name__)
        return rule(self, node)

    def operand(self, node: Any) -> str:
        """The text of an expression that stands beside others."""
        text = self.expression(node)
        return text if isinstance(node, _WHOLE) or (type(node) is ast.A_Const and text[0] != "-") else f"({text})"

    def listed(self, nodes: Iterable[Any] | None) -> str:
        return ", ".join([self.expression(node) for node in nodes or ()])

    def target(self, node: ast.ResTarget) -> str:
        """An output column; or, where there is no value, a column that INSERT names."""
        if node.indirection:
            raise Unprintable("a part of a column is set")
        if node.val is None:
            return quoted(known(node.name))
        return self.expression(node.val) + (f" AS {quoted(node.name)}" if node.name is not None else "")

    def column(self, node: ast.ColumnRef) -> str:
        return ".".join(["*" if isinstance(one, ast.A_Star) else quoted(one.sval) for one in node.fields or ()])

    def constant(self, node: ast.A_Const) -> str:
        mark = marked(node)
        if mark is not None:
            return mark
        match node.val:
            case None:
                return "NULL"
            case ast.String(sval=text):
                return literal(text or "")
            case ast.Integer(ival=number):
                return str(number or 0)
            case ast.Float(fval=number):
                return number or ""
            case ast.Boolean(boolval=truth):
                return "true" if truth else "false"
            case _:
                raise Unprintable("a string of bits")

    def cast(self, node: ast.TypeCast) -> str:
        return f"CAST({self.expression(node.arg)} AS {self.type(known(node.typeName))})"

    def type(self, node: ast.TypeName) -> str:
        if node.setof or node.pct_type:
            raise Unprintable("a rare type")
        modifiers = f"({self.listed(node.typmods)})" if node.typmods else ""
        bounds = "".join(["[]" if one.ival == -1 else f"[{one.ival}]" for one in node.arrayBounds or ()])
        return ".".join([quoted(name.sval) for name in node.names or ()]) + modifiers + bounds

    def operator(self, node: ast.A_Expr) -> str:
        kind, names = node.kind, node.name or ()
        rule = _OPERATORS.get(kind)
        if rule is not None:
            return rule(self, node)
        name = names[-1].sval
        if kind == _Kind.AEXPR_BETWEEN or name in ("NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC"):
            low, high = node.rexpr  # type: ignore[misc]  # a list of two by its kind
            return f"{self.operand(node.lexpr)} {name} {self.operand(low)} AND {self.operand(high)}"
        if kind in (_Kind.AEXPR_LIKE, _Kind.AEXPR_ILIKE):
            return f"{self.operand(node.lexpr)} {_LIKE[name]} {self.operand(node.rexpr)}"
        raise Unprintable(str(kind))

    def _infix(self, node: ast.A_Expr) -> str:
        left = "" if node.lexpr is None else f"{self.operand(node.lexpr)} "
        return f"{left}{_operator(node.name)} {self.operand(node.rexpr)}"

    def _in(self, node: ast.A_Expr) -> str:
        how = {"=": "IN", "<>": "NOT IN"}[known(node.name)[-1].sval]
        return f"{self.operand(node.lexpr)} {how} ({self.listed(node.rexpr)})"

    def _any(self, node: ast.A_Expr) -> str:
        how = "ANY" if node.kind == _Kind.AEXPR_OP_ANY else "ALL"
        return f"{self.operand(node.lexpr)} {_operator(node.name)} {how} ({self.expression(node.rexpr)})"

    def _distinct(self, node: ast.A_Expr) -> str:
        how = "IS DISTINCT FROM" if node.kind == _Kind.AEXPR_DISTINCT else "IS NOT DISTINCT FROM"
        return f"{self.operand(node.lexpr)} {how} {self.operand(node.rexpr)}"

    def _nullif(self, node: ast.A_Expr) -> str:
        return f"NULLIF({self.expression(node.lexpr)}, {self.expression(node.rexpr)})"

    def connected(self, node: ast.BoolExpr) -> str:
        arms = node.args or ()
        if node.boolop == enums.BoolExprType.NOT_EXPR:
            return f"NOT {self.operand(arms[0])}"
        word = " AND " if node.boolop == enums.BoolExprType.AND_EXPR else " OR "
        return word.join([self.operand(arm) for arm in arms])

    def null_test(self, node: ast.NullTest) -> str:
        negated = node.nulltesttype == enums.NullTestType.IS_NOT_NULL
        return f"{self.operand(node.arg)} IS {'NOT ' if negated else ''}NULL"

    def truth_test(self, node: ast.BooleanTest) -> str:
        return f"{self.operand(node.arg)} IS {_TRUTH[known(node.booltesttype)]}"

    def call(self, node: ast.FuncCall) -> str:
        arguments = [self.expression(argument) for argument in node.args or ()]
        if node.func_variadic:
            arguments[-1] = f"VARIADIC {arguments[-1]}"
        inside = "*" if node.agg_star else ", ".join(arguments)
        order = f" ORDER BY {self.listed(node.agg_order)}" if node.agg_order else ""
        tail = f") WITHIN GROUP ({order.lstrip()})" if node.agg_within_group else f"{order})"
        if node.agg_filter is not None:
            tail += f" FILTER (WHERE {self.expression(node.agg_filter)})"
        if node.over is not None:
            tail += f" OVER {self._window(node.over)}"
        name = ".".join([quoted(one.sval) for one in node.funcname or ()])
        return f"{name}({'DISTINCT ' if node.agg_distinct else ''}{inside}{tail}"

    def _window(self, node: ast.WindowDef) -> str:
        if node.name is not None or node.refname is not None or node.frameOptions != _DEFAULT_FRAME:
            raise Unprintable("a rare window")
        parts = []
        if node.partitionClause:
            parts.append(f"PARTITION BY {self.listed(node.partitionClause)}")
        if node.orderClause:
            parts.append(f"ORDER BY {self.listed(node.orderClause)}")
        return f"({' '.join(parts)})"

    def named(self, node: ast.NamedArgExpr) -> str:
        return f"{quoted(known(node.name))} => {self.expression(node.arg)}"

    def sublink(self, node: ast.SubLink) -> str:
        kinds = enums.SubLinkType
        query = f"({self.statement(node.subselect)})"
        match node.subLinkType:
            case kinds.EXPR_SUBLINK:
                return query
            case kinds.EXISTS_SUBLINK:
                return f"EXISTS {query}"
            case kinds.ARRAY_SUBLINK:
                return f"ARRAY{query}"
            case kinds.ANY_SUBLINK | kinds.ALL_SUBLINK:
                how = "ANY" if node.subLinkType == kinds.ANY_SUBLINK else "ALL"
                word = "IN" if not node.operName else f"{_operator(node.operName)} {how}"
                return f"{self.operand(node.testexpr)} {word} {query}"
            case _:
                raise Unprintable("a rare subquery")

    def case(self, node: ast.CaseExpr) -> str:
        parts = ["CASE" if node.arg is None else f"CASE {self.operand(node.arg)}"]
        parts += [f"WHEN {self.expression(arm.expr)} THEN {self.expression(arm.result)}" for arm in node.args or ()]
        if node.defresult is not None:
            parts.append(f"ELSE {self.expression(node.defresult)}")
        return f"{' '.join(parts)} END"

    def indirection(self, node: ast.A_Indirection) -> str:
        text = f"({self.expression(node.arg)})"
        for step in node.indirection or ():
            if isinstance(step, ast.A_Indices):
                if step.is_slice:
                    raise Unprintable("a slice")
                text += f"[{self.expression(step.uidx)}]"
            else:
                text += ".*" if isinstance(step, ast.A_Star) else f".{quoted(step.sval)}"
        return text

    def sort(self, node: ast.SortBy) -> str:
        if node.useOp:
            *schema, name = [one.sval for one in node.useOp]
            using = f"OPERATOR({quoted(schema[0])}.{name})" if schema else name
            return f"{self.operand(node.node)} USING {using}{_NULLS[known(node.sortby_nulls)]}"
        return self.operand(node.node) + _ORDERS[known(node.sortby_dir)] + _NULLS[known(node.sortby_nulls)]


def known(value: _T | None) -> _T:
    """What must be there."""
    if value is None:
        raise Unprintable("something is missing")
    return value


def names_of(nodes: Any) -> str:
    """A list of names."""
    return ", ".join([quoted(node.sval) for node in nodes or ()])


def alias_of(alias: ast.Alias | None) -> str:
    """` AS name (columns)`, or nothing."""
    if alias is None:
        return ""
    columns = f" ({names_of(alias.colnames)})" if alias.colnames else ""
    return f" AS {quoted(known(alias.aliasname))}{columns}"


def _operator(names: Any) -> str:
    *schema, name = [one.sval for one in names]
    return f"OPERATOR({'.'.join(map(quoted, schema))}.{name})" if schema else name


_Rule = Callable[[ExpressionPrinter, Any], str]
_EXPRESSIONS: dict[type, _Rule] = {
    ast.ResTarget: ExpressionPrinter.target,
    ast.ColumnRef: ExpressionPrinter.column,
    ast.A_Const: ExpressionPrinter.constant,
    ast.TypeCast: ExpressionPrinter.cast,
    ast.A_Expr: ExpressionPrinter.operator,
    ast.BoolExpr: ExpressionPrinter.connected,
    ast.NullTest: ExpressionPrinter.null_test,
    ast.BooleanTest: ExpressionPrinter.truth_test,
    ast.FuncCall: ExpressionPrinter.call,
    ast.NamedArgExpr: ExpressionPrinter.named,
    ast.SubLink: ExpressionPrinter.sublink,
    ast.CaseExpr: ExpressionPrinter.case,
    ast.A_Indirection: ExpressionPrinter.indirection,
    ast.SortBy: ExpressionPrinter.sort,
    ast.ParamRef: lambda _, node: f"${node.number}",
    ast.SetToDefault: lambda *_: "DEFAULT",
    ast.MergeSupportFunc: lambda *_: "merge_action()",
    ast.SQLValueFunction: lambda _, node: _now(node),
    ast.CoalesceExpr: lambda printer, node: f"COALESCE({printer.listed(node.args)})",
    ast.RowExpr: lambda printer, node: f"ROW({printer.listed(node.args)})",
    ast.A_ArrayExpr: lambda printer, node: f"ARRAY[{printer.listed(node.elements)}]",
    ast.MinMaxExpr: lambda printer, node: (
        f"{'GREATEST' if node.op == enums.MinMaxOp.IS_GREATEST else 'LEAST'}({printer.listed(node.args)})"
    ),
    ast.CollateClause: lambda printer, node: (
        f"{printer.operand(node.arg)} COLLATE {'.'.join([quoted(name.sval) for name in node.collname])}"
    ),
}
_OPERATORS: dict[Any, _Rule] = {
    _Kind.AEXPR_OP: ExpressionPrinter._infix,
    _Kind.AEXPR_IN: ExpressionPrinter._in,
    _Kind.AEXPR_OP_ANY: ExpressionPrinter._any,
    _Kind.AEXPR_OP_ALL: ExpressionPrinter._any,
    _Kind.AEXPR_DISTINCT: ExpressionPrinter._distinct,
    _Kind.AEXPR_NOT_DISTINCT: ExpressionPrinter._distinct,
    _Kind.AEXPR_NULLIF: ExpressionPrinter._nullif,
}


def _now(node: ast.SQLValueFunction) -> str:
    if node.op not in _NOW:
        raise Unprintable("a precision")
    return _NOW[node.op]
