"""What the body of a function names: relations, functions, operators, types, and what it does to a trigger's row.

Only what the text says, without a catalog: bare names stay bare, since they mean what the caller's search path makes of
them. What they come to belongs to `body_names.py`, PL/pgSQL to `plpgsql_bodies.py`. A body that holds anything
which is not listed here is not understood, so that new syntax starts as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pglast import ast, enums, parse_sql

from penstock_core.sql.allowlists.functions import NUMBERING
from penstock_core.sql.allowlists.syntax_nodes import FORMERLY_FUNCTIONS
from penstock_core.sql.syntax.relation_names import relation_in
from penstock_core.sql.syntax.walk import below

# A name as a body has it: its schema, empty where it is bare, and itself.
Name = tuple[str, str]

_ROWS = frozenset({"new", "old"})
_BETWEEN = (">=", "<=", "<", ">")
_MOST_DEEP = 200
# The first argument says which setting a call of it changes.
_SETTING = "set_config"


class NotUnderstood(Exception):
    """The body has something that is not followed; the message says what, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One INSERT, UPDATE, DELETE or MERGE of a body."""

    relation: Name
    # What it may do: of insert, update, delete, truncate.
    actions: frozenset[str]
    # The columns that it sets in rows that are there.
    sets: frozenset[str] = frozenset()
    # How the statement calls its target, and by what it chooses rows; None where no row that is there changes.
    alias: str = ""
    where: ast.Node | None = None
    # What its target is joined with.
    sources: tuple[ast.Node, ...] = ()


@dataclass(slots=True)
class RowUse:
    """What a trigger's function does with NEW and OLD."""

    fields: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)
    # The row is used as a whole, so all of it may show; or NEW and OLD are only compared with each other.
    whole: bool = False
    compared: bool = False
    # Whether it may give another row in place of its trigger's.
    replaced: bool = False


@dataclass(slots=True)
class Body:
    """What was found in the body of one function. Shared once made: nobody may change it."""

    reads: set[Name] = field(default_factory=set)
    # Bare names that are a table of WITH in the same statement, or a relation of that name.
    perhaps_reads: set[str] = field(default_factory=set)
    writes: list[Write] = field(default_factory=list)
    # Verbs beyond those of `writes` and `reads`: update for rows that are locked, select for RETURNING.
    verbs: set[str] = field(default_factory=set)
    functions: set[Name] = field(default_factory=set)
    # Names behind a dot or of newer syntax, each a field or keyword unless the database has a function of that name.
    attributes: set[str] = field(default_factory=set)
    formerly: set[str] = field(default_factory=set)
    operators: set[Name] = field(default_factory=set)
    types: set[Name] = field(default_factory=set)
    # `relation%ROWTYPE`, `relation.column%TYPE`: the parts before the sign.
    types_of: set[tuple[str, ...]] = field(default_factory=set)
    # Words that must be of the names of types: schemas, types, relations.
    left: set[str] = field(default_factory=set)
    # Sequences that it takes or tells numbers of; one without a name where that is computed, or the session's last.
    sequences: set[Name] = field(default_factory=set)
    # Settings that it changes by set_config(), by name.
    settings: set[str] = field(default_factory=set)
    # It may change one for longer than its transaction.
    keeps: bool = False
    row: RowUse = field(default_factory=RowUse)
    # It ends transactions.
    commits: bool = False
    # Why it is not understood; empty if it is.
    unknown: str = ""


