"""A snapshot of what a database holds, as far as decisions need it: relations, columns, and what derives from what.

The sidecar reads it from the server (`penstock_sidecar.proxy.catalog`); tests and `penstock check` load it from JSON.
No SQL and no policy belongs here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from penstock_core.sql.allowlists.functions import FUNCTIONS
from penstock_core.sql.catalog.overview import Overview

# pg_class.relkind: table, partitioned table, view, materialized view, foreign table, sequence.
RelationKind = Literal["r", "p", "v", "m", "f", "S"]
# pg_constraint.contype (primary key, unique, exclusion, check, foreign key), and what else binds columns: a unique
# index (i), the expression or predicate of one that is not (e), a partition key (k), a generated column (g).
ConstraintKind = Literal["p", "u", "x", "c", "f", "i", "e", "k", "g"]
_CONSTRAINT_WORDS: dict[ConstraintKind, str] = {
    "p": "primary key",
    "u": "unique constraint",
    "x": "exclusion constraint",
    "c": "constraint",
    "f": "foreign key",
    "i": "unique index",
    "e": "index",
    "k": "partition key",
    "g": "generated column",
}
RelationName = tuple[str, str]
ColumnName = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Column:
    """One live column (pg_attribute), in attnum order within its relation."""

    name: str
    # The type as SQL that means the same under any search_path: `pg_catalog.text`, `public.citext`.
    type_name: str
    # The base type's name after domains are resolved, in the same form; equal to type_name for other types.
    base_type: str
    # The type with its modifier, as SQL for a cast: `pg_catalog.varchar(20)`, `pg_catalog.numeric(10,2)`.
    type_sql: str
    # pg_type.typcategory of the base type: S string, N numeric, D date/time, B boolean, U user-defined, A array, …
    category: str
    not_null: bool = False
    # The qualified collation where the column has one that is not the type's default; else None.
    collation: str | None = None
    # True for GENERATED ALWAYS AS (…) columns; the columns they are computed from are in `derives_from`.
    generated: bool = False
    # Columns elsewhere whose values show in this one: a view's or generated column's inputs, a foreign key's other
    # end, an inheritance parent's column. Closure over these is what spreads governance.
    derives_from: frozenset[ColumnName] = frozenset()
    # Those of `derives_from` whose values show here unchanged, so that the same mask fits; of the others something is
    # computed, and only a mask that does not look at the value is safe.
    copies: frozenset[ColumnName] = frozenset()
    # True where reading it computes something that may fail for some values: of views and virtual generated columns.
    fallible: bool = False
    # True where the base type is the one of the extension citext: text that is compared without regard to case.
    citext: bool = False
    # The base type with its modifier, as SQL for a cast; empty where it is type_sql (every type but domains).
    base_type_sql: str = ""
    # True where its default may tell in which order rows got it: a sequence's number, the time, a function's value.
    telling_default: bool = False

    @property
    def cast_type(self) -> str:
        """The type a mask is cast to: a domain's base type, since a mask may break the domain's own checks."""
        return self.base_type_sql or (self.type_sql if self.type_name == self.base_type else self.base_type)


@dataclass(frozen=True, slots=True)
class Condition:
    """What every row in a partial index has in one column: a value, which where the `values` are known is one of these;
    or none.
    """

    column: str
    values: frozenset[str] | None
    is_null: bool = False


@dataclass(frozen=True, slots=True)
class Constraint:
    """Columns of one relation that are bound together: writing one of them asks a question about the others."""

    kind: ConstraintKind
    columns: frozenset[str]
    # False for one that rows which are there may break (NOT VALID, or an expression that depends on the time or on a
    # setting): any change of such a row may fail.
    validated: bool = True
    # What it is called: for a generated column the column's name, for partition keys and partitions' bounds nothing.
    name: str = ""
    # Any of these, left out of a new row, is NULL or its default, and keeps the row from being compared with others.
    spared_without: frozenset[str] = frozenset()
    # Of a partial index: any of these that a new row does not meet does so, too.
    conditions: tuple[Condition, ...] = ()
    # The columns by whose equality it takes rows for the same; empty where it compares them in another way.
    equal_by: frozenset[str] = frozenset()

    @property
    def compares_rows(self) -> bool:
        """Whether a new row is held against rows that are there already, in this relation or another."""
        return self.kind not in ("c", "e", "k", "g")

    @property
    def described(self) -> str:
        """What it is and what it is called, for a message."""
        if not self.name:
            return "its partition key" if self.kind == "k" else "the bounds of the partition"
        return f"{_CONSTRAINT_WORDS[self.kind]} {self.name}"


@dataclass(frozen=True, slots=True)
class Index:
    """An index by which the server may fetch rows, and so in whose order they may come."""

    name: str
    # What decides the order: the columns of its key, its expressions and its predicate, not those it only includes.
    columns: frozenset[str]
    # Whether CLUSTER brought the rows themselves into its order.
    clustered: bool = False


@dataclass(frozen=True, slots=True)
class Cascade:
    """A foreign key that follows changes here: it deletes or changes the rows that refer to one, elsewhere or here."""

    relation: RelationName
    # The columns here that it refers to.
    columns: frozenset[str]
    on_delete: bool
    on_update: bool
    # The columns there that refer to them, and change.
    changes: frozenset[str] = frozenset()


# The language of the functions that the server makes with each range type.
RANGE_CONSTRUCTOR = "range constructor"


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter of a function: in, out or both (pg_proc.proargmodes), its name (may be empty) and type."""

    mode: Literal["i", "o", "b", "v", "t"]
    name: str
    type: RelationName


