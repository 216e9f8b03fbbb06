"""The kinds of references that a text is bound to: what it reads, writes, calls and sets, one object for each place.

They hold nodes of the text and what these were found to mean. Which of them is allowed, and what is put in its place,
is decided in `penstock_core.sql.authorize`, by one table of these kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pglast import ast

from penstock_core.sql.bind.name_resolution import Ambiguous, ResolvedRelation, ResolvedType
from penstock_core.sql.bind.scopes import Place, Scope, Source
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.syntax.constants import constant


@dataclass(slots=True, eq=False)
class Reference:
    """Something in a text that has to be authorized."""


# ---- relations and rows


@dataclass(slots=True, eq=False)
class RelationRead(Reference):
    """A relation in FROM. `resolved` is None where no catalog has it."""

    item: ast.RangeVar
    resolved: ResolvedRelation | Ambiguous | None
    source: Source


@dataclass(slots=True, eq=False)
class ViewWrittenOut(Reference):
    """A view in FROM whose definition goes in its place; what is in that is bound behind this."""

    relation: Relation
    source: Source
    definition: ast.SelectStmt


@dataclass(slots=True, eq=False)
class RelationCopied(Reference):
    """The relation of `COPY … TO`."""

    statement: ast.CopyStmt
    item: ast.RangeVar
    resolved: ResolvedRelation | Ambiguous | None


@dataclass(slots=True, eq=False)
class RelationLocked(Reference):
    """A relation of LOCK."""

    item: ast.RangeVar
    resolved: ResolvedRelation | Ambiguous | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement does to its target."""

    # What it is called, and what it does: of insert, update and delete those it may do.
    verb: str
    actions: frozenset[str]
    # The columns that it sets in rows that are there.
    sets: frozenset[str] = frozenset()
    # The columns that it gives new rows, where that is known.
    gives: frozenset[str] | None = None
    # By these columns, the values in each of the new rows that are written out.
    values: Mapping[str, Sequence[ast.Node]] = field(default_factory=dict, compare=False, repr=False)

    def constants(self, column: str) -> list[str | None]:
        """What the new rows have in that column, where it is a constant; nothing where that is not known. To read a
        constant binds the decision to it.
        """
        return [constant(one) if isinstance(one, ast.A_Const) else None for one in self.values.get(column, ())]


@dataclass(slots=True, eq=False)
class TargetWritten(Reference):
    """The relation that a statement writes to."""

    item: ast.RangeVar
    resolved: ResolvedRelation | Ambiguous | None
    source: Source
    effect: Effect
    # What its SET clauses hold.
    settings: tuple[ast.ResTarget, ...] = ()


@dataclass(slots=True, eq=False)
class FromLevel(Reference):
    """The sources of one FROM clause, or of one join: two of the same name are told apart by their schemas alone."""

    sources: list[Source]


@dataclass(slots=True, eq=False)
class WholeRow(Reference):
    """All columns of a source at once: its name used as a value, or a star that is not an output column."""

    source: Source


@dataclass(slots=True, eq=False)
class Stars(Reference):
    """A list of output columns with a star among them."""

    owner: ast.SelectStmt | ast.ReturningClause
    field: str
    scope: Scope


@dataclass(slots=True, eq=False)
class Sample(Reference):
    """TABLESAMPLE."""

    node: ast.RangeTableSample
    source: Source


@dataclass(slots=True, eq=False)
class TableFunction(Reference):
    """Functions in FROM, and where they stand; each is a `FunctionCall` besides."""

    item: ast.RangeFunction
    place: Place


@dataclass(slots=True, eq=False)
class Grouping(Reference):
    """A GROUP BY, in the scope of its query."""

    select: ast.SelectStmt
    scope: Scope


# ---- columns


@dataclass(slots=True, eq=False)
class ColumnRead(Reference):
    """A column. A bare name may have several owners at the level where it is found, or none that is known; `unsure`
    if a level within may have that column too.
    """

    node: ast.ColumnRef
    name: str
    owners: tuple[Source, ...]
    scope: Scope
    unsure: bool = False


@dataclass(slots=True, eq=False)
class SchemaQualifier(Reference):
    """`schema.table.column`: what is put in place of a relation has no schema. `nearer`: another source of that name
    would be found without it.
    """

    node: ast.ColumnRef
    source: Source
    nearer: bool


@dataclass(slots=True, eq=False)
class SystemColumn(Reference):
    """`ctid`, `xmin` and their kin; the source where it is named."""

    name: str
    source: Source | None = None


@dataclass(slots=True, eq=False)
class UnknownColumn(Reference):
    """A column that no source has, or not its `owner`."""

    node: ast.ColumnRef
    name: str
    scope: Scope
    owner: Source | None = None