class BodyReader:
    """Walks the statements of a body and gathers what they name; raises NotUnderstood."""

    def __init__(self, body: Body) -> None:
        self.body = body
        # Names of tables of WITH in the statement that is being read.
        self._tables: frozenset[str] = frozenset()

    def text(self, text: str) -> None:
        """Whole statements."""
        for raw in parse_sql(text):
            self.statement(raw.stmt)

    def sql_body(self, body: Any) -> None:
        """What stands behind BEGIN ATOMIC, or RETURN and an expression."""
        if isinstance(body, tuple):
            for part in body:
                self.sql_body(part)
        elif isinstance(body, ast.ReturnStmt):
            self._scoped(body.returnval)
        elif body is not None:
            self.statement(body)

    def statement(self, node: Any) -> None:
        if isinstance(node, ast.CallStmt):
            self._scoped(node.funccall)
        elif isinstance(node, ast.TruncateStmt) and node.behavior != enums.DropBehavior.DROP_CASCADE:
            for relation in node.relations or ():
                self._write(relation, {"truncate"}, frozenset(), None)
        elif isinstance(node, _STATEMENTS):
            self._scoped(node)
        else:
            raise NotUnderstood(f"it runs {_words(type(node))}")

    def _scoped(self, node: Any) -> None:
        around = self._tables
        self._tables = frozenset(_with_tables(node))
        self.walk(node, 0)
        self._tables = around

    def walk(self, node: Any, depth: int) -> None:
        if isinstance(node, tuple):
            for part in node:
                self.walk(part, depth)
            return
        if not isinstance(node, ast.Node):
            return
        if depth > _MOST_DEEP:
            raise NotUnderstood("it is nested too deeply")
        kind = type(node)
        rule = _RULES.get(kind)
        if rule is not None:
            if getattr(self, rule)(node) is False:
                return
        elif kind not in _PLAIN:
            raise NotUnderstood(f"it uses {kind.__name__}")
        self.body.formerly |= FORMERLY_FUNCTIONS.get(kind, frozenset())
        for name in node:
            self.walk(getattr(node, name), depth + 1)

    # ---- statements. A rule that returns False has looked after the parts itself.

    def select(self, node: ast.SelectStmt) -> None:
        if node.intoClause is not None:
            raise NotUnderstood("it makes a table by SELECT INTO")
        if node.lockingClause:
            self.body.verbs.add("update")

    def insert(self, node: ast.InsertStmt) -> None:
        conflict = node.onConflictClause
        changes = _targets(conflict.targetList if conflict is not None else None)
        actions = {"insert", "update"} if changes else {"insert"}
        self._write(node.relation, actions, changes, None)
        self._returning(node if changes else None)

    def update(self, node: ast.UpdateStmt) -> None:
        self._write(node.relation, {"update"}, _targets(node.targetList), node.whereClause, node.fromClause)
        self._returning(node)

    def delete(self, node: ast.DeleteStmt) -> None:
        self._write(node.relation, {"delete"}, frozenset(), node.whereClause, node.usingClause)
        self._returning(node)

    def merge(self, node: ast.MergeStmt) -> None:
        actions: set[str] = set()
        sets: set[str] = set()
        for clause in node.mergeWhenClauses or ():
            action = _ACTIONS.get(clause.commandType)
            if action is not None:
                actions.add(action)
            if action == "update":
                sets |= _targets(clause.targetList)
            if clause.matchKind == enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_SOURCE and action is not None:
                self._write(node.relation, {action}, _targets(clause.targetList), clause.condition)
        self._write(node.relation, actions, frozenset(sets), node.joinCondition, (node.sourceRelation,))
        self._returning(node)

    def _write(
        self, target: ast.RangeVar | None, actions: set[str], sets: frozenset[str], where: ast.Node | None,
        sources: tuple[Any, ...] | None = None,
    ) -> None:  # fmt: skip
        if target is None or target.catalogname:
            raise NotUnderstood("it writes to what is not understood")
        name = (target.schemaname or "", target.relname or "")
        alias = target.alias.aliasname if target.alias is not None else None
        self.body.writes.append(Write(name, frozenset(actions), sets, alias or name[1], where, sources or ()))

    def _returning(self, node: Any) -> None:
        """Rows that were there are shown."""
        if node is not None and node.returningClause is not None:
            self.body.verbs.add("select")

    # ---- what stands in them

    def relation(self, node: ast.RangeVar) -> None:
        name = (node.schemaname or "", node.relname or "")
        if node.catalogname:
            raise NotUnderstood("it names a relation with its database")
        if not name[0] and name[1] in self._tables:
            self.body.perhaps_reads.add(name[1])
        else:
            self.body.reads.add(name)

    def target_statement(self, node: Any) -> bool:
        """The target is written to, and so is no source; all else is read."""
        getattr(self, _WRITES[type(node)])(node)
        for name in node:
            if name != "relation":
                self.walk(getattr(node, name), 1)
        return False

    def index_element(self, node: ast.IndexElem) -> None:
        if node.opclass or node.opclassopts:
            raise NotUnderstood("it names an operator class")

    def function(self, node: ast.FuncCall) -> None:
        *schema, name = idents(node.funcname)
        if len(schema) > 1:
            raise NotUnderstood("it names a function with its database")
        if name == _SETTING and schema in ([], ["pg_catalog"]):
            setting = _constant(node.args[0]) if node.args else None
            if setting is None:
                raise NotUnderstood("it changes a setting whose name it computes")
            self.body.settings.add(setting)
            local = node.args[2] if node.args and len(node.args) == 3 else None
            value = local.val if isinstance(local, ast.A_Const) else None
            self.body.keeps |= not (isinstance(value, ast.Boolean) and bool(value.boolval))
            return
        if name in NUMBERING:
            written = _constant(node.args[0]) if node.args else None
            self.body.sequences.add((relation_in(written) if written is not None else None) or ("", ""))
        self.body.functions.add((schema[0] if schema else "", name))

    def column(self, node: ast.ColumnRef) -> bool:
        fields = node.fields or ()
        names = idents(fields)
        star = isinstance(fields[-1], ast.A_Star)
        if names and names[0] in _ROWS:
            if len(names) == 1:
                self.body.row.whole = True
            else:
                self.body.row.fields.add(names[1])
        if len(names) > 1 and not star:
            self.body.attributes.update(names[1:])
        return False

    def indirection(self, node: ast.A_Indirection) -> None:
        self.body.attributes.update(idents(node.indirection))

    def operator(self, node: ast.A_Expr) -> bool:
        *schema, name = idents(node.name)
        places = _BETWEEN if name.replace(" ", "").isalpha() else (name,)
        self.body.operators.update((schema[0] if schema else "", one) for one in places)
        if node.kind in _DISTINCT and {_row_of(node.lexpr), _row_of(node.rexpr)} == _ROWS:
            self.body.row.compared = True
            return False
        return True

    def case(self, node: ast.CaseExpr) -> None:
        if node.arg is not None:
            self.body.operators.add(("", "="))

    def join(self, node: ast.JoinExpr) -> None:
        if node.isNatural or node.usingClause:
            self.body.operators.add(("", "="))

    def sublink(self, node: ast.SubLink) -> None:
        if node.testexpr is not None or node.operName:
            *schema, name = idents(node.operName) or ["="]
            self.body.operators.add((schema[0] if schema else "", name))

    def locking(self, _: ast.LockingClause) -> bool:
        """It names relations of the query by what they are called there."""
        return False

    def sort(self, node: ast.SortBy) -> None:
        if node.useOp:
            *schema, name = idents(node.useOp)
            self.body.operators.add((schema[0] if schema else "", name))

    def type(self, node: ast.TypeName) -> None:
        names = idents(node.names)
        if node.pct_type:
            self.body.types_of.add(tuple(names))
        elif node.setof or not 0 < len(names) <= 2:
            raise NotUnderstood("it names a type in a way that is not understood")
        else:
            self.body.types.add((names[0] if len(names) > 1 else "", names[-1]))