@dataclass(frozen=True, slots=True)
class Routine:
    """One function, procedure, aggregate or window function outside of pg_catalog; overloads are several of these."""

    schema: str
    name: str
    # pg_proc.prokind: function, procedure, aggregate, window function.
    kind: Literal["f", "p", "a", "w"]
    language: str
    # What its author wrote, for the languages that are read here; empty for others.
    source: str = ""
    # `BEGIN ATOMIC …` or `RETURN …`, as the server prints it qualified; empty for a body that is a string.
    parsed: str = ""
    # What it claims about itself (pg_proc.provolatile), which the planner goes by.
    volatility: Literal["i", "s", "v"] = "v"
    returns_set: bool = False
    returns: RelationName = ("pg_catalog", "void")
    arguments: tuple[Argument, ...] = ()
    # Expressions for arguments that a call leaves out, as the server prints them.
    defaults: str = ""
    # The SET clauses: `search_path=app, pg_temp`.
    settings: tuple[str, ...] = ()
    extension: str | None = None
    # Of an aggregate: the functions that it is made of.
    parts: tuple[RelationName, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger of a relation that is not switched off."""

    function: RelationName
    # As the server prints it.
    definition: str


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation of the user's (not of pg_catalog or information_schema)."""

    schema: str
    name: str
    kind: RelationKind
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    # Columns that foreign keys point to: whether a row may go depends on who holds their values.
    referenced: frozenset[str] = frozenset()
    # Relations this one inherits from or is a partition of.
    parents: tuple[RelationName, ...] = ()
    # Columns read anywhere in a view's definition, also where no column of them shows (a WHERE, say).
    reads: frozenset[ColumnName] = frozenset()
    # Columns that decide which rows show or in what order: those of a view's WHERE, joins, GROUP BY, DISTINCT, …, those
    # a row security policy reads, and the key by which a partition got its rows. No mask on what shows can hide them.
    filters: frozenset[ColumnName] = frozenset()
    # Columns that something is computed from, and may fail, whatever is asked of this view: not so in views that the
    # planner merges into the query around.
    evaluated: frozenset[ColumnName] = frozenset()
    # Relations that a view's definition or a row security policy reads.
    sources: frozenset[RelationName] = frozenset()
    # A view's definition as the server prints it with every name qualified; else empty.
    definition: str = ""
    # What a view's definition or a row security policy uses of the system's own that masked identities may not use
    # themselves (statistics, functions that run SQL), in words.
    hazards: tuple[str, ...] = ()
    # Functions of the user's (`schema.name`) that run when this is read (views, policies, generated columns), and
    # those that run besides when it is written to (checks, index expressions). What is no function but runs code of the
    # user's, such as a domain, stands there in words (`type public.code`).
    calls: tuple[str, ...] = ()
    write_calls: tuple[str, ...] = ()
    # Those that compute a default: no column is known to them.
    default_calls: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    cascades: tuple[Cascade, ...] = ()
    # Whether writing to this view may write to a relation of the system's own.
    passes_on: bool = False
    has_triggers: bool = False
    has_rules: bool = False
    has_row_security: bool = False
    # Whether this is a view that keeps the conditions of queries over it outside: it is never merged into these.
    security_barrier: bool = False

    @property
    def key(self) -> RelationName:
        return (self.schema, self.name)

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Catalog:
    """All relations of one database at one moment.

    `generation` counts the refreshes of one running proxy and keys the decision cache.
    """

    relations: dict[RelationName, Relation] = field(default_factory=dict)
    # pg_settings.search_path of a new session, `$user` resolved or dropped: the path bare names resolve by.
    search_path: tuple[str, ...] = ("public",)
    # Names of functions (bare) that exist outside pg_catalog, each with its schemas: user code, refused unless listed.
    user_functions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # Every function that exists outside pg_catalog, with its overloads; those of extensions too.
    routines: dict[RelationName, tuple[Routine, ...]] = field(default_factory=dict)
    # Names of operators that exist outside pg_catalog: user code too; and the functions of each.
    user_operators: frozenset[str] = frozenset()
    operator_functions: dict[str, tuple[RelationName, ...]] = field(default_factory=dict)
    # Those of them that the planner asks of values which its statistics hold (RESTRICT, JOIN).
    estimated_operators: frozenset[str] = frozenset()
    # Bare names of types outside pg_catalog (domains, enums, composites, extensions' types), each with its schemas.
    user_types: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # Functions, operators and types of the extensions that are trusted to compute from their arguments alone; not in
    # the user's own above.
    extension_functions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    extension_operators: frozenset[str] = frozenset()
    # (schema, name) of types outside pg_catalog that can be named without running code of the user's: enums,
    # composites, domains without checks of that kind, trusted extensions' types.
    safe_types: frozenset[RelationName] = frozenset()
    # (schema, name) of types whose mere values run code of the user's: domains with such checks (a literal beside one
    # becomes one), sources of cast functions, types that such functions compare; and what is made of them.
    coded_types: frozenset[RelationName] = frozenset()
    # (schema, name) of types → functions of the user's that run where their values are made or converted: checks of
    # domains, casts; also of what is made of such types.
    type_functions: dict[RelationName, tuple[RelationName, ...]] = field(default_factory=dict)
    # (schema, name) of types that a cast function of the user's leads to from one of the system's types.
    cast_types: frozenset[RelationName] = frozenset()
    # (schema, name) of domains whose checks run code of the user's, and of types made of such: a literal of one runs
    # that code as soon as the statement is parsed.
    checked_types: frozenset[RelationName] = frozenset()
    # What clients call types by where they declare a parameter's: OID → (schema, name), the system's own included.
    type_names: dict[int, RelationName] = field(default_factory=dict)
    # A cast between two of the system's types (`int4 to text`) that runs code of the user's without being written.
    implicit_cast: str = ""
    # Whether every name of a text means the same to the server and to the gate: not so where letters other than ASCII
    # are folded and cut by the rules of another encoding.
    utf8: bool = True
    # Whether there is a collation by which texts are equal that differ: patterns and parts of such texts fail.
    has_partless_texts: bool = False
    # Every function name of pg_catalog: `(x).name` is a call of it wherever x has no field of that name.
    system_functions: frozenset[str] = frozenset()
    # Those of them that give the same for the same arguments at any time and in any session.
    constant_functions: frozenset[str] = frozenset()
    # The columns of the relations of pg_catalog and information_schema.
    system_columns: dict[RelationName, tuple[str, ...]] = field(default_factory=dict)
    # Functions of the user's (`schema.name`) that run whenever a table comes or goes: event triggers.
    event_functions: tuple[str, ...] = ()
    # First parts of the settings that loaded modules define (`auto_explain`).
    setting_prefixes: frozenset[str] = frozenset()
    # The role that sessions log in as, where it is also the one that they act for; else empty.
    login: str = ""
    # Names (bare) of functions whose code may change the catalog; whether reading may run such code without naming it
    # (by views, operators, defaults, …), and whether writing may (by triggers).
    changing_functions: frozenset[str] = frozenset()
    reads_change: bool = False
    writes_change: bool = False
    server_version: int = 0
    generation: int = 0

    def may_be_function(self, name: str) -> bool:
        """Whether `(x).name` could be a call: a snapshot without the system's functions can't tell what is none."""
        known = (self.system_functions, self.user_functions, self.extension_functions, FUNCTIONS)
        return not self.system_functions or any(name in names for names in known)

    def named(self, name: str) -> tuple[Relation, ...]:
        """Every relation of that bare name, in whatever schema."""
        return self.overview.named.get(name, ())

    @cached_property
    def overview(self) -> Overview:
        """The relations by what is asked of them for every policy."""
        return Overview(self.relations, self.coded_types, self.checked_types)
