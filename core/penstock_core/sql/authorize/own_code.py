"""What runs by itself when a table is written to: triggers, checks, defaults, index expressions; what they may see.

They see rows as they are stored. So what a trigger of a table with masked columns does must not depend on these: it
reads none of them, and no row as a whole, other than to ask whether anything has changed. A new row is the client's.
"""

from __future__ import annotations

from collections.abc import Iterator

from penstock_core.sql.catalog.function_effects import FunctionEffects
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Relation, RelationName, Trigger
from penstock_core.sql.catalog.trigger_bodies import read_trigger
from penstock_core.sql.masking.function_access import shown
from penstock_core.sql.masking.masked_columns import Governed

_NEW = frozenset({"insert"})


def functions_of(
    relation: Relation, actions: frozenset[str], functions: Functions
) -> Iterator[tuple[RelationName, FunctionEffects]]:
    """The functions that those actions run there (all of them where it is not known what is done)."""
    for trigger in firing(relation, actions):
        yield trigger.function, functions.trigger(trigger)
    for name in (*relation.write_calls, *relation.default_calls):
        schema, _, called = name.rpartition(".")
        yield (schema, called), functions.verdict(schema, called)


def fired(relation: Relation, masked: frozenset[str], actions: frozenset[str], governed: Governed) -> str:
    """Why the triggers of that relation may show masked values, in words; empty if they can't."""
    if not relation.triggers:
        return "triggers"
    for trigger in firing(relation, actions):
        effects = governed.functions.trigger(trigger)
        reason = shown(effects, governed.reach)
        if not reason and actions != _NEW:
            reason = _row_shown(effects, relation, masked)
        if reason:
            return f"trigger function {'.'.join(trigger.function)}: {reason}"
    return ""


def set_by_triggers(relation: Relation, actions: frozenset[str], functions: Functions) -> frozenset[str]:
    """The columns that triggers set in rows which are there."""
    if actions == _NEW:
        return frozenset()
    return frozenset[str]().union(*(functions.trigger(one).row_assigned for one in firing(relation, actions)))


def firing(relation: Relation, actions: frozenset[str]) -> Iterator[Trigger]:
    """The triggers that those actions fire; all of them where it is not known what is done."""
    for trigger in relation.triggers:
        if not actions or actions & read_trigger(trigger).actions:
            yield trigger


def _row_shown(effects: FunctionEffects, relation: Relation, masked: frozenset[str]) -> str:
    """What of a masked column the trigger may see, in words."""
    if not masked:
        return ""
    if effects.row_whole:
        return "it reads the row as a whole, which has masked columns"
    told = effects.row_fields & masked
    if told:
        return f"it reads the masked column {min(told)}"
    computed_later = [one.name for one in relation.columns if one.generated and one.name in masked]
    if computed_later and effects.row_compared:
        # In the new row it is not computed yet.
        return f"it compares rows with the masked generated column {computed_later[0]}"
    return ""
