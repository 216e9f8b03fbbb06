"""The types that clients declare for parameters."""

from __future__ import annotations

from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.parameter_types import bind_types, declared_names
from penstock_core.sql.bind.references import ParameterType
from penstock_core.sql.catalog.model import Catalog

CATALOG = Catalog(type_names={23: ("pg_catalog", "int4"), 5000: ("app", "mood")})


def test_each_that_is_declared_is_a_reference() -> None:
    bound = Bound()
    bind_types(bound, (0, 23, 705, 5000, 4711), CATALOG)
    found = [(one.oid, one.key) for one in bound.references if isinstance(one, ParameterType)]
    assert found == [(23, ("pg_catalog", "int4")), (5000, ("app", "mood")), (4711, None)]


def test_their_names_are_told_by_the_parameters_numbers() -> None:
    assert declared_names((0, 23, 705, 5000, 4711), CATALOG) == {2: "int4", 4: "", 5: ""}
    assert declared_names((), CATALOG) == {}
