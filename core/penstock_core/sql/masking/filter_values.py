"""The values that a row filter's condition compares: columns, literals, and what is computed from them for any row.

A literal must mean the same whatever a session sets: a date in ISO form, a time with its zone. What conditions are made
of these is in `row_filters.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.total import TOTAL_BY_NUMBERS
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.catalog.model import Catalog, ColumnName, Relation
from penstock_core.sql.masking.build import call, cast, integer, operator, reference, text
from penstock_core.sql.syntax.type_names import name_parts

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_WHOLE = re.compile(r"[+-]?\d{1,18}")
# What a literal of each type has to look like; of any other type there are none.
_LITERALS: dict[str, re.Pattern[str]] = {
    **dict.fromkeys(words("int2 int4 int8 oid"), _WHOLE),
    **dict.fromkeys(words("numeric float4 float8"), _NUMBER),
    **dict.fromkeys(words("text varchar bpchar"), re.compile(r"[^\0]*")),
    "bool": re.compile("true|false|t|f|yes|no|on|off|1|0", re.IGNORECASE),
    "date": re.compile(_DATE),
    "time": re.compile(_TIME),
    "timestamp": re.compile(rf"{_DATE}([ T]{_TIME})?"),
    "timestamptz": re.compile(rf"{_DATE}[ T]{_TIME} ?(Z|[+-]\d{{2}}(:?\d{{2}})?)"),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}  # fmt: skip
_FORMS = {
    "date": "2030-01-31",
    "time": "13:45:00",
    "timestamp": "2030-01-31 13:45:00",
    "timestamptz": "2030-01-31 13:45:00+01:00, with its zone: a session may set another",
    "uuid": "6b0c1f0e-2f7a-4c0e-9d3a-0123456789ab",
}
# Types whose values are compared with each other's, whatever they are.
_GROUPS = (words("int2 int4 int8 numeric"), words("int2 int4 int8 float4 float8"), words("text varchar"))
_TEXTS = words("text varchar bpchar")
_OF_TEXT = {"lower": "text", "upper": "text", "btrim": "text", "length": "int4", "char_length": "int4"}
_SPELLED = {"boolean": "bool", "integer": "int4", "bigint": "int8", "smallint": "int2", "real": "float4"}
_LITERAL = ""


class NotSteady(ValueError):
    """A condition that is not the same for a row in every session, or may fail for one; with the reason in words."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a condition."""

    node: ast.Node
    # The type's bare name; of one that is not of pg_catalog, in full; of a literal, none.
    type: str
    # What it is, for messages.
    named: str
    # Of a literal, what is written.
    written: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """Writes the values of conditions on one relation anew."""

    relation: Relation
    catalog: Catalog
    masked: Mapping[ColumnName, Any]

    def value(self, node: Any) -> Value:
        """Any value. Raises NotSteady."""
        match node:
            case ast.ColumnRef():
                return self._column(node)
            case ast.A_Const() if not node.isnull:
                return _constant(node)
            case ast.TypeCast(arg=ast.A_Const()):
                return self._typed(node)
            case ast.FuncCall():
                return self._call(node)
            case ast.CoalesceExpr(args=(first, *rest)):
                return self._coalesced([self.value(one) for one in (first, *rest)])
            case ast.A_Expr() if _name(node) in ("->", "->>"):
                return self._extracted(node)
            case _:
                raise NotSteady(f"{type(node).__name__} may not be used in it")

    def alike(self, left: Any, right: Any) -> tuple[Value, Value]:
        """Two values that are compared: of types of which each holds what the other is compared with."""
        one, other = self.value(left), self.value(right)
        if not one.type and not other.type:
            raise NotSteady(f"it compares {one.named} with {other.named}, and no column")
        if one.type and other.type:
            if one.type != other.type and not any({one.type, other.type} <= group for group in _GROUPS):
                raise NotSteady(f"{one.named} is of type {one.type}, {other.named} of type {other.type}")
            if one.type not in _LITERALS and not self._is_enum(one.type):
                raise NotSteady(f"values of type {one.type} may not be compared in it")
            return one, other
        typed = one if one.type else other
        return (one, self._fits(other, typed)) if one.type else (self._fits(one, typed), other)

    def like(self, name: str, left: Any, right: Any) -> ast.Node:
        """`LIKE` and its kin."""
        value, pattern = self.value(left), self.value(right)
        if value.type not in _TEXTS or pattern.type or "\\" in pattern.written:
            raise NotSteady(f"LIKE takes a text column and a pattern that is written out, without \\: {value.named}")
        return operator(name, value.node, text(pattern.written))

    def held(self, name: str, left: Any, right: Any) -> ast.Node:
        """What a jsonb holds: `@>` and `?`."""
        value, other = self.value(left), self.value(right)
        if value.type != "jsonb" or other.type:
            raise NotSteady(f"the operator {name} takes a column of type jsonb and what is written out")
        if name == "?":
            return operator(name, value.node, text(other.written))
        try:
            json.loads(other.written)
        except ValueError:
            raise NotSteady(f"{other.named} is no JSON") from None
        return operator(name, value.node, cast(text(other.written), "pg_catalog.jsonb"))

    def _column(self, node: ast.ColumnRef) -> Value:
        names = [one.sval or "" if isinstance(one, ast.String) else "*" for one in node.fields or ()]
        column = self.relation.column(names[-1])
        if column is None or names[:-1] not in ([], [self.relation.name], list(self.relation.key)):
            raise NotSteady(f"{'.'.join(self.relation.key)} has no column {'.'.join(names)}")
        if (*self.relation.key, column.name) in self.masked:
            raise NotSteady(f"column {column.name} is masked, and which rows there are would tell of its values")
        if column.fallible or name_parts(column.type_name) in self.catalog.coded_types:
            raise NotSteady(f"reading column {column.name} may fail for some rows")
        schema, _, name = column.base_type.rpartition(".")
        kind = name if schema == "pg_catalog" else column.base_type
        return Value(reference(column), kind, f"column {column.name}")

    def _typed(self, node: ast.TypeCast) -> Value:
        """A literal with its type: `date '2030-01-31'`."""
        written = _constant(node.arg)
        names = [one.sval or "" for one in node.typeName.names or ()] if node.typeName is not None else []
        name = _SPELLED.get(names[-1], names[-1]) if names else ""
        plain = node.typeName is not None and not node.typeName.typmods and not node.typeName.arrayBounds
        if not plain or names[:-1] not in ([], ["pg_catalog"]) or name not in _LITERALS:
            raise NotSteady(f"{written.named} may not be cast to {'.'.join(names)} in it")
        typed = Value(written.node, name, written.named)
        self._fits(written, typed)
        if name == "bool" and written.written.lower() in ("t", "f", "true", "false"):
            return Value(_boolean(written.written), name, written.named)
        return Value(cast(text(written.written), f"pg_catalog.{name}"), name, written.named)

    def _call(self, node: ast.FuncCall) -> Value:
        names = [one.sval or "" for one in node.funcname or () if isinstance(one, ast.String)]
        plain = not (node.agg_filter or node.agg_order or node.over or node.agg_distinct or node.agg_star)
        name, arguments = names[-1], tuple(node.args or ())
        if not plain or names[:-1] not in ([], ["pg_catalog"]):
            raise NotSteady(f"the function {'.'.join(names)} may not be used in it")
        values = [self.value(one) for one in arguments]
        of_text = bool(values) and values[0].type in _TEXTS
        if name in _OF_TEXT and of_text and len(values) == 1:
            return Value(call(name, values[0].node), _OF_TEXT[name], f"{name}({values[0].named})")
        numbers = [one.written for one in values[1:]]
        if name in TOTAL_BY_NUMBERS and of_text and numbers and all(re.fullmatch(r"\d{1,6}", one) for one in numbers):
            parts = [integer(int(one)) for one in numbers]
            return Value(call(name, values[0].node, *parts), "text", f"{name}({values[0].named}, …)")
        raise NotSteady(f"the function {name} may not be used in it, or not with these arguments")

    def _coalesced(self, values: list[Value]) -> Value:
        typed = next((one for one in values if one.type), None)
        if typed is None or any(one.type not in (typed.type, _LITERAL) for one in values):
            raise NotSteady("coalesce takes a column and values of its type")
        nodes = [one.node if one.type else self._fits(one, typed).node for one in values]
        return Value(ast.CoalesceExpr(args=tuple(nodes)), typed.type, f"coalesce({typed.named}, …)")

    def _extracted(self, node: ast.A_Expr) -> Value:
        value, key = self.value(node.lexpr), self.value(node.rexpr)
        if value.type != "jsonb" or key.type:
            raise NotSteady(f"the operator {_name(node)} takes a column of type jsonb and a key that is written out")
        number = isinstance(node.rexpr, ast.A_Const) and isinstance(node.rexpr.val, ast.Integer)
        step = key.node if number else text(key.written)
        kind = "jsonb" if _name(node) == "->" else "text"
        return Value(operator(_name(node), value.node, step), kind, f"{value.named} {_name(node)} {key.named}")

    def _fits(self, literal: Value, typed: Value) -> Value:
        """The literal, which becomes one of that type. Raises NotSteady if it may not."""
        if self._is_enum(typed.type):
            return Value(text(literal.written), typed.type, literal.named)
        form = _LITERALS.get(typed.type)
        if form is None:
            raise NotSteady(f"{typed.named} is of type {typed.type}, which may not be compared in it")
        if form.fullmatch(literal.written) is None:
            how = f": write it as {_FORMS[typed.type]}" if typed.type in _FORMS else ""
            raise NotSteady(f"{literal.named} is not understood beside {typed.named}, of type {typed.type}{how}")
        if typed.type == "bool":
            return Value(_boolean(literal.written), typed.type, literal.named)
        return literal

    def _is_enum(self, kind: str) -> bool:
        """A type of the database's own whose values are compared by code of the system's."""
        parts = name_parts(kind)
        column = next((one for one in self.relation.columns if one.base_type == kind), None)
        safe = len(parts) == 2 and (parts[0], parts[1]) in self.catalog.safe_types
        return safe and column is not None and column.category == "E"


def _constant(node: Any) -> Value:
    match node.val:
        case ast.String(sval=written):
            return Value(text(written or ""), _LITERAL, f"'{written}'", written or "")
        case ast.Integer(ival=number):
            return Value(integer(number or 0), _LITERAL, str(number or 0), str(number or 0))
        case ast.Float(fval=number):
            return Value(ast.A_Const(isnull=False, val=ast.Float(fval=number)), _LITERAL, str(number), str(number))
        case ast.Boolean(boolval=true):
            word = "true" if true else "false"
            return Value(_boolean(word), "bool", word, word)
        case _:
            raise NotSteady("a literal of that kind may not be used in it")


def _boolean(word: str) -> ast.Node:
    true = word.lower() in ("true", "t", "yes", "on", "1")
    return ast.A_Const(isnull=False, val=ast.Boolean(boolval=true))


def _name(node: ast.A_Expr) -> str:
    names = [one.sval or "" for one in node.name or () if isinstance(one, ast.String)]
    return names[-1] if names and names[:-1] in ([], ["pg_catalog"]) else ""
