"""How a catalog snapshot is read: what its documents say, put together as a `Catalog`.

The SQL that fetches the documents is in `queries.py`; sending it is I/O and belongs in the sidecar:

    documents = {}
    for name, sql in STATEMENTS:
        rows = run(sql)
        if name:
            documents[name] = rows[0][0]
    catalog = snapshot(documents)

Who reads the catalog again and again asks for what changed (`reading.py`), and has `Snapshots` take over the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern

from penstock_core.sql.allowlists.extensions import is_trusted
from penstock_core.sql.catalog.assembly import Assembler, Assembly
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.catalog.own_objects import (
    estimated_operators,
    is_trusted_operator,
    operator_functions,
    routines,
    schemas_by_name,
    user_objects,
)
from penstock_core.sql.catalog.parts import Parts, opened
from penstock_core.sql.catalog.queries import STATEMENTS
from penstock_core.sql.catalog.types import Types

__all__ = ["STATEMENTS", "Snapshots", "snapshot"]


def snapshot(answers: Mapping[str, str], generation: int = 0) -> Catalog:
    """The catalog that the answers to `STATEMENTS` describe, by name."""
    return Snapshots().of(opened(answers), generation)


class Snapshots:
    """Makes one catalog after the other, of the same database; relations that did not change stay the same objects."""

    def __init__(self) -> None:
        self._assembly = Assembly()

    def of(self, parts: Parts, generation: int = 0) -> Catalog:
        """The catalog with these parts."""
        rows = parts.rows
        ((search_path, version, encoding, login, partless),) = rows("session")
        functions, extension_functions = user_objects(rows("functions"), is_trusted)
        operators, extension_operators = user_objects((row[:3] for row in rows("operators")), is_trusted_operator)
        types = Types({name: list(rows(name)) for name in ("types", "casts", "orders", "conversions")})
        own = routines(rows("routines"))
        assembler = Assembler(parts, types.coded, own, self._assembly)
        relations = assembler.relations()
        self._assembly = assembler.assembly
        return Catalog(
            relations=relations,
            search_path=tuple(search_path),
            user_functions=functions,
            routines=own,
            user_operators=frozenset(operators),
            operator_functions=operator_functions(rows("operators")),
            estimated_operators=estimated_operators(rows("operators")),
            user_types=schemas_by_name((intern(name), intern(schema)) for name, schema, *_ in rows("types")),
            extension_functions=extension_functions,
            extension_operators=frozenset(extension_operators) - frozenset(operators),
            safe_types=types.safe,
            coded_types=types.coded,
            cast_types=types.cast,
            checked_types=types.checked,
            type_names={oid: (intern(schema), intern(name)) for oid, schema, name in rows("type_oids")},
            type_functions=types.functions,
            implicit_cast=types.implicit_cast,
            system_functions=frozenset(name for name, _ in rows("system_functions")),
            constant_functions=frozenset(name for name, constant in rows("system_functions") if constant),
            system_columns={(schema, name): tuple(columns) for schema, name, columns in rows("system_columns")},
            event_functions=tuple(sorted(f"{schema}.{name}" for schema, name in rows("events"))),
            setting_prefixes=frozenset(prefix for (prefix,) in rows("settings")),
            login=login or "",
            changing_functions=frozenset(name for name, *_ in rows("changing")),
            reads_change=any(implicit for _, implicit, _ in rows("changing")),
            writes_change=any(triggered for *_, triggered in rows("changing")),
            server_version=int(version),
            utf8=encoding == "UTF8",
            has_partless_texts=partless,
            generation=generation,
        )
