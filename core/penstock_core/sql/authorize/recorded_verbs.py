"""The verbs of a statement as they are recorded, so that a search by one finds each write, wherever it stands."""

from __future__ import annotations

from penstock_core.sql.bind.references import Bound, TableCreated, VerbUse
from penstock_core.sql.bind.text_parts import Part, within


def recorded_verbs(bound: Bound, part: Part) -> tuple[str, ...]:
    """One statement's own verbs, and behind them those of all that it holds or runs."""
    own, references = within(bound, part)
    needed = {one.verb for one in references if isinstance(one, VerbUse)} | part.runs
    if any(isinstance(one, TableCreated) for one in references):
        needed.add("create")
    return (*own, *sorted(needed.difference(own)))
