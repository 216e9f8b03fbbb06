"""The functions, operators and types of the database's own, by their names, from the rows of a snapshot.

What the functions do is read in `function_effects.py`; relations are `snapshot.py`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from penstock_core.sql.allowlists.extensions import TRUSTED_EXTENSIONS
from penstock_core.sql.catalog.model import Argument, RelationName, Routine

Rows = Iterable[Sequence[Any]]


def routines(rows: Rows) -> dict[RelationName, tuple[Routine, ...]]:
    """The functions by schema and name, each with its overloads."""
    found: dict[RelationName, list[Routine]] = defaultdict(list)
    for schema, name, kind, language, source, parsed, volatility, returns_set, returns, arguments, *rest in rows:
        defaults, settings, extension, parts = rest
        routine = Routine(
            schema=schema,
            name=name,
            kind=kind,
            language=language,
            source=source,
            parsed=parsed or "",
            volatility=volatility,
            returns_set=returns_set,
            returns=(returns[0], returns[1]),
            arguments=tuple(Argument(mode, called, (place, of)) for mode, called, place, of in arguments or ()),
            defaults=defaults or "",
            settings=tuple(settings or ()),
            extension=extension,
            parts=tuple((place, called) for place, called in parts or ()),
        )
        found[schema, name].append(routine)
    return {key: tuple(overloads) for key, overloads in found.items()}


def operator_functions(rows: Rows) -> dict[str, tuple[RelationName, ...]]:
    """Operator's bare name → the functions that it runs, but for those of trusted extensions."""
    found: dict[str, set[RelationName]] = defaultdict(set)
    for operator, _, extension, schema, name, _ in rows:
        if extension not in TRUSTED_EXTENSIONS and name is not None:
            found[operator].add((schema, name))
    return {operator: tuple(sorted(functions)) for operator, functions in found.items()}


def estimated_operators(rows: Rows) -> frozenset[str]:
    """Operators by their bare names, but for those of trusted extensions, that the planner asks of values which its
    statistics hold.
    """
    return frozenset(row[0] for row in rows if row[2] not in TRUSTED_EXTENSIONS and row[5])


def is_trusted_operator(extension: str | None, _: str) -> bool:
    """Whether an operator is of an extension that is trusted to compute from its arguments alone."""
    return extension in TRUSTED_EXTENSIONS


def user_objects(
    rows: Rows, good: Callable[[str | None, str], bool]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """(bare name → schemas) of the user's own functions or operators, and of the trusted extensions'."""
    own: list[tuple[str, str]] = []
    trusted: list[tuple[str, str]] = []
    for name, schema, extension in rows:
        (trusted if good(extension, name) else own).append((name, schema))
    return schemas_by_name(own), schemas_by_name(trusted)


def schemas_by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Bare name → schemas, of pairs of a name and a schema."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, schema in pairs:
        found[name].add(schema)
    return {name: tuple(sorted(schemas)) for name, schemas in found.items()}
