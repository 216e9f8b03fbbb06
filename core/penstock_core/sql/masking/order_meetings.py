"""Whether values of several types or collations may meet in one expression so that it fails.

A numeric does not always fit into a floating point number, nor any whole number into an oid; comparing circles computes
their areas. What fails for every row, as texts of two collations do, tells whether a row was looked at: that matters
where some are not there. What of an expression meets is in `order_failures.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.total import (
    COLLATED,
    FALLIBLE,
    FLOATS,
    OIDS,
    STEADY,
    TEXTS,
    TOTAL_BY_FIRST,
    TOTAL_BY_NUMBERS,
    TOTAL_FUNCTIONS,
)
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.catalog.model import Column
from penstock_core.sql.masking.order_keys import Leaf, Level, Rows
from penstock_core.sql.masking.order_nodes import own_nodes
from penstock_core.sql.masking.order_sensitivity import OwnCalls, function_name
from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.walk import below

_GIVING_TEXT = words("lower upper btrim ltrim rtrim replace concat md5 left substr")
# None of them gives a row, or an array.
_TOTAL = TOTAL_FUNCTIONS | TOTAL_BY_FIRST | TOTAL_BY_NUMBERS
_DAYS = frozenset({"date", "timestamp"})
_OF_OIDS = OIDS | words("int2 int4")
# What a value that is compared may consist of, and be a text.
_TEXT_SOURCES = (ast.ColumnRef, ast.SubLink, ast.CollateClause)
_PATTERNS = words("~ ~* !~ !~* ~~ ~~* !~~ !~~* ^@")
_PREFIXES = words("like notlike starts_with")


@dataclass(frozen=True, slots=True)
class Meetings:
    """What meets in the expressions of one query."""

    level: Level
    own: OwnCalls
    # Whether some rows are not there, so that what fails for every row tells of these.
    hidden: bool
    # The type of a parameter by its number: None where it is not known, empty where what it stands beside decides.
    given: Callable[[int], str | None]

    def fail(self, parts: Iterable[Any]) -> bool:
        """Whether comparing those values, or taking one of them, may fail. A literal is read as another's type before
        there are rows.
        """
        parts = [one for one in parts if one is not None and not isinstance(one, ast.A_Const)]
        kinds = [self.kind(one) for one in parts]
        wide = [
            one for one, kind in zip(parts, kinds, strict=True) if kind in ("numeric", None) and not self._is_bound(one)
        ]
        floats = [one for one, kind in zip(parts, kinds, strict=True) if kind in FLOATS or kind is None]
        if self._differ(wide, floats):
            return True
        if not OIDS.isdisjoint(kinds) and any(kind not in _OF_OIDS for kind in kinds):
            return True
        if any(_element(kind) in FALLIBLE for kind in kinds):
            return True
        return self.hidden and (not self._are_steady(parts) or self.collide(parts))

    def shift(self, parts: Iterable[Any]) -> bool:
        """Whether a date becomes a time, or one without a zone one with it: there are more days than times."""
        kinds = {self.kind(one) for one in parts if not isinstance(one, ast.A_Const)} - {""}
        return not _DAYS.isdisjoint(kinds) and len(kinds) > 1

    def collide(self, parts: Iterable[Any]) -> bool:
        """Whether texts of several collations may meet, of which none is chosen: that fails for every row."""
        parts = tuple(parts)
        if any(kind and _element(kind) not in COLLATED for kind in map(self.kind, parts)):
            return False
        found = list(self._texts(parts))
        if any(isinstance(one, ast.CollateClause) for one in found):
            # One that is written goes before all others.
            return False
        return len(found) > 1 and not all(map(self._is_plain, found))

    def unlike(self, parts: Iterable[Any]) -> bool:
        """Whether texts may be of a collation that knows no patterns and parts of texts."""
        if not self.hidden or not self.own.has_partless_texts:
            return False
        return not all(map(self._is_plain, self._texts(tuple(one for one in parts if not _is_binary(one)))))

    def kind(self, node: Any) -> str | None:
        """The bare name of the value's type; None: not known."""
        if isinstance(node, (ast.BoolExpr, ast.NullTest, ast.BooleanTest)):
            return "bool"
        if isinstance(node, ast.SQLValueFunction) and node.op == enums.SQLValueFunctionOp.SVFOP_CURRENT_DATE:
            return "date"
        if isinstance(node, ast.ParamRef):
            return self.given(node.number or 0)
        if isinstance(node, ast.A_Expr) and node.name and node.name[-1].sval in ("->", "#>"):
            # Of a json nothing can be compared.
            return "jsonb" if self.kind(node.lexpr) == "jsonb" else None
        known = self.level.type_of(node)
        if known is None and isinstance(node, ast.ColumnRef):
            owner = self._owner(node)
            known = owner[0].types.get(owner[1]) if owner is not None else None
        return known or ("text" if self.is_text(node) else None)

    def is_text(self, node: Any) -> bool:
        """Whether the value is surely a text."""
        match node:
            case ast.A_Const(val=ast.String()):
                return True
            case ast.FuncCall():
                return function_name(node) in _GIVING_TEXT
            case ast.A_Expr(name=names) if names and names[-1].sval == "||":
                return self.is_text(node.lexpr) or self.is_text(node.rexpr)
            case ast.A_Expr(name=names) if names and names[-1].sval in ("->>", "#>>"):
                return True
            case ast.CoalesceExpr(args=parts):
                return all(map(self.is_text, parts or ()))
            case ast.CollateClause(arg=argument):
                return self.is_text(argument)
            case _:
                return self.level.type_of(node) in TEXTS

    def _differ(self, wide: list[Any], floats: list[Any]) -> bool:
        """Whether turning one of the former into another one's type is done for rows: a parameter fits for all of them
        or for none, which tells where some are not there. There may be many of both.
        """
        parameters = [one for one in wide if isinstance(one, ast.ParamRef)]
        others = floats[:2]
        if any(one is not other for one in wide if not isinstance(one, ast.ParamRef) for other in others):
            return True
        return bool(parameters) and self.hidden and not all(isinstance(one, ast.ParamRef) for one in floats)

    def _is_bound(self, node: Any) -> bool:
        """Whether a numeric has no room for what no floating point number holds."""
        return not isinstance(node, ast.ParamRef) and self.level.is_alike(node)

    def _are_steady(self, parts: list[Any]) -> bool:
        """Whether comparing these values gives something whatever they are: rows and arrays may be of what can't be
        compared. They are of one type, or of types that are compared.
        """
        known = [one for one in parts if self.kind(one)]
        if not known:
            return all(isinstance(one, ast.FuncCall) and function_name(one) in _TOTAL for one in parts)
        return all(self._is_plain(one) or _element(self.kind(one)) in STEADY for one in known)

    # ---- texts

    def _texts(self, parts: tuple[Any, ...]) -> Iterator[Any]:
        """What in those values may be a text of a collation of its own."""
        for node in own_nodes(parts):
            if isinstance(node, _TEXT_SOURCES):
                kind = self.kind(node) if isinstance(node, ast.ColumnRef) else None
                if kind is None or _element(kind) in COLLATED or _element(kind) not in STEADY:
                    yield node

    def _is_plain(self, node: Any) -> bool:
        """A column of a type whose values are alike only where they are the same: texts of the database's collation, or
        of "C", which take each other's.
        """
        owner = self._owner(node) if isinstance(node, ast.ColumnRef) else None
        return owner is not None and owner[1] in owner[0].alike

    def _owner(self, node: ast.ColumnRef) -> tuple[Rows, str] | None:
        levels = (self.level, *self.level.around())
        return next((owner for one in levels if (owner := one.owner(node)) is not None), None)