@dataclass(slots=True, eq=False)
class UnknownSource(Reference):
    """`t.column`, where nothing is named t."""

    node: ast.ColumnRef
    name: str


# ---- code


@dataclass(slots=True, eq=False)
class FunctionCall(Reference):
    """A function by name. `form`: called; called as `(value).name`, which takes no schema; mentioned in a definition;
    renamed or dropped, so that a name that is denied could go.
    """

    names: tuple[str, ...]
    form: Literal["call", "field", "definition", "object"] = "call"
    node: ast.FuncCall | None = None
    scope: Scope | None = None


@dataclass(slots=True, eq=False)
class FormerFunction(Reference):
    """Syntax of newer servers that an older one reads as a call of a function."""

    name: str


@dataclass(slots=True, eq=False)
class OperatorUse(Reference):
    """An operator by name, written or implied."""

    names: tuple[str, ...]


@dataclass(slots=True, eq=False)
class TypeUse(Reference):
    """A type in a cast, a column list or a definition: its input function and its domain's checks are code."""

    node: ast.TypeName
    name: str
    resolved: ResolvedType | Ambiguous | None


@dataclass(slots=True, eq=False)
class ParameterType(Reference):
    """A type that the client declares for a parameter by its OID, which no text names; None: no catalog has it."""

    oid: int
    key: tuple[str, str] | None


@dataclass(slots=True, eq=False)
class SettingChange(Reference):
    """SET, RESET, or a call of set_config(); `written` is the setting's name where it is written out."""

    node: ast.VariableSetStmt | ast.FuncCall
    written: str | None


# ---- statements


@dataclass(slots=True, eq=False)
class VerbUse(Reference):
    """A verb of `allow` that the statement needs. `own`: its target, if a temporary table of the session's."""

    verb: str
    own: ast.RangeVar | None = None


@dataclass(slots=True, eq=False)
class RowChoice(Reference):
    """The condition by which a statement chooses the rows that it changes: the field of a node that holds it."""

    verb: str
    owner: ast.Node
    field: str
    target: TargetWritten


@dataclass(slots=True, eq=False)
class StatementUse(Reference):
    """A statement of a kind that has a rule of its own, before what is in it is bound; `after`: behind that."""

    node: ast.Node
    after: bool = False


@dataclass(slots=True, eq=False)
class RelationChanged(Reference):
    """A relation whose schema a statement changes, or whose statistics or rows it makes anew."""

    node: ast.Node
    item: ast.RangeVar
    resolved: ResolvedRelation | Ambiguous | None


@dataclass(slots=True, eq=False)
class RelationMade(Reference):
    """A view or sequence that comes to be; `resolved` is what has that name already."""

    item: ast.RangeVar
    resolved: ResolvedRelation | Ambiguous | None


@dataclass(slots=True, eq=False)
class ForeignKeyMade(Reference):
    """A foreign key that comes to be, and the relation that it points to."""

    constraint: ast.Constraint
    item: ast.RangeVar
    resolved: ResolvedRelation | Ambiguous | None


@dataclass(slots=True, eq=False)
class QueryKept(Reference):
    """The query of a view, behind all that is in it, and what it makes: nothing where the view may be there already."""

    query: ast.Node | None
    made: ast.RangeVar | None = None


@dataclass(slots=True, eq=False)
class RelationLiked(Reference):
    """A relation whose columns a new table has, and perhaps more of it: `CREATE TABLE … (LIKE …)`."""

    item: ast.RangeVar
    resolved: ResolvedRelation | Ambiguous | None


@dataclass(slots=True, eq=False)
class TableCreated(Reference):
    """A table that comes to be; `certainly`: it was not there before."""

    item: ast.RangeVar | None
    certainly: bool = True


@dataclass(slots=True, eq=False)
class TablePart(Reference):
    """A part of CREATE TABLE that refers to other objects, in words, and how to do without it."""

    what: str
    remedy: str


@dataclass(slots=True, eq=False)
class ObjectsDropped(Reference):
    """DROP. `temporary` if they are all temporary tables of the session's own; `nowhere` if it is IF EXISTS of names
    that nothing has; `unknown` if nothing is known to have one of the names.
    """

    node: ast.DropStmt
    names: tuple[tuple[str, ...], ...]
    temporary: bool
    nowhere: bool = False
    unknown: bool = False


@dataclass(slots=True, eq=False)
class ViewDefined(Reference):
    """A view that comes to be over one relation, so that it can be written through."""

    resolved: ResolvedRelation | Ambiguous | None


# ---- what was not bound


@dataclass(slots=True, eq=False)
class Unclaimed(Reference):
    """A node or field that no rule binds and no list knows to be inert."""

    node: ast.Node
    field: str = ""


@dataclass(slots=True, eq=False)
class Unbound(Reference):
    """Why binding ended before the end of the text, and what to write instead."""

    reason: str
    remedy: str
