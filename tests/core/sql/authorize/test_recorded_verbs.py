"""The verbs that are recorded of a bound statement: its own first, then what is in it, each once."""

from __future__ import annotations

from penstock_core.sql.authorize.recorded_verbs import recorded_verbs
from penstock_core.sql.bind.references import Bound, TableCreated, VerbUse
from penstock_core.sql.bind.text_parts import begin_part


def test_each_statement_has_what_was_bound_for_it() -> None:
    bound = Bound()
    begin_part(bound, ends=False)
    bound.verbs.append("copy")
    for verb in ("select", "delete", "delete"):
        bound.add(VerbUse(verb))
    begin_part(bound, ends=False)
    bound.verbs.append("select")
    bound.add(VerbUse("select"))
    bound.add(TableCreated(None))
    bound.parts[1].runs.add("update")
    assert [recorded_verbs(bound, part) for part in bound.parts] == [
        ("copy", "delete", "select"),
        ("select", "create", "update"),
    ]