def idents(nodes: Any) -> list[str]:
    """The texts of a list of names."""
    return [node.sval or "" for node in nodes or () if isinstance(node, ast.String)]


def _targets(targets: Any) -> frozenset[str]:
    return frozenset(target.name or "" for target in targets or ())


def _row_of(node: Any) -> str:
    """`new` or `old` where the expression is that whole row: `NEW`, `NEW.*`, `ROW(NEW.*)`."""
    if isinstance(node, ast.RowExpr) and len(node.args or ()) == 1:
        (node,) = node.args or ()
    if not isinstance(node, ast.ColumnRef):
        return ""
    names, fields = idents(node.fields), node.fields or ()
    return names[0] if len(names) == 1 and (len(fields) == 1 or isinstance(fields[-1], ast.A_Star)) else ""


def _with_tables(node: Any) -> list[str]:
    return [one.ctename or "" for one in below(node) if isinstance(one, ast.CommonTableExpr)]


def _constant(node: Any) -> str | None:
    if isinstance(node, ast.TypeCast):
        return _constant(node.arg)
    value = node.val if isinstance(node, ast.A_Const) else None
    return value.sval if isinstance(value, ast.String) else None


def _words(kind: type) -> str:
    """`VariableSetStmt` as people call it."""
    name = kind.__name__.removesuffix("Stmt")
    return {"VariableSet": "SET", "CreateTableAs": "CREATE TABLE AS", "Do": "DO", "Copy": "COPY"}.get(
        name, "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip().upper()
    )


