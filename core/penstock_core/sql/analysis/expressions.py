"""Rules for what stands in expressions: columns, functions, operators, types. Queries around them: `queries.py`; which
functions, operators and types may be used at all: `callables.py`.

Trees are changed in place. Each rule is a method named for the kind of reference it looks after, so that the tests can
switch off one at a time and show that it is needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.functions import CONSTANT_CALLS
from penstock_core.sql.allowlists.settings import check_set_config
from penstock_core.sql.allowlists.syntax_nodes import FORMERLY_FUNCTIONS, LEAVES, TRANSPARENT
from penstock_core.sql.allowlists.system_relations import SYSTEM_COLUMNS
from penstock_core.sql.analysis.callables import CodeRules
from penstock_core.sql.analysis.facts import Facts
from penstock_core.sql.analysis.function_calls import user_function
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.refusal import Refused, refused, unknown
from penstock_core.sql.resolve.name_resolution import Names
from penstock_core.sql.resolve.scopes import Scope, Source
from penstock_core.sql.syntax.walk import below

# Types that have been keywords only since PostgreSQL 17: to an older server they are names like any other.
_KEYWORD_TYPES = frozenset({"json"})
# What `BETWEEN` and its kin compare by.
_BETWEEN = (">=", "<=", "<", ">")


def idents(nodes: Sequence[Any] | None) -> list[str]:
    """The texts of a list of names."""
    return [node.sval or "" for node in nodes or () if isinstance(node, ast.String)]


@lru_cache(maxsize=4096)
def strings(*names: str) -> tuple[ast.String, ...]:
    """A list of names as the syntax tree holds it. Shared: nobody may change it."""
    return tuple(ast.String(sval=name) for name in names)


class ExpressionRules(CodeRules, ABC):
    """Walks expressions in their scope; refuses by raising, collects in `facts`, changes names in place."""

    def __init__(self, governed: Governed, names: Names, facts: Facts) -> None:
        super().__init__(governed, names, facts)
        self._rules: dict[type[ast.Node], Callable[[Any, Scope], None]] = {
            ast.ColumnRef: self.column_reference,
            ast.A_Indirection: self.field_selection,
            ast.FuncCall: self.function_call,
            ast.A_Expr: self.operator_expression,
            ast.SubLink: self.sublink,
            ast.TypeCast: self.parts,
            ast.TypeName: self.type_name,
            ast.CollateClause: self.collate,
            ast.SortBy: self.sort,
            ast.CaseExpr: self.case,
            ast.JsonArrayQueryConstructor: self.json_array_of_query,
        }

    @abstractmethod
    def query(self, select: ast.Node | None, around: Scope) -> tuple[str, ...] | None:
        """Analyse a whole query whose outer scope is `around`; returns its output columns."""

    @abstractmethod
    def target_column(self, node: ast.ColumnRef, source: Source, name: str) -> None:
        """A column of a governed relation that a statement writes to: its mask has to stand there, if it has one."""

    def expression(self, node: Any, scope: Scope) -> None:
        """Look after whatever stands there: nothing, a node, a list of nodes."""
        if node is None:
            return
        if isinstance(node, tuple):
            for part in node:
                self.expression(part, scope)
            return
        kind = type(node)
        rule = self._rules.get(kind)
        if rule is not None:
            rule(node, scope)
        elif kind in TRANSPARENT:
            self.former_function(kind)
            self.parts(node, scope)
        elif kind not in LEAVES:
            raise refused(f"{_construct(kind)} is not understood here", "write the statement without it")

    def former_function(self, kind: type[ast.Node]) -> None:
        """What an older server would take for a call of the user's function."""
        for name in FORMERLY_FUNCTIONS.get(kind, ()):
            if self.masked and name in self.catalog.user_functions:
                raise user_function(name)

    def parts(self, node: ast.Node, scope: Scope) -> None:
        """Each part of a node that needs no more than that."""
        for name in node:
            value = getattr(node, name)
            if isinstance(value, (ast.Node, tuple)):
                self.expression(value, scope)

    # ---- columns

    def column_reference(self, node: ast.ColumnRef, scope: Scope) -> None:
        fields = node.fields or ()
        star = isinstance(fields[-1], ast.A_Star)
        *qualifiers, name = [*idents(fields), *(["*"] if star else [])]
        if not qualifiers:
            if star:
                for source in scope.sources:
                    self.whole_row(source)
            else:
                self._bare_column(node, name, scope)
            return
        owner = self._qualified_source(node, qualifiers, scope)
        if owner is None:
            return
        if star:
            self.whole_row(owner)
        elif name in owner.hidden:
            raise hidden_column(name)
        elif owner.has(name) is not True:
            self.attribute(name, owner)
        elif owner.target is not None:
            self.target_column(node, owner, name)

    def _bare_column(self, node: ast.ColumnRef, name: str, scope: Scope) -> None:
        indexes = [level.index for level in scope.levels()]
        if any(name in index.hidden for index in indexes):
            raise hidden_column(name)
        if any(name in index.columns for index in indexes):
            self.owned_column(node, name, scope)
            return
        if name in SYSTEM_COLUMNS:
            self.facts.system_column = name
            return
        for source in scope.find(name):
            self.whole_row(source)
            return
        if not any(index.open for index in indexes) and not any(name in level.outputs for level in scope.levels()):
            self.facts.unknown_column = name

    def owned_column(self, node: ast.ColumnRef, name: str, scope: Scope) -> None:
        """A bare name that some source has as a column: whose it is matters where that is a statement's target."""
        unsure = False
        for level in scope.levels():
            index = level.index
            unsure = unsure or index.open or name in level.outputs
            owners = index.columns.get(name, ())
            targets = [owner for owner in owners if owner.target is not None]
            if targets and (unsure or len(owners) > 1) and self.is_masked(targets[0], name):
                raise refused(
                    f"it can't be told which column {name} means, and one of that name is masked",
                    f"write it with the name of its table, as in {targets[0].name}.{name}",
                )
            if targets:
                self.target_column(node, targets[0], name)
            if owners:
                return

    def is_masked(self, source: Source, name: str) -> bool:
        """Whether that column of a statement's target is masked."""
        column = source.target.column(name) if source.target is not None else None
        return (
            column is not None and source.target is not None and self.governed.mask(source.target, column) is not None
        )

    def _qualified_source(self, node: ast.ColumnRef, qualifiers: list[str], scope: Scope) -> Source | None:
        """The source that `t.` or `schema.t.` means; None where the server will find none."""
        table, schema = qualifiers[-1], qualifiers[-2] if len(qualifiers) > 1 else ""
        found = scope.find(table, schema)
        if not found:
            if self.masked:
                raise _missing_source(table)
            return None
        source = found[0]
        if schema:
            self.strip_schema(node, source, scope)
        return source

    def strip_schema(self, node: ast.ColumnRef, source: Source, scope: Scope) -> None:
        """`schema.t.c` to `t.c`: what stands in place of the relation has no schema."""
        if scope.find(source.name)[0] is not source:
            raise refused(
                f"{source.schema}.{source.name} is named by its schema where another {source.name} is nearer",
                "give one of the two an alias and name it by that",
            )
        node.fields = (*strings(source.name), (node.fields or ())[-1])

    def whole_row(self, source: Source) -> None:
        """All columns at once, by `*` or by the source's name as a value."""
        if source.hidden:
            raise refused(
                f"{source.name} may not be read as a whole: it has columns that may not be read"
                f" ({', '.join(sorted(source.hidden))})",
                "name the columns you need",
            )
        for member in source.members:
            self.whole_row(member)
        if self.masked and source.relation is not None:
            self.known_row(source)

    @abstractmethod
    def known_row(self, source: Source) -> None:
        """A whole row of a relation: no more of it than is known may show."""

    def attribute(self, name: str, source: Source) -> None:
        """`t.name` where t has no such column (that is known): the server calls the function `name` with the row."""
        if name in SYSTEM_COLUMNS:
            self.facts.system_column = name
        elif self.is_function(name):
            self.whole_row(source)
            self.called_by_dot(name)
        elif source.columns is not None:
            self.facts.unknown_column = f"{source.name}.{name}"

    def field_selection(self, node: ast.A_Indirection, scope: Scope) -> None:
        """`(value).name`: a field, or else a function called with the value."""
        self.expression(node.arg, scope)
        owner = self._row_source(node.arg, scope)
        for step in node.indirection or ():
            if isinstance(step, ast.String):
                name = step.sval or ""
                known = owner is not None and owner.has(name) is True
                if owner is not None and name in owner.hidden:
                    raise hidden_column(name)
                if name in SYSTEM_COLUMNS:
                    self.facts.system_column = name
                elif not known and self.is_function(name):
                    self.called_by_dot(name)
            else:
                self.expression(step, scope)
            owner = None

    def called_by_dot(self, name: str) -> None:
        """A function that is called as if it were a field. It can't be written with its schema, so that one of the
        user's own of that name is the one that the server finds for a row of the user's own.
        """
        if self.masked and name in self.catalog.user_functions:
            self.denied_function((name,))
            self.own_function("", name)
            if name not in self.catalog.system_functions:
                return
        self.called_function((name,))
        self.named_function((name,))

    @staticmethod
    def _row_source(node: ast.Node | None, scope: Scope) -> Source | None:
        """The source whose whole row that expression is, if it is one: a column of the same name comes first."""
        if not isinstance(node, ast.ColumnRef):
            return None
        names = idents(node.fields)
        if len(names) != 1 or any(level.index.open or names[0] in level.index.columns for level in scope.levels()):
            return None
        found = scope.find(names[0])
        return found[0] if found else None

    # ---- functions

    def function_call(self, node: ast.FuncCall, scope: Scope) -> None:
        names = tuple(idents(node.funcname))
        if names[-1] == "set_config":
            self.denied_function(names)
            if check_set_config(node, self.bounds):
                self.facts.changes_search_path = True
                self.facts.resets_search_path = False
        elif self.masked and self.constant_call(names, node):
            node.funcname = strings("pg_catalog", names[-1])
        else:
            self.called_function(names)
            pinned = self.named_function(names)
            if pinned != names:
                node.funcname = strings(*pinned)
        self.parts(node, scope)

    def constant_call(self, names: tuple[str, ...], node: ast.FuncCall) -> bool:
        """A lock or a pause that no value of any row has part in."""
        *schema, name = names
        if name not in CONSTANT_CALLS or schema not in ([], ["pg_catalog"]) or self.catalog.user_functions.get(name):
            return False
        self.denied_function(names)
        if any(isinstance(one, (ast.ColumnRef, ast.SubLink)) for one in below(node.args)):
            raise refused(
                f"function {name} may be called with constants and parameters alone where columns are masked",
                "read the value first, and send it as a parameter",
            )
        self.facts.writes = True
        return True

    # ---- operators and types

    def operator_expression(self, node: ast.A_Expr, scope: Scope) -> None:
        names = tuple(idents(node.name))
        for name in _BETWEEN if _is_word(names[-1]) else (names[-1],):
            self.operator((*names[:-1], name))
        self.expression(node.lexpr, scope)
        self.expression(node.rexpr, scope)

    def case(self, node: ast.CaseExpr, scope: Scope) -> None:
        if node.arg is not None:
            self.operator(("=",))
        self.parts(node, scope)

    def json_array_of_query(self, node: ast.JsonArrayQueryConstructor, scope: Scope) -> None:
        self.former_function(type(node))
        self.query(node.query, scope.inner())
        self.expression(node.output, scope)

    def sort(self, node: ast.SortBy, scope: Scope) -> None:
        self.operator(tuple(idents(node.useOp)))
        self.expression(node.node, scope)

    def collate(self, node: ast.CollateClause, scope: Scope) -> None:
        """A collation orders what it is given and reads nothing."""
        self.expression(node.arg, scope)

    def type_name(self, node: ast.TypeName, scope: Scope) -> None:
        """A type in a cast or column list: its input function, domain checks and casts are code that runs."""
        self.expression(node.typmods, scope)
        names = idents(node.names)
        if not self.masked:
            self.type_unseen(names[-2] if len(names) > 1 else "", names[-1])
            return
        if node.pct_type or node.setof or len(names) > 2:
            raise refused(f"type {'.'.join(names)} is written in a way that is not understood", "name the type plainly")
        name = names[-1]
        if len(names) == 2:
            schema, ambiguous = names[0], False
        else:
            schema, ambiguous = self.names.type(name)
        self.check_type(schema, name)
        if ambiguous or (name in _KEYWORD_TYPES and name in self.catalog.user_types):
            self.facts.pinned = True
            node.names = strings(schema, name)

    # ---- queries inside expressions

    def sublink(self, node: ast.SubLink, scope: Scope) -> None:
        self.expression(node.testexpr, scope)
        self.operator(tuple(idents(node.operName)) or (("=",) if node.testexpr is not None else ()))
        self.query(node.subselect, scope.inner())


def _construct(kind: type[ast.Node]) -> str:
    """The construct as people call it, where they have a name for it."""
    return {"CurrentOfExpr": "WHERE CURRENT OF", "MergeSupportFunc": "MERGE_ACTION()"}.get(kind.__name__, kind.__name__)


def _is_word(name: str) -> bool:
    """BETWEEN and its kin, whose node's name is the keyword."""
    return name.replace(" ", "").isalpha()


def _missing_source(name: str) -> Refused:
    return unknown(f'missing FROM-clause entry for table "{name}"', "42P01")


def hidden_column(name: str) -> Refused:
    """A column of a system catalog that must not be read."""
    return refused(f"column {name} may not be read", "it can show values or sizes of what is masked; leave it out")
