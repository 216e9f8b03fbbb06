"""The third step of a decision: the statements of a text with all that authorization puts into them, and with what
keeps their orders and errors from telling anything.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.authorize.text import check_edited
from penstock_core.sql.bind.parameter_types import declared_names
from penstock_core.sql.masking.order_writes import complete_order
from penstock_core.sql.refusal import refused


def edited(statements: tuple[ast.Node, ...], authorizer: Authorizer, types: tuple[int, ...]) -> tuple[ast.Node, ...]:
    """The statements, changed; `types` are those that the client declares for parameters. Raises Refused."""
    governed, found = authorizer.governed, authorizer.found
    found.edits.apply(statements, found.substituted)
    check_edited(authorizer)
    leaves = {place: leaf for place, (_, leaf) in found.leaves.items()}
    targets = {place: target for place, (_, target) in found.filtered.items()}
    own, masks = governed.own_calls, found.edits.values
    # Of others not all types are known here.
    declared = declared_names(types, governed.catalog) if governed.filters.relations else None
    completed = [complete_order(one, leaves, own, masks, targets, declared) for one in statements]
    if not targets.keys() <= frozenset[int]().union(*(one.kept for one in completed)):
        raise refused("a table whose rows a policy filters stands where it can't be written to", "write to it alone")
    found.mixed_errors = max(one.mixes for one in completed)
    return tuple(one.statement for one in completed)
