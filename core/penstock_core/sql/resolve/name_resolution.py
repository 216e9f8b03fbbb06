"""Which relation or type a name means: by its schema, or by the search path of the session as far as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pglast import ast

from penstock_core.sql.allowlists.system_relations import (
    CATALOGS,
    INFORMATION_SCHEMA,
    SYSTEM_SCHEMAS,
    TYPES,
    UNMASKED_CATALOGS,
)
from penstock_core.sql.catalog.model import Catalog, Relation
from penstock_core.sql.refusal import Refused, refused, unknown


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a relation's name was found to mean."""

    schema: str
    name: str
    # The user's relation; None for one of the system's.
    relation: Relation | None = None
    # Columns of a system relation that must not be read.
    hidden: frozenset[str] = frozenset()
    # The columns of a system relation.
    columns: tuple[str, ...] | None = None
    # Every relation of the user's that the name could mean under some search path, the meant one included.
    candidates: tuple[Relation, ...] = ()
    # True for one of the session's own temporary tables: it holds what passed through here.
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """Name resolution in one database under one search path; None for a path that the session may have changed."""

    catalog: Catalog
    # The user's relations by bare name.
    named: Mapping[str, tuple[Relation, ...]]
    search_path: tuple[str, ...] | None
    # Whether anything is masked for the identity, so that fewer system relations may be read.
    masked: bool
    # Bare names of the session's own temporary tables.
    temporary: frozenset[str] = frozenset()
    # Whether the identity may run code of its own, which could read all that the login may.
    free: bool = False

    def relation(self, reference: ast.RangeVar) -> Meaning | None:
        """What a FROM clause's or target's name means; None if only the server can know. Raises Refused."""
        schema, name = reference.schemaname or "", reference.relname or ""
        if schema in SYSTEM_SCHEMAS:
            return self._system(schema, name)
        if schema == "pg_temp":
            return Meaning(schema, name, temporary=True)
        if not schema and name in self.temporary:
            return self._temporary(name)
        if schema:
            found = self.catalog.relations.get((schema, name))
            return Meaning(schema, name, found) if found else None
        candidates = self.named.get(name, ())
        if self.search_path is None:
            return self._without_path(name, candidates)
        for place in self._path(self.search_path):
            if place in SYSTEM_SCHEMAS and self._is_system(place, name):
                system = self._system(place, name)
                return replace(system, candidates=candidates)
            found = self.catalog.relations.get((place, name))
            if found:
                self._shadowing(place, name)
                return Meaning(place, name, found, candidates=candidates)
        return None

    def _temporary(self, name: str) -> Meaning:
        """A bare name that is a temporary table's, if that is still there, and nothing else's."""
        others = self.named.get(name, ())
        if self.masked and (others or self._is_system("pg_catalog", name)):
            place = f"{others[0].schema}.{name}" if others else f"pg_catalog.{name}"
            raise refused(f"{name} is the name of a temporary table and of {place}", f"write pg_temp.{name} or {place}")
        self._shadowing("pg_temp", name)
        return Meaning("pg_temp", name, temporary=True)

    def _without_path(self, name: str, candidates: tuple[Relation, ...]) -> Meaning | None:
        system = self._is_system("pg_catalog", name)
        if len(candidates) + system > 1:
            raise refused(
                f"it can't be told which relation {name} means after search_path was changed",
                f"write it with its schema, as in {candidates[0].schema}.{name}",
            )
        if system:
            return self._system("pg_catalog", name)
        return Meaning(candidates[0].schema, name, candidates[0], candidates=candidates) if candidates else None

    def _system(self, schema: str, name: str) -> Meaning:
        allowed = CATALOGS if schema == "pg_catalog" else INFORMATION_SCHEMA
        columns = self.catalog.system_columns.get((schema, name))
        if name in allowed:
            return Meaning(schema, name, hidden=allowed[name] if self.masked else frozenset(), columns=columns)
        if not self.masked and name in UNMASKED_CATALOGS:
            return Meaning(schema, name, hidden=frozenset() if self.free else UNMASKED_CATALOGS[name], columns=columns)
        raise refused(
            f"{schema}.{name} may not be read",
            "it can show values, statements or secrets; read other catalogs, or ask an administrator",
        )

    def _shadowing(self, place: str, name: str) -> None:
        """A bare name that means the catalog of that name as soon as the path changes, or the table is gone."""
        if ("pg_catalog", name) in self.catalog.system_columns:
            raise refused(
                f"{name} is the name of {place}.{name} and of pg_catalog.{name}",
                f"write {place}.{name} or pg_catalog.{name}",
            )

    def _is_system(self, schema: str, name: str) -> bool:
        """Whether the name would be found in that system schema: every catalog's name begins with pg_."""
        if schema == "pg_catalog":
            return name.startswith("pg_")
        return name in INFORMATION_SCHEMA or (schema, name) in self.catalog.system_columns

    @staticmethod
    def _path(search_path: tuple[str, ...]) -> tuple[str, ...]:
        """The path as the server searches it: pg_catalog first, unless it is named somewhere in it."""
        return search_path if "pg_catalog" in search_path else ("pg_catalog", *search_path)

    def type(self, name: str) -> tuple[str, bool]:
        """The schema of a type named without one, and whether the name could mean others. Raises Refused."""
        schemas = self.catalog.user_types.get(name, ())
        builtin = is_builtin_type(name)
        if not schemas:
            if builtin:
                return "pg_catalog", False
            raise _unknown_type(name)
        if self.search_path is None:
            if builtin or len(schemas) > 1:
                raise refused(
                    f"it can't be told which type {name} means after search_path was changed",
                    "write it with its schema",
                )
            return schemas[0], True
        for place in self._path(self.search_path):
            if place in schemas or (place == "pg_catalog" and builtin):
                return place, True
        raise _unknown_type(name)


def is_builtin_type(name: str) -> bool:
    """Whether pg_catalog has a type of that name that may be used, arrays (`_text`) included."""
    return name in TYPES or (name.startswith("_") and name[1:] in TYPES)


def _unknown_type(name: str) -> Refused:
    return unknown(f'type "{name}" does not exist, or may not be used', "42704")


def unknown_relation(reference: ast.RangeVar) -> Refused:
    """A relation that is in no catalog: the words and code the server has for it."""
    name = f"{reference.schemaname}.{reference.relname}" if reference.schemaname else reference.relname
    return unknown(f'relation "{name}" does not exist', "42P01")
