"""Rules for utility statements: what prepares and pages through queries, explains them, and changes the schema.

For identities that something is masked for, only what computes queries passes (rewritten like any query), and tables
that hold what they read; for others also what their policies' verbs allow, by the table in `statement_kinds.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.statement_kinds import CODE, OWN, VERB_OF, kind_of
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.analysis.expressions import idents, strings
from penstock_core.sql.analysis.writes import WriteRules
from penstock_core.sql.refusal import not_supported, refused
from penstock_core.sql.resolve.scopes import Scope, Source
from penstock_core.sql.syntax.walk import below

_TEMPORARY = "pg_temp"
_SERIAL = words("serial serial2 serial4 serial8 smallserial bigserial")
_HOLD = 0x0020  # CURSOR_OPT_HOLD
# What DROP may remove for identities that something is masked for: nothing that other things are checked by.
_DROPPED = frozenset(
    {
        enums.ObjectType.OBJECT_TABLE,
        enums.ObjectType.OBJECT_VIEW,
        enums.ObjectType.OBJECT_MATVIEW,
        enums.ObjectType.OBJECT_INDEX,
        enums.ObjectType.OBJECT_SEQUENCE,
    }
)
_OWN_CONSTRAINTS = frozenset(
    {
        enums.ConstrType.CONSTR_NULL,
        enums.ConstrType.CONSTR_NOTNULL,
        enums.ConstrType.CONSTR_DEFAULT,
        enums.ConstrType.CONSTR_IDENTITY,
        enums.ConstrType.CONSTR_GENERATED,
        enums.ConstrType.CONSTR_CHECK,
        enums.ConstrType.CONSTR_PRIMARY,
        enums.ConstrType.CONSTR_UNIQUE,
        enums.ConstrType.CONSTR_ATTR_DEFERRABLE,
        enums.ConstrType.CONSTR_ATTR_NOT_DEFERRABLE,
        enums.ConstrType.CONSTR_ATTR_DEFERRED,
        enums.ConstrType.CONSTR_ATTR_IMMEDIATE,
    }
)


class UtilityRules(WriteRules):
    """Adds the utility statements to the rules for queries and writing ones."""

    @abstractmethod
    def inner(self, node: ast.Node | None) -> None:
        """A statement inside another, by the rules for whole ones. Raises Refused."""

    # ---- queries that are kept and run in parts

    def prepare(self, node: ast.PrepareStmt) -> None:
        self.facts.prepares.append(node.name or "")
        self.expression(node.argtypes, Scope())
        self.inner(node.query)

    def execute(self, node: ast.ExecuteStmt) -> None:
        """What it runs was decided when it was prepared; what it says may be about governed data."""
        self.facts.executes.append(node.name or "")
        self.expression(node.params, Scope())
        self.facts.writes = True
        self.facts.touched |= self.masked

    def declare(self, node: ast.DeclareCursorStmt) -> None:
        self.facts.declares.append((node.portalname or "", bool((node.options or 0) & _HOLD)))
        self.inner(node.query)

    def fetch(self, node: ast.FetchStmt) -> None:
        self.facts.fetches.append(node.portalname or "")
        self.facts.writes |= not self.masked
        self.facts.touched |= self.masked

    def deallocate(self, node: ast.DeallocateStmt) -> None:
        self.facts.deallocates.append(node.name or "*")

    def close(self, node: ast.ClosePortalStmt) -> None:
        self.facts.closes.append(node.portalname or "*")

    def explain(self, node: ast.ExplainStmt) -> None:
        self.inner(node.query)
        if self.facts.touched:
            raise refused(
                "EXPLAIN of what reads masked columns is not allowed: it shows statistics of what is stored",
                "run the statement itself",
            )

    # ---- tables that hold what a query read

    def create_table_as(self, node: ast.CreateTableAsStmt) -> None:
        if node.objtype != enums.ObjectType.OBJECT_TABLE:
            self.schema_change(node)
        elif node.into is not None:
            self.created(node.into.rel)
        self.inner(node.query)

    def select_into(self, node: ast.SelectStmt) -> None:
        into, node.intoClause = node.intoClause, None
        if into is not None:
            self.created(into.rel)
        self.query(node, Scope())
        node.intoClause = into

    def created(self, table: ast.RangeVar | None) -> None:
        """A table of that name comes to be: a temporary one is the session's own, any other needs the verb."""
        self.facts.writes = True
        self.eventless()
        if table is None or not (table.relpersistence == "t" or table.schemaname == _TEMPORARY):
            self.allowed("create")
            return
        # Under its bare name alone: a schema that another session could reach is none.
        self.facts.temporary.add(table.relname or "")

    def eventless(self) -> None:
        """Refuses what would run an event trigger's code, which could read masked columns."""
        if self.masked and self.catalog.event_functions:
            function = self.catalog.event_functions[0]
            raise refused(
                f"tables can't come or go: that runs code of the database's own ({function}) which could read masked"
                " columns",
                "read with WITH or a subquery instead",
            )

    def create_table(self, node: ast.CreateStmt) -> None:
        self.created(node.relation)
        if not self.masked:
            self._parts(list(below(node)))
            return
        if node.inhRelations or node.partbound or node.partspec or node.ofTypename or node.accessMethod:
            raise not_supported("CREATE TABLE with INHERITS, PARTITION, OF or USING", "name the columns themselves")
        columns = tuple(one.colname or "" for one in node.tableElts or () if isinstance(one, ast.ColumnDef))
        scope = Scope([Source(node.relation.relname or "" if node.relation else "", columns)])
        for element in (*(node.tableElts or ()), *(node.constraints or ())):
            self._table_element(element, scope)

    def _table_element(self, element: Any, scope: Scope) -> None:
        if isinstance(element, ast.Constraint):
            if element.contype not in _OWN_CONSTRAINTS:
                raise not_supported("CREATE TABLE with FOREIGN KEY or EXCLUDE", "leave the constraint out")
            self.expression(element.raw_expr, scope)
            return
        if not isinstance(element, ast.ColumnDef):
            raise not_supported("CREATE TABLE … LIKE", "name the columns themselves")
        if not self._is_serial(element.typeName):
            self.expression(element.typeName, scope)
        self.expression(element.raw_default, scope)
        for constraint in element.constraints or ():
            self._table_element(constraint, scope)

    def _is_serial(self, node: ast.TypeName | None) -> bool:
        """What looks like a type and is a number with a sequence of its own, whatever types there are."""
        return node is not None and len(names := idents(node.names)) == 1 and names[0] in _SERIAL

    def drop(self, node: ast.DropStmt) -> None:
        """The session's own temporary tables go without a verb."""
        self.facts.writes = True
        self.eventless()
        names = [tuple(idents(one)) for one in node.objects or () if isinstance(one, tuple)]
        if names and node.removeType == enums.ObjectType.OBJECT_TABLE and all(map(self._is_temporary, names)):
            node.objects = tuple(strings(_TEMPORARY, name[-1]) for name in names)
            self.facts.pinned = True
            return
        self.allowed("drop")
        if self.masked:
            if node.removeType not in _DROPPED:
                raise not_supported("DROP of that kind of object", "ask the database's owner to do it")
            if node.behavior == enums.DropBehavior.DROP_CASCADE:
                raise refused("DROP … CASCADE removes what is not named", "name it all")
            for name in names:
                self.droppable(name)
        self._note(names)

    def droppable(self, name: tuple[str, ...]) -> None:
        """Refuses what masks spread through: without a foreign key, say, its other end would show."""
        for relation in self.names.named.get(name[-1], ()):
            if name[-2:-1] in ((), (relation.schema,)) and self.governed.governs(relation):
                raise refused(
                    f"{relation.schema}.{relation.name} has masked columns, and others may be masked because of it",
                    "have it dropped by somebody for whom nothing is masked",
                )

    def _is_temporary(self, name: tuple[str, ...]) -> bool:
        if name[:-1] == (_TEMPORARY,):
            return True
        known = name[0] in self.names.temporary and name[0] not in self.names.named
        return len(name) == 1 and known

    def truncate(self, node: ast.TruncateStmt) -> None:
        self.allowed("truncate")
        self.facts.writes = True
        if self.masked and node.behavior == enums.DropBehavior.DROP_CASCADE:
            raise refused("TRUNCATE … CASCADE empties tables that are not named", "name them all")
        for relation in node.relations or ():
            self.truncated(relation)

    def call(self, node: ast.CallStmt) -> None:
        """A procedure is held to what it does, like a function."""
        self.facts.writes = True
        *schema, name = idents(node.funccall.funcname if node.funccall is not None else ())
        if name not in self.catalog.user_functions or schema == [_TEMPORARY]:
            self.facts.changes_search_path = True
        self.expression(node.funccall, Scope())

    # ---- what only the schema's own changes, for identities without masks

    def schema_change(self, node: ast.Node) -> None:
        """By the policy's verbs, where nothing is masked. Raises Refused."""
        kind = kind_of(node)
        self.facts.writes = True
        if kind is None:
            raise not_supported(_in_words(type(node)), "ask the database's owner to do it")
        if self.masked:
            raise refused(
                f"{kind.name} is not allowed where columns are masked: it could show them, or take the masks off",
                kind.remedy,
            )
        if type(node) in CODE:
            self.own_code(kind)
            self.facts.changes_search_path |= isinstance(node, ast.DoStmt)
        elif type(node) not in OWN:
            self.allowed(VERB_OF[type(node)])
        parts = list(below(node))
        self._note(
            [tuple(filter(None, (one.schemaname, one.relname))) for one in parts if isinstance(one, ast.RangeVar)]
        )
        self._parts(parts)

    def _parts(self, parts: list[ast.Node]) -> None:
        """What runs later, whenever what is made here is used, keeps to the same rules."""
        for part in parts:
            match part:
                case ast.CreateSchemaStmt():
                    for element in part.schemaElts or ():
                        self.inner(element)
                case ast.FuncCall():
                    self.named_function(tuple(idents(part.funcname)))
                case ast.ObjectWithArgs():
                    # Under another name it would be denied no longer.
                    self.denied_function(tuple(idents(part.objname)))
                case ast.A_Indirection():
                    self._called_by_dot(idents(part.indirection))
                case ast.ColumnRef():
                    self._called_by_dot(idents(part.fields)[1:])
                case ast.ViewStmt():
                    self._view(part.query)
                case ast.SubLink():
                    self.query(part.subselect, Scope())

    def _view(self, query: ast.Node | None) -> None:
        """A view of one relation can be written to, and so what it shows: not before the gate knows it."""
        if isinstance(query, ast.SelectStmt) and len(query.fromClause or ()) == 1:
            computed = query.withClause or query.distinctClause or query.groupClause or query.limitCount
            (item,) = query.fromClause or ()
            if isinstance(item, ast.RangeVar) and not computed:
                self._passed_on(item)
        self.query(query, Scope())

    def _passed_on(self, item: ast.RangeVar) -> None:
        meaning = self.names.relation(item)
        if meaning is None or meaning.temporary:
            return
        if meaning.relation is None:
            raise refused(
                f"a view of {meaning.schema}.{meaning.name} could be used to change it",
                "read it itself, or make the view of what is DISTINCT",
            )
        self.ends_here(meaning.relation)

    def _called_by_dot(self, names: list[str]) -> None:
        """Names behind a dot: each a field, or else a function."""
        for name in filter(self.is_function, names):
            self.called_by_dot(name)

    def _note(self, names: list[tuple[str, ...]]) -> None:
        """Which known relations the statement names, for the record."""
        for name in names:
            schemas = name[-2:-1] or tuple(self.names.search_path or ())
            found = next((key for schema in schemas if (key := (schema, name[-1])) in self.catalog.relations), None)
            if found is not None:
                self.facts.relations.add(found)


def _in_words(kind: type[ast.Node]) -> str:
    """`AlterTableStmt` as ALTER TABLE."""
    name = kind.__name__.removesuffix("Stmt")
    name = {"Createdb": "CreateDatabase", "Dropdb": "DropDatabase"}.get(name, name)
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip().upper()
