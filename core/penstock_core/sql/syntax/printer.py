"""From the syntax trees that most statements consist of to text, fast. What it does not know it leaves to pglast.

Nothing here has to be trusted: `deparse.py` parses what is printed and compares. Expressions: `expression_printer.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pglast import ast, enums

from penstock_core.sql.syntax.expression_printer import (
    ExpressionPrinter,
    Unprintable,
    alias_of,
    known,
    names_of,
    quoted,
)

_JOINS = {
    enums.JoinType.JOIN_INNER: "JOIN",
    enums.JoinType.JOIN_LEFT: "LEFT JOIN",
    enums.JoinType.JOIN_RIGHT: "RIGHT JOIN",
    enums.JoinType.JOIN_FULL: "FULL JOIN",
}
_SETS = {
    enums.SetOperation.SETOP_UNION: "UNION",
    enums.SetOperation.SETOP_INTERSECT: "INTERSECT",
    enums.SetOperation.SETOP_EXCEPT: "EXCEPT",
}
_LOCKS = {
    enums.LockClauseStrength.LCS_FORKEYSHARE: "FOR KEY SHARE",
    enums.LockClauseStrength.LCS_FORSHARE: "FOR SHARE",
    enums.LockClauseStrength.LCS_FORNOKEYUPDATE: "FOR NO KEY UPDATE",
    enums.LockClauseStrength.LCS_FORUPDATE: "FOR UPDATE",
}
_OVERRIDES = {
    None: "",
    enums.OverridingKind.OVERRIDING_NOT_SET: "",
    enums.OverridingKind.OVERRIDING_USER_VALUE: " OVERRIDING USER VALUE",
    enums.OverridingKind.OVERRIDING_SYSTEM_VALUE: " OVERRIDING SYSTEM VALUE",
}
# BY TARGET, which the first of them means, is not known to servers before PostgreSQL 17.
_MATCHES = {
    enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_TARGET: "NOT MATCHED",
    enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_SOURCE: "NOT MATCHED BY SOURCE",
    enums.MergeMatchKind.MERGE_WHEN_MATCHED: "MATCHED",
}
_WAITS = {
    enums.LockWaitPolicy.LockWaitBlock: "",
    enums.LockWaitPolicy.LockWaitSkip: " SKIP LOCKED",
    enums.LockWaitPolicy.LockWaitError: " NOWAIT",
}


class Printer(ExpressionPrinter):
    """Prints statements; `stand_ins` are the subqueries (by identity) for which a name is printed instead."""

    def __init__(self, stand_ins: Mapping[int, str]) -> None:
        self._stand_ins = stand_ins

    def statement(self, node: Any) -> str:
        rule = _STATEMENTS.get(type(node))
        if rule is None:
            raise Unprintable(type(node).__name__)
        return rule(self, node)

    # ---- queries

    def select(self, node: ast.SelectStmt) -> str:
        parts = [self._with(node.withClause)]
        if node.op is not None and node.op != enums.SetOperation.SETOP_NONE:
            every = " ALL" if node.all else ""
            parts.append(f"({self.select(known(node.larg))}) {_SETS[node.op]}{every} ({self.select(known(node.rarg))})")
        elif node.valuesLists:
            parts.append("VALUES " + ", ".join([f"({self.listed(row)})" for row in node.valuesLists]))
        else:
            self._plain_select(node, parts)
        if node.sortClause:
            parts.append(f" ORDER BY {self.listed(node.sortClause)}")
        self._limit(node, parts)
        for lock in node.lockingClause or ():
            names = ", ".join([self.source(one) for one in lock.lockedRels or ()])
            parts.append(f" {_LOCKS[lock.strength]}{' OF ' if names else ''}{names}{_WAITS[lock.waitPolicy]}")
        return "".join(parts)

    def _plain_select(self, node: ast.SelectStmt, parts: list[str]) -> None:
        if node.intoClause or node.windowClause or node.groupDistinct:
            raise Unprintable("a rare clause")
        parts.append("SELECT ")
        if node.distinctClause:
            on = self.listed([one for one in node.distinctClause if one is not None])
            parts.append(f"DISTINCT ON ({on}) " if on else "DISTINCT ")
        parts.append(self.listed(node.targetList))
        if node.fromClause:
            parts.append(" FROM " + ", ".join([self.source(item) for item in node.fromClause]))
        if node.whereClause is not None:
            parts.append(f" WHERE {self.expression(node.whereClause)}")
        if node.groupClause:
            parts.append(f" GROUP BY {self.listed(node.groupClause)}")
        if node.havingClause is not None:
            parts.append(f" HAVING {self.expression(node.havingClause)}")

    def _limit(self, node: ast.SelectStmt, parts: list[str]) -> None:
        if node.limitOffset is not None:
            parts.append(f" OFFSET {self.operand(node.limitOffset)}")
        if node.limitCount is not None:
            if node.limitOption == enums.LimitOption.LIMIT_OPTION_WITH_TIES:
                parts.append(f" FETCH FIRST ({self.expression(node.limitCount)}) ROWS WITH TIES")
            else:
                parts.append(f" LIMIT {self.operand(node.limitCount)}")

    def _with(self, clause: ast.WithClause | None) -> str:
        if clause is None:
            return ""
        tables = []
        for table in clause.ctes or ():
            if table.search_clause is not None or table.cycle_clause is not None:
                raise Unprintable("SEARCH or CYCLE")
            kept = table.ctematerialized
            how = {enums.CTEMaterialize.CTEMaterializeAlways: "MATERIALIZED "}.get(kept, "")
            how = {enums.CTEMaterialize.CTEMaterializeNever: "NOT MATERIALIZED "}.get(kept, how)
            columns = f"({names_of(table.aliascolnames)})" if table.aliascolnames else ""
            tables.append(f"{quoted(table.ctename)}{columns} AS {how}({self.statement(table.ctequery)})")
        return f"WITH {'RECURSIVE ' if clause.recursive else ''}{', '.join(tables)} "

    # ---- FROM

    def source(self, node: Any) -> str:
        match node:
            case ast.RangeVar():
                names = [quoted(name) for name in (node.catalogname, node.schemaname, node.relname) if name]
                return f"{'' if node.inh else 'ONLY '}{'.'.join(names)}{alias_of(node.alias)}"
            case ast.RangeSubselect():
                name = self._stand_ins.get(id(node.subquery))
                if name is not None:
                    return f"{name}{alias_of(node.alias)}"
                query = self.statement(node.subquery)
                return f"{'LATERAL ' if node.lateral else ''}({query}){alias_of(node.alias)}"
            case ast.JoinExpr():
                return self._join(node)
            case ast.RangeFunction():
                return self._function(node)
            case _:
                raise Unprintable(type(node).__name__)

    def _join(self, node: ast.JoinExpr) -> str:
        right = self.source(node.rarg)
        if isinstance(node.rarg, ast.JoinExpr) and node.rarg.alias is None:
            right = f"({right})"
        how, tail = _JOINS[known(node.jointype)], ""
        if node.isNatural:
            how = f"NATURAL {how}"
        elif node.usingClause:
            tail = f" USING ({names_of(node.usingClause)}){alias_of(node.join_using_alias)}"
        elif node.quals is not None:
            tail = f" ON {self.expression(node.quals)}"
        else:
            how = "CROSS JOIN"
        text = f"{self.source(node.larg)} {how} {right}{tail}"
        return text if node.alias is None else f"({text}){alias_of(node.alias)}"

    def _function(self, node: ast.RangeFunction) -> str:
        functions = node.functions or ()
        if node.coldeflist or any(definitions for _, definitions in functions):
            raise Unprintable("columns are defined")
        if not node.is_rowsfrom and len(functions) != 1:
            raise Unprintable("several functions")
        text = ", ".join([self.expression(function) for function, _ in functions])
        text = f"ROWS FROM ({text})" if node.is_rowsfrom else text
        tail = " WITH ORDINALITY" if node.ordinality else ""
        return f"{'LATERAL ' if node.lateral else ''}{text}{tail}{alias_of(node.alias)}"

    # ---- statements that write

    def insert(self, node: ast.InsertStmt) -> str:
        columns = f" ({self.listed(node.cols)})" if node.cols else ""
        query = "DEFAULT VALUES" if node.selectStmt is None else self.statement(node.selectStmt)
        conflict = "" if node.onConflictClause is None else self._conflict(node.onConflictClause)
        target = f"{self.source(node.relation)}{columns}{_OVERRIDES[node.override]}"
        return f"{self._with(node.withClause)}INSERT INTO {target} {query}{conflict}{self._returning(node)}"

    def _conflict(self, node: ast.OnConflictClause) -> str:
        target = ""
        if node.infer is not None and node.infer.conname is not None:
            target = f" ON CONSTRAINT {quoted(node.infer.conname)}"
        elif node.infer is not None:
            elements = ", ".join([self._element(one) for one in node.infer.indexElems or ()])
            target = f" ({elements}){self._where(node.infer.whereClause)}"
        if node.action == enums.OnConflictAction.ONCONFLICT_NOTHING:
            return f" ON CONFLICT{target} DO NOTHING"
        if node.action != enums.OnConflictAction.ONCONFLICT_UPDATE:
            raise Unprintable("a rare action of ON CONFLICT")
        changes = ", ".join([self._assignment(one) for one in node.targetList or ()])
        return f" ON CONFLICT{target} DO UPDATE SET {changes}{self._where(node.whereClause)}"

    def _element(self, node: ast.IndexElem) -> str:
        if node.collation or node.opclass or node.opclassopts:
            raise Unprintable("an index element with a collation or operator class")
        return quoted(node.name) if node.name is not None else f"({self.expression(node.expr)})"

    def merge(self, node: ast.MergeStmt) -> str:
        text = f"{self._with(node.withClause)}MERGE INTO {self.source(node.relation)} USING "
        text += f"{self.source(node.sourceRelation)} ON {self.expression(node.joinCondition)}"
        text += "".join([self._when(clause) for clause in node.mergeWhenClauses or ()])
        return text + self._returning(node)

    def _when(self, node: ast.MergeWhenClause) -> str:
        condition = "" if node.condition is None else f" AND {self.expression(node.condition)}"
        head = f" WHEN {_MATCHES[known(node.matchKind)]}{condition} THEN "
        commands = enums.CmdType
        if node.commandType == commands.CMD_NOTHING:
            return f"{head}DO NOTHING"
        if node.commandType == commands.CMD_DELETE:
            return f"{head}DELETE"
        if node.commandType == commands.CMD_UPDATE:
            return f"{head}UPDATE SET " + ", ".join([self._assignment(one) for one in node.targetList or ()])
        columns = f" ({self.listed(node.targetList)})" if node.targetList else ""
        values = f"VALUES ({self.listed(node.values)})" if node.values else "DEFAULT VALUES"
        return f"{head}INSERT{columns}{_OVERRIDES[node.override]} {values}"

    def update(self, node: ast.UpdateStmt) -> str:
        text = self._with(node.withClause) + " ".join(("UPDATE", self.source(node.relation), "SET "))
        text += ", ".join([self._assignment(target) for target in node.targetList or ()])
        if node.fromClause:
            text += " FROM " + ", ".join([self.source(item) for item in node.fromClause])
        return text + self._where(node.whereClause) + self._returning(node)

    def delete(self, node: ast.DeleteStmt) -> str:
        text = self._with(node.withClause) + " ".join(("DELETE FROM", self.source(node.relation)))
        if node.usingClause:
            text += " USING " + ", ".join([self.source(item) for item in node.usingClause])
        return text + self._where(node.whereClause) + self._returning(node)

    def _assignment(self, target: ast.ResTarget) -> str:
        if target.indirection:
            raise Unprintable("a part of a column is set")
        return f"{quoted(known(target.name))} = {self.expression(target.val)}"

    def _where(self, node: Any) -> str:
        return "" if node is None else f" WHERE {self.expression(node)}"

    def _returning(self, node: Any) -> str:
        clause = node.returningClause
        if clause is None:
            return ""
        if clause.options:
            raise Unprintable("options of RETURNING")
        return f" RETURNING {self.listed(clause.exprs)}"


_Rule = Callable[[Printer, Any], str]
_STATEMENTS: dict[type, _Rule] = {
    ast.SelectStmt: Printer.select,
    ast.InsertStmt: Printer.insert,
    ast.UpdateStmt: Printer.update,
    ast.DeleteStmt: Printer.delete,
    ast.MergeStmt: Printer.merge,
}