def refuse_partless(statement: Any, leaves: Iterable[Leaf]) -> None:
    """Refuses patterns of texts whose collation may know none: the planner asks them of frequent values, and would fail
    for those of rows that are not there.
    """
    collated = [leaf.relation for leaf in leaves if leaf.filtered and any(map(_is_collated, leaf.relation.columns))]
    for node in below(statement) if collated else ():
        asked = _PATTERNS if isinstance(node, ast.A_Expr) else _PREFIXES
        operands = (node.lexpr, node.rexpr) if isinstance(node, ast.A_Expr) else getattr(node, "args", ())
        if (
            isinstance(node, (ast.A_Expr, ast.FuncCall))
            and _called(node) in asked
            and any(map(_is_open, operands or ()))
        ):
            raise refused(
                f"a pattern may fail for rows of {'.'.join(collated[0].key)} that a policy filters out, since a column"
                " has a collation of the database's own",
                'write COLLATE "C" behind what is compared with the pattern',
            )


def _called(node: ast.A_Expr | ast.FuncCall) -> str:
    if isinstance(node, ast.FuncCall):
        return function_name(node)
    return "~" if node.kind == enums.A_Expr_Kind.AEXPR_SIMILAR else (node.name or (ast.String(),))[-1].sval or ""


def _is_collated(column: Column) -> bool:
    return column.collation is not None and not column.collation.startswith("pg_catalog.")


def _is_open(node: Any) -> bool:
    return not _is_binary(node) and any(isinstance(one, (ast.ColumnRef, ast.SubLink)) for one in own_nodes(node))


def _is_binary(node: Any) -> bool:
    """Whether a text is compared by its bytes."""
    last = (node.collname or (None,))[-1] if isinstance(node, ast.CollateClause) else None
    return isinstance(last, ast.String) and last.sval in ("C", "POSIX")


def _element(kind: str | None) -> str | None:
    return kind.removeprefix("_") if kind else kind
