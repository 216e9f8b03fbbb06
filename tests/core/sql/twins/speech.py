"""Makes up statements about the twins' tables, at random: most of them sensible, all of them with masked columns about.

What they answer does not depend on the order of rows, but for rows that are all alike: aggregates take the place of
picking one, and targets are joined by their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

# Per table: the columns that hold text, and those that hold whole numbers.
TABLES = {
    "u": (("email", "ssn", "note", "mail_key"), ("id", "salary", "cap")),
    "public.u": (("email", "ssn", "note"), ("id", "salary")),
    "kid": (("email", "ssn", "note"), ("id", "salary", "extra")),
    "o": (("email",), ("id", "uid")),
    "staff": (("email", "note"), ("id", "dept", "pay", "twice")),
    "clerk": (("email", "note"), ("id", "pay", "desk")),
    "duty": (("task",), ("id", "person")),
    "log": (("line",), ("id", "n")),
    "secret": (("body",), ("id",)),
    "v": (("address", "note"), ("id",)),
    "split": (("ssn",), ("id", "half")),
    "attic.u": (("plain",), ("id",)),
}
# Those that are written to, with the columns that may be set, and how they are to be joined.
TARGETS = {
    "u": ("note",), "public.u": ("note",), "kid": ("note", "extra"), "staff": ("note", "dept"),
    "clerk": ("note", "desk"), "log": ("line", "n"), "duty": ("task",), "split": ("id",),
}  # fmt: skip
Tables = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
Targets = Mapping[str, tuple[str, ...]]
TEXT, NUMBER = 0, 1
_TEXTS = ("'d%'", "'dora@example.com'", "'***'", "''", "NULL", "'5'", "'e***@example.org'", "'x'")
_NUMBERS = ("0", "1", "2", "100", "-1", "250", "NULL")


@dataclass(frozen=True)
class _Named:
    """A source by the name that it has in the statement."""

    name: str
    columns: tuple[tuple[str, ...], tuple[str, ...]]


class Speech:
    """One speaker; the same seed says the same."""

    kinds: tuple[str, ...] = ("select", "select", "update", "update", "delete", "insert", "merge", "with", "copy")

    def __init__(self, seed: int, tables: Tables = TABLES, targets: Targets = TARGETS) -> None:
        self._dice = Random(seed)
        self._tables = tables
        self._targets = targets
        self._names = 0

    def statement(self) -> str:
        return str(getattr(self, f"_{self._dice.choice(self.kinds)}")())

    # ---- statements

    def _select(self) -> str:
        return self._query([], self._dice.randint(1, 3))

    def _query(self, around: list[_Named], width: int) -> str:
        clause, sources = self._sources(around)
        scope = [*sources, *around]
        if self._dice.random() < 0.15:
            stars = ", ".join(f"{one.name}.*" for one in sources)
            return f"SELECT {stars} FROM {clause}{self._where(scope)}"
        columns = [self._value(scope, 2) for _ in range(width)]
        if self._dice.random() < 0.2:
            grouped = ", ".join(str(n) for n in range(1, width + 1))
            return f"SELECT {', '.join(columns)}, count(*) FROM {clause}{self._where(scope)} GROUP BY {grouped}"
        tail = ""
        if self._dice.random() < 0.3:
            tail = f" ORDER BY {', '.join(str(n) for n in range(1, width + 1))} LIMIT {self._dice.randint(1, 4)}"
        distinct = "DISTINCT " if self._dice.random() < 0.2 else ""
        return f"SELECT {distinct}{', '.join(columns)} FROM {clause}{self._where(scope)}{tail}"

    def _update(self) -> str:
        target, named, settable = self._target()
        sets = self._dice.sample(settable, self._dice.randint(1, len(settable)))
        joined, clause = self._joined(named)
        scope = [named, *joined]
        changes = ", ".join(f"{column} = {self._for(named, column, scope)}" for column in sets)
        source = f" FROM {clause[0]}" if clause else ""
        return f"UPDATE {target} SET {changes}{source}{self._where(scope, clause)}{self._returning(scope)}"

    def _delete(self) -> str:
        target, named, _ = self._target()
        joined, clause = self._joined(named)
        scope = [named, *joined]
        source = f" USING {clause[0]}" if clause else ""
        return f"DELETE FROM {target}{source}{self._where(scope, clause)}{self._returning(scope)}"

    def _insert(self) -> str:
        target, named, settable = self._target()
        number = self._dice.randint(50, 90)
        key = "" if target.startswith("log") else "id, "
        columns = list(settable)
        values = [self._for(named, column, []) for column in columns]
        key_value = f"{number}, " if key else ""
        conflict = ""
        if key and self._dice.random() < 0.4:
            conflict = f" ON CONFLICT (id) DO UPDATE SET {columns[0]} = {self._for(named, columns[0], [named])}"
            if self._dice.random() < 0.5:
                conflict += f" WHERE {self._condition([named], 1)}"
            key_value = f"{self._dice.randint(1, 3)}, "
        return (
            f"INSERT INTO {target} ({key}{', '.join(columns)}) SELECT {key_value}{', '.join(values)}{conflict}"
            f"{self._returning([named])}"
        )

    def _merge(self) -> str:
        target, named, settable = self._target()
        source, other = self._source()
        scope = [named, other]
        column = self._dice.choice(settable)
        change = f"UPDATE SET {column} = {self._for(named, column, scope)}"
        action = self._dice.choice([change, change, "DELETE", "DO NOTHING"])
        condition = f" AND {self._condition(scope, 1)}" if self._dice.random() < 0.5 else ""
        key = self._dice.choice(other.columns[NUMBER])
        return (
            f"MERGE INTO {target} USING {source} ON {named.name}.id = {other.name}.{key}"
            f"{f' AND {self._condition(scope, 1)}' if self._dice.random() < 0.4 else ''}"
            f" WHEN MATCHED{condition} THEN {action}"
        )

    def _with(self) -> str:
        name = self._fresh()
        inner = self._dice.choice([self._update, self._delete, self._select])()
        if "RETURNING" not in inner and not inner.startswith("SELECT"):
            inner += " RETURNING 1"
        return f"WITH {name} AS ({inner}) SELECT * FROM {name}"

    def _copy(self) -> str:
        return f"COPY ({self._select()}) TO STDOUT"

    # ---- parts

    def _fresh(self) -> str:
        self._names += 1
        return f"t{self._names}"

    def _target(self) -> tuple[str, _Named, tuple[str, ...]]:
        table = self._dice.choice(sorted(self._targets))
        if self._dice.random() < 0.4:
            name = self._fresh()
            return f"{table} AS {name}", _Named(name, self._tables[table]), self._targets[table]
        return table, _Named(table.rpartition(".")[2], self._tables[table]), self._targets[table]

    def _joined(self, target: _Named) -> tuple[list[_Named], list[str]]:
        """Another source by its key, or none: its clause, and the condition."""
        if self._dice.random() < 0.6:
            return [], []
        source, named = self._source()
        key = "id" if "id" in named.columns[NUMBER] else named.columns[NUMBER][0]
        return [named], [source, f"{named.name}.{key} = {target.name}.id"]

    def _source(self) -> tuple[str, _Named]:
        name, table = self._fresh(), self._dice.choice(sorted(self._tables))
        return f"{table} AS {name}", _Named(name, self._tables[table])

    def _sources(self, around: list[_Named]) -> tuple[str, list[_Named]]:
        source, named = self._source()
        roll = self._dice.random()
        if roll < 0.5:
            return source, [named]
        if roll < 0.65:
            inner, name = self._query([], 1), self._fresh()
            return f"({inner}) AS {name}", [_Named(name, ((), ()))]
        other, second = self._source()
        if roll < 0.75:
            name = self._fresh()
            text = self._text([named], 1)
            return f"{source}, LATERAL (SELECT {text} AS said) AS {name}", [named, _Named(name, (("said",), ()))]
        how = self._dice.choice(["JOIN", "LEFT JOIN", "FULL JOIN"])
        left, right = (f"{one.name}.{self._dice.choice(one.columns[NUMBER])}" for one in (named, second))
        return f"{source} {how} {other} ON {left} = {right}", [named, second]

    def _where(self, scope: list[_Named], clause: list[str] | None = None) -> str:
        conditions = clause[1:] if clause else []
        if self._dice.random() < 0.7:
            conditions = [*conditions, self._condition(scope, 2)]
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def _returning(self, scope: list[_Named]) -> str:
        roll = self._dice.random()
        if roll < 0.3:
            return ""
        if roll < 0.45:
            return " RETURNING *"
        return " RETURNING " + ", ".join(self._value(scope, 2) for _ in range(self._dice.randint(1, 3)))

    # ---- expressions

    def _value(self, scope: list[_Named], depth: int) -> str:
        if self._dice.random() < 0.08 and scope:
            return f"{self._dice.choice(scope).name}::text"
        return self._dice.choice([self._text, self._number])(scope, depth)

    def _for(self, target: _Named, column: str, scope: list[_Named]) -> str:
        if column in target.columns[TEXT]:
            return self._text(scope, 2)
        return f"({self._number(scope, 1)}) % 1000"

    def _column(self, scope: list[_Named], kind: int) -> str | None:
        found = [(one.name, column) for one in scope for column in one.columns[kind]]
        if not found:
            return None
        name, column = self._dice.choice(found)
        return column if self._dice.random() < 0.35 else f"{name}.{column}"

    def _one_of(self, *ways: Callable[[], str]) -> str:
        return self._dice.choice(ways)()

    def _text(self, scope: list[_Named], depth: int) -> str:
        column = self._column(scope, TEXT)
        if column is None or self._dice.random() < 0.15:
            column = self._dice.choice(_TEXTS)
        if depth <= 0 or self._dice.random() < 0.5:
            return column

        def text() -> str:
            return self._text(scope, depth - 1)

        return self._one_of(
            lambda: f"({text()} || {text()})",
            lambda: f"upper({text()})",
            lambda: f"coalesce({text()}, {text()})",
            lambda: f"left({text()}, {self._dice.randint(0, 3)})",
            lambda: f"CASE WHEN {self._condition(scope, depth - 1)} THEN {text()} ELSE {text()} END",
            lambda: f"({self._number(scope, depth - 1)})::text",
            lambda: f"nullif({text()}, {text()})",
            lambda: f"md5({text()})",
            lambda: f"(SELECT max({self._picked(scope, depth - 1, self._text)}",
        )

    def _number(self, scope: list[_Named], depth: int) -> str:
        column = self._column(scope, NUMBER)
        if column is None or self._dice.random() < 0.15:
            column = self._dice.choice(_NUMBERS)
        if depth <= 0 or self._dice.random() < 0.5:
            return column

        def number() -> str:
            return self._number(scope, depth - 1)

        return self._one_of(
            lambda: f"({number()} + {number()})",
            lambda: f"({number()} - {number()})",
            lambda: f"(1 / {number()})",
            lambda: f"length({self._text(scope, depth - 1)})",
            lambda: f"(SELECT count(*) FROM {self._inner(scope, depth - 1)})",
            lambda: f"(SELECT sum({self._picked(scope, depth - 1, self._number)}",
            lambda: f"({self._text(scope, depth - 1)})::int",
            lambda: f"greatest({number()}, {number()})",
        )

    def _condition(self, scope: list[_Named], depth: int) -> str:
        def text() -> str:
            return self._text(scope, depth - 1)

        def number() -> str:
            return self._number(scope, depth - 1)

        def condition() -> str:
            return self._condition(scope, depth - 1)

        def among() -> str:
            source, named = self._source()
            return f"{text()} IN (SELECT {self._text([named, *scope], depth - 1)} FROM {source})"

        simple: list[Callable[[], str]] = [
            lambda: f"{text()} < {text()}",
            lambda: f"{text()} LIKE {text()}",
            lambda: f"{text()} IS NULL",
            lambda: f"{text()} IS NOT NULL",
            lambda: f"{text()} IS DISTINCT FROM {text()}",
            lambda: f"{number()} > {number()}",
            lambda: f"{number()} = {number()}",
            lambda: f"{number()} IN ({number()}, 1)",
        ]
        nested: list[Callable[[], str]] = [
            lambda: f"({condition()} AND {condition()})",
            lambda: f"({condition()} OR NOT {condition()})",
            lambda: f"EXISTS (SELECT FROM {self._inner(scope, depth - 1)})",
            among,
        ]
        return self._one_of(*(simple if depth <= 0 or self._dice.random() < 0.5 else nested))

    def _inner(self, scope: list[_Named], depth: int) -> str:
        source, named = self._source()
        return f"{source} WHERE {self._condition([named, *scope], depth)}"

    def _picked(self, scope: list[_Named], depth: int, make: Callable[[list[_Named], int], str]) -> str:
        """`value) FROM … WHERE …)`: what an aggregate in a subquery is of."""
        source, named = self._source()
        inside = [named, *scope]
        return f"{make(inside, depth)}) FROM {source} WHERE {self._condition(inside, depth)})"
