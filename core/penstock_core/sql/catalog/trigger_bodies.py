"""What a trigger's definition says: what fires it, and what its condition looks at. Its function is a function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pglast import ast, parse_sql
from pglast.parser import ParseError

from penstock_core.sql.catalog.function_bodies import Body, BodyReader, NotUnderstood, idents
from penstock_core.sql.catalog.model import Trigger

# TRIGGER_TYPE_INSERT and its kin.
_EVENTS = {"insert": 4, "delete": 8, "update": 16, "truncate": 32}


@dataclass(frozen=True, slots=True)
class TriggerFacts:
    """One trigger's definition, read."""

    # What of insert, update, delete and truncate fires it.
    actions: frozenset[str]
    # What WHEN looks at, as if it were the body of a function.
    condition: Body
    # All rows that a statement changed are given to it as tables.
    transitions: bool = False
    # What its function is called with.
    arguments: tuple[str, ...] = ()
    # Whether it is called once for each row, not once for a statement.
    each_row: bool = True
    # An UPDATE fires it where it sets one of these; none: any.
    columns: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def read_trigger(trigger: Trigger) -> TriggerFacts:
    """What the definition says; of one that is not understood, the worst."""
    condition = Body()
    try:
        (statement,) = parse_sql(trigger.definition)
        made = statement.stmt
        if not isinstance(made, ast.CreateTrigStmt):
            raise NotUnderstood("its definition is not understood")
        BodyReader(condition).walk(made.whenClause, 0)
    except (NotUnderstood, ParseError, ValueError, RecursionError):
        condition.unknown = "its definition is not understood"
        return TriggerFacts(frozenset(_EVENTS), condition, True)
    actions = frozenset(action for action, bit in _EVENTS.items() if (made.events or 0) & bit)
    return TriggerFacts(
        actions, condition, bool(made.transitionRels), tuple(idents(made.args)), bool(made.row),
        frozenset(idents(made.columns)),
    )  # fmt: skip
