"""The types that a client declares for the parameters of a text, by their OIDs. What is refused of them is decided in
`penstock_core.sql.authorize`; which types call for a decision of their own is the governor's.
"""

from __future__ import annotations

from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.references import ParameterType
from penstock_core.sql.catalog.model import Catalog

# The OIDs that leave a parameter's type to the server: none, and `unknown`.
UNDECLARED: frozenset[int] = frozenset({0, 705})


def bind_types(bound: Bound, types: tuple[int, ...], catalog: Catalog) -> None:
    """Each type that is declared is a reference of the text."""
    for oid in types:
        if oid not in UNDECLARED:
            bound.add(ParameterType(oid, catalog.type_names.get(oid)))


def declared_names(types: tuple[int, ...], catalog: Catalog) -> dict[int, str]:
    """The bare name of each parameter's type, by the parameter's number; empty for one that is not the system's own."""
    declared = {place: oid for place, oid in enumerate(types, 1) if oid not in UNDECLARED}
    keys = {place: catalog.type_names.get(oid, ("", "")) for place, oid in declared.items()}
    return {place: name if schema == "pg_catalog" else "" for place, (schema, name) in keys.items()}
