"""The tables, and that each is made and spoken of."""

from __future__ import annotations

import re

from penstock_core.evidence.criteria import CRITERIA
from penstock_core.evidence.tables import TABLES


def test_names_are_those_of_files_and_columns_are_told_once() -> None:
    for name, table in TABLES.items():
        assert re.fullmatch(r"[a-z-]+", name)
        assert len(set(table.columns)) == len(table.columns)
        assert table.tells.endswith(".")


def test_each_is_evidence_for_something() -> None:
    named = {name for criterion in CRITERIA for name in criterion.tables}
    assert named == set(TABLES)
