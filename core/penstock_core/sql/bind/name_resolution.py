"""Which relation or type a name means: by its schema, or by the search path of the session as far as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pglast import ast

from penstock_core.sql.allowlists.system_relations import INFORMATION_SCHEMA, SYSTEM_SCHEMAS, TYPES
from penstock_core.sql.catalog.model import Catalog, Relation, RelationName

TEMPORARY = "pg_temp"
# Of a relation that the open transaction made: the schema that it was made with, empty for none, and its name.
MadeName = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ResolvedRelation:
    """What a relation's name was found to mean."""

    schema: str
    name: str
    # The user's relation; None for one of the system's and for a temporary table.
    relation: Relation | None = None
    # The columns of a system relation, where the snapshot knows them.
    columns: tuple[str, ...] | None = None
    # Every relation of the user's that the name could mean under some search path, the meant one included.
    candidates: tuple[Relation, ...] = ()
    # Whether it is one of the session's own temporary tables: it holds what passed through here.
    temporary: bool = False
    # Of such a one: what else has that name and would be meant if the table were gone.
    rival: str = ""
    # Whether it is as good as one: the open transaction made it, and no catalog that is read outside has it yet.
    made: bool = False

    @property
    def system(self) -> bool:
        """Whether it is a relation of the system's own."""
        return self.relation is None and not self.temporary


@dataclass(frozen=True, slots=True)
class ResolvedType:
    """The schema of a type, and whether its bare name could mean others under other search paths."""

    schema: str
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A name of which it cannot be told what it means: why, and how to write it so that it can."""

    reason: str
    remedy: str
    # The relations that it may be, where it is one of these whatever the path is.
    candidates: tuple[Relation, ...] = ()

    @property
    def keys(self) -> frozenset[RelationName]:
        return frozenset(one.key for one in self.candidates)


@dataclass(frozen=True, slots=True)
class Names:
    """Name resolution in one database under one search path; None for a path that the session may have changed."""

    catalog: Catalog
    # The user's relations by bare name.
    named: Mapping[str, tuple[Relation, ...]]
    search_path: tuple[str, ...] | None
    # Bare names of the session's own temporary tables.
    temporary: frozenset[str] = frozenset()
    # What the open transaction made, by schema (empty where none was written) and name.
    made: frozenset[MadeName] = frozenset()

    def relation(self, reference: ast.RangeVar) -> ResolvedRelation | Ambiguous | None:
        """What a FROM clause's or target's name means; None if only the server can know."""
        schema, name = reference.schemaname or "", reference.relname or ""
        if (schema, name) in self.made and not (schema or name in self.temporary):
            return self._made(name)
        known = self._known(schema, name)
        if known is None and (schema, name) in self.made:
            return ResolvedRelation(schema, name, temporary=True, made=True)
        return known

    def _made(self, name: str) -> ResolvedRelation | Ambiguous:
        """A bare name that the transaction gave to something, if nothing else has it."""
        others = self.named.get(name, ())
        if others or self._is_system("pg_catalog", name):
            schema = others[0].schema if others else "pg_catalog"
            return Ambiguous(
                f"{name} is the name of {schema}.{name} and of what this transaction made", "write it with its schema"
            )
        return ResolvedRelation("", name, temporary=True, made=True)

    def _known(self, schema: str, name: str) -> ResolvedRelation | Ambiguous | None:
        if schema in SYSTEM_SCHEMAS:
            return self._system(schema, name)
        if schema == TEMPORARY:
            return ResolvedRelation(schema, name, temporary=True)
        if not schema and name in self.temporary:
            return self._temporary(name)
        if schema:
            found = self.catalog.relations.get((schema, name))
            return ResolvedRelation(schema, name, found) if found else None
        candidates = self.named.get(name, ())
        if self.search_path is None:
            return self._without_path(name, candidates)
        for place in self._path(self.search_path):
            if place in SYSTEM_SCHEMAS and self._is_system(place, name):
                return replace(self._system(place, name), candidates=candidates)
            found = self.catalog.relations.get((place, name))
            if found:
                return self._shadowing(place, name) or ResolvedRelation(place, name, found, candidates=candidates)
        return None

    def is_own(self, schema: str, name: str) -> bool:
        """Whether that is a temporary table of the session's own, and no other relation."""
        if schema:
            return schema == TEMPORARY
        return name in self.temporary and name not in self.named

    def _temporary(self, name: str) -> ResolvedRelation | Ambiguous:
        """A bare name that is a temporary table's, if that is still there, and nothing else's."""
        others = self.named.get(name, ())
        rival = f"{others[0].schema}.{name}" if others else ""
        if not rival and self._is_system("pg_catalog", name):
            rival = f"pg_catalog.{name}"
        return self._shadowing(TEMPORARY, name) or ResolvedRelation(TEMPORARY, name, temporary=True, rival=rival)

    def _without_path(self, name: str, candidates: tuple[Relation, ...]) -> ResolvedRelation | Ambiguous | None:
        system = self._is_system("pg_catalog", name)
        if len(candidates) + system > 1:
            return Ambiguous(
                f"relation {name} is ambiguous: this session changed search_path or the catalog",
                f"qualify it with its schema, as in {candidates[0].schema}.{name}",
                () if system else candidates,
            )
        if system:
            return self._system("pg_catalog", name)
        return (
            ResolvedRelation(candidates[0].schema, name, candidates[0], candidates=candidates) if candidates else None
        )

    def _system(self, schema: str, name: str) -> ResolvedRelation:
        return ResolvedRelation(schema, name, columns=self.catalog.system_columns.get((schema, name)))

    def _shadowing(self, place: str, name: str) -> Ambiguous | None:
        """A bare name that means the catalog of that name as soon as the path changes, or the table is gone."""
        if ("pg_catalog", name) not in self.catalog.system_columns:
            return None
        return Ambiguous(
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

    def type(self, schema: str, name: str) -> ResolvedType | Ambiguous | None:
        """What a type's name means; None for one that is in no catalog."""
        if schema:
            return ResolvedType(schema)
        schemas = self.catalog.user_types.get(name, ())
        builtin = is_builtin_type(name)
        if not schemas:
            return ResolvedType("pg_catalog") if builtin else None
        if self.search_path is None:
            if builtin or len(schemas) > 1:
                return Ambiguous(
                    f"type {name} is ambiguous: this session changed search_path or the catalog",
                    "qualify it with its schema",
                )
            return ResolvedType(schemas[0], ambiguous=True)
        for place in self._path(self.search_path):
            if place in schemas or (place == "pg_catalog" and builtin):
                return ResolvedType(place, ambiguous=True)
        return None


def is_builtin_type(name: str) -> bool:
    """Whether pg_catalog has a type of that name that may be used, arrays (`_text`) included."""
    return name in TYPES or (name.startswith("_") and name[1:] in TYPES)
