"""What keeps a statement that writes to a filtered relation to the rows that are there: it changes and removes no
other, and writes none that would not be there.

Nothing can be put in a target's place. So UPDATE and DELETE get the filter's condition, and those of the client's that
could tell of a row are asked only of rows that keep to it; new values of the columns that the filter looks at are
checked where they are given. Which statements may write there at all is decided in `authorize/filtered_targets.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.functions import AGGREGATES, FUNCTIONS, WINDOWS
from penstock_core.sql.bind.column_names import star_of
from penstock_core.sql.catalog.model import Column, Relation
from penstock_core.sql.catalog.pull_up import SET_RETURNING, VOLATILE
from penstock_core.sql.masking.build import as_stored, call, case, cast, integer, null, operator, text
from penstock_core.sql.masking.order_failures import conjuncts
from penstock_core.sql.masking.order_nodes import copied, own_nodes
from penstock_core.sql.masking.order_sensitivity import OwnCalls, function_name
from penstock_core.sql.masking.row_filters import parsed
from penstock_core.sql.refusal import Refused, refused
from penstock_core.sql.syntax.walk import below

# What the server's error says where a row would not be there; the gate tells it in words of its own.
OUTSIDE = "a row of which a row filter leaves nothing: "
# Functions that give the same when they are called again.
_STEADY = FUNCTIONS - AGGREGATES - WINDOWS - SET_RETURNING - VOLATILE - {"current_setting"}
_CUT = frozenset({"varchar", "bpchar"})
_Changing = ast.UpdateStmt | ast.DeleteStmt | ast.OnConflictClause


@dataclass(frozen=True, slots=True)
class FilteredTarget:
    """The target of one statement, with the condition that its rows keep to."""

    relation: Relation
    condition: str
    # The columns that the condition looks at.
    columns: frozenset[str]
    # What the target is called in the statement.
    source: str

    def keep_to_rows(self, node: _Changing, tells: Callable[[Any], bool], parts: Iterable[Any]) -> None:
        """Have the statement change no rows but those that are there. `parts` are the client's conditions, of which
        those that `tells` is true of could tell of any row that they are asked of.
        """
        if isinstance(node.whereClause, ast.CurrentOfExpr):
            raise refused(
                f"WHERE CURRENT OF has no place for the row filter of {'.'.join(self.relation.key)}",
                "change the row by its primary key",
            )
        told: list[ast.Node] = []
        untold: list[ast.Node] = []
        for part in parts:
            (told if tells(part) else untold).append(part)
        conditions = [self._there({}), *untold]
        if told:
            conditions.append(case([(self._there({}), _all(told))], null()))
        node.whereClause = _all(conditions)

    def check_set(self, node: ast.UpdateStmt | ast.OnConflictClause, own: OwnCalls) -> None:
        """Have the statement fail where a row that it changes would not be there any more."""
        targets: list[Any] = [one for one in node.targetList or () if one.name in self.columns]
        for target in targets:
            if target.indirection:
                raise self._unchecked(target.name, "only a part of it is set")
            self._may_be_checked(target.name, target.val, own)
        if targets:
            self._refuse_settings(node)
            first, values = targets[0], {target.name: target.val for target in targets}
            place = ast.ColumnRef(fields=_strings(self.source, "tableoid"))
            first.val = self._checked(first.name, first.val, values, place)

    def check_new(self, node: ast.InsertStmt, own: OwnCalls) -> None:
        """Have the statement fail where a new row would not be there."""
        if not self.columns:
            raise refused(
                f"a new row of {'.'.join(self.relation.key)} can't be checked: its row filter looks at no column",
                "have the policy's row filter compare a column",
            )
        self._refuse_settings(node)
        targets: list[Any] = list(node.cols or ())
        if any(one.indirection for one in targets):
            raise self._unchecked(targets[0].name, "only a part of a column is given")
        if node.override == enums.OverridingKind.OVERRIDING_USER_VALUE:
            raise self._unchecked(min(self.columns), "OVERRIDING USER VALUE stores others than those that are given")
        names = [one.name or "" for one in targets] or [one.name for one in self.relation.columns]
        rows = self._new_rows(node.selectStmt)
        names = names[: max(map(len, rows), default=0)]
        for column in sorted(self.columns.difference(names)):
            raise self._unchecked(column, "it is left to its default")
        for row in rows:
            self._check_row(names, row, own)
        if not targets:
            # What was added to the relation since the catalog was read may stand elsewhere.
            node.cols = tuple(ast.ResTarget(name=one) for one in names)
        _put_rows(node.selectStmt, rows)

    def _new_rows(self, select: ast.Node | None) -> list[list[Any]]:
        """The values of each new row, as they are written; of a SELECT's, what it shows. Raises Refused."""
        if select is None:
            return []
        if not isinstance(select, ast.SelectStmt) or select.op:
            raise self._unchecked(min(self.columns), "the rows are those of several queries")
        values: list[Any] = list(select.valuesLists or ())
        rows = list(map(list, values)) or [[target.val for target in select.targetList or ()]]
        if any(star_of(value) is not None for row in rows for value in row):
            raise self._unchecked(min(self.columns), "the rows are given by *")
        return rows

    def _check_row(self, names: list[str], row: list[Any], own: OwnCalls) -> None:
        if len(row) != len(names):
            raise self._unchecked(min(self.columns), "the rows are not of one length")
        for name, value in zip(names, row, strict=True):
            if name in self.columns:
                self._may_be_checked(name, value, own)
        values = {name: value for name, value in zip(names, row, strict=True) if name in self.columns}
        place = names.index(min(values))
        row[place] = self._checked(min(values), row[place], values)

    def _refuse_settings(self, node: ast.Node) -> None:
        """A value is computed once to be checked and once to be stored: by the same settings."""
        if any(isinstance(one, ast.FuncCall) and function_name(one) == "set_config" for one in below(node)):
            raise self._unchecked(min(self.columns), "set_config may change what it comes to")

    # ---- conditions and values

    def _there(self, given: Mapping[str, ast.Node]) -> ast.Node:
        """The condition; with values given of some columns, of these."""

        def value(name: str) -> ast.Node:
            column = self.relation.column(name)
            if name in given and column is not None:
                return as_stored(copied(given[name]), column)
            return ast.ColumnRef(fields=_strings(self.source, name))

        there: ast.Node = _filled(parsed(self.condition), value)
        return there

    def _checked(self, name: str, value: ast.Node, values: Mapping[str, ast.Node], *of_row: ast.Node) -> ast.Node:
        """The value where the condition holds for the new ones, else an error."""
        column = self.relation.column(name)
        if column is None:
            raise self._unchecked(name, "it is not known")
        kind = _stored_as(column)
        said = cast(call("concat", text(OUTSIDE), *of_row), "pg_catalog.int4")
        # The server computes it for no other row: `concat` is not the same at all times.
        failing = cast(case([(operator(">", said, integer(0)), null())], null()), kind)
        return case([(self._there(values), cast(value, kind))], failing)

    def _may_be_checked(self, name: str, value: Any, own: OwnCalls) -> None:
        """A value that is computed twice has to be the same. Raises Refused."""
        if isinstance(value, (ast.SetToDefault, ast.MultiAssignRef)):
            raise self._unchecked(name, "its new value is not written beside it")
        for one in own_nodes(value):
            if isinstance(one, (ast.SubLink, ast.SelectStmt)):
                raise self._unchecked(name, "a query gives its new value")
            if isinstance(one, ast.FuncCall) and (function_name(one) not in _STEADY or not own.is_systems(one)):
                raise self._unchecked(name, f"{function_name(one)} gives its new value")
            if isinstance(one, ast.A_Expr) and own.is_operator(one):
                raise self._unchecked(name, "an operator of the database's own gives its new value")

    def _unchecked(self, name: str, why: str) -> Refused:
        place = ".".join(self.relation.key)
        return refused(
            f"{name} decides which rows of {place} a policy filters out, and its new value can't be checked ({why})",
            f"give {name} a value by a constant, a parameter or a column",
        )