_STATEMENTS = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
_ACTIONS: dict[Any, str] = {
    enums.CmdType.CMD_INSERT: "insert",
    enums.CmdType.CMD_UPDATE: "update",
    enums.CmdType.CMD_DELETE: "delete",
}
_DISTINCT = (enums.A_Expr_Kind.AEXPR_DISTINCT, enums.A_Expr_Kind.AEXPR_NOT_DISTINCT)
_WRITES: dict[type[ast.Node], str] = {
    ast.InsertStmt: "insert",
    ast.UpdateStmt: "update",
    ast.DeleteStmt: "delete",
    ast.MergeStmt: "merge",
}
_RULES: dict[type[ast.Node], str] = {
    **dict.fromkeys(_WRITES, "target_statement"),
    ast.SelectStmt: "select",
    ast.RangeVar: "relation",
    ast.IndexElem: "index_element",
    ast.FuncCall: "function",
    ast.ColumnRef: "column",
    ast.A_Indirection: "indirection",
    ast.A_Expr: "operator",
    ast.CaseExpr: "case",
    ast.JoinExpr: "join",
    ast.LockingClause: "locking",
    ast.SubLink: "sublink",
    ast.SortBy: "sort",
    ast.TypeName: "type",
}
# Nothing but their parts matters.
_PLAIN: frozenset[type[ast.Node]] = frozenset(
    {
        ast.A_ArrayExpr, ast.A_Const, ast.A_Indices, ast.A_Star, ast.Alias, ast.BitString, ast.BoolExpr,
        ast.Boolean, ast.BooleanTest, ast.CTECycleClause, ast.CTESearchClause, ast.CaseWhen, ast.CoalesceExpr,
        ast.CollateClause, ast.ColumnDef, ast.CommonTableExpr, ast.CurrentOfExpr, ast.Float, ast.GroupingFunc,
        ast.GroupingSet, ast.InferClause, ast.Integer, ast.JsonAggConstructor, ast.JsonArgument,
        ast.JsonArrayAgg, ast.JsonArrayConstructor, ast.JsonArrayQueryConstructor, ast.JsonBehavior,
        ast.JsonFormat, ast.JsonFuncExpr, ast.JsonIsPredicate, ast.JsonKeyValue, ast.JsonObjectAgg,
        ast.JsonObjectConstructor, ast.JsonOutput, ast.JsonParseExpr, ast.JsonReturning, ast.JsonScalarExpr,
        ast.JsonSerializeExpr, ast.JsonTable, ast.JsonTableColumn, ast.JsonTablePathSpec, ast.JsonValueExpr,
        ast.MergeSupportFunc, ast.MergeWhenClause, ast.MinMaxExpr, ast.MultiAssignRef, ast.NamedArgExpr,
        ast.Node, ast.NullTest, ast.OnConflictClause, ast.ParamRef, ast.RangeFunction, ast.RangeSubselect,
        ast.RangeTableFunc, ast.RangeTableFuncCol, ast.ResTarget, ast.ReturningClause, ast.ReturningOption,
        ast.RowExpr, ast.SQLValueFunction, ast.SetToDefault, ast.String, ast.TypeCast, ast.WindowDef,
        ast.WithClause, ast.XmlExpr, ast.XmlSerialize,
    }
)  # fmt: skip