def _put_rows(select: Any, rows: list[list[Any]]) -> None:
    """The values in place of those that are written."""
    if select.valuesLists:
        select.valuesLists = tuple(map(tuple, rows))
    else:
        for target, value in zip(select.targetList or (), rows[0], strict=True):
            target.val = value


def _all(conditions: list[ast.Node]) -> ast.Node:
    """As the parser puts them together: none of several is itself an AND."""
    parts = [part for one in conditions for part in conjuncts(one)]
    return parts[0] if len(parts) == 1 else ast.BoolExpr(boolop=enums.BoolExprType.AND_EXPR, args=tuple(parts))


def _stored_as(column: Column) -> str:
    """The type that a value is given as: one that cuts off what is too long would have the server not refuse it."""
    return column.base_type if column.base_type.rpartition(".")[2] in _CUT else column.cast_type


def _strings(*names: str) -> tuple[ast.String, ...]:
    return tuple(ast.String(sval=name) for name in names)


def _filled(node: Any, value: Callable[[str], ast.Node]) -> Any:
    """The nodes with values in place of columns."""
    if isinstance(node, tuple):
        return tuple(_filled(part, value) for part in node)
    if isinstance(node, ast.ColumnRef):
        last = (node.fields or (None,))[-1]
        return value((isinstance(last, ast.String) and last.sval) or "")
    if isinstance(node, ast.Node) and not isinstance(node, ast.A_Const):
        for name in node:
            setattr(node, name, _filled(getattr(node, name), value))
    return node
