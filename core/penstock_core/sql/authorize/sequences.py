"""Sequences whose numbers a statement takes or tells, where something is masked.

A sequence that numbers a masked column stands at that column's latest value. Read as a relation it is masked like the
column (`relations.py`); `nextval` and its kin can't be, so they are for other sequences alone.
"""

from __future__ import annotations

from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.bind.references import FunctionCall
from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.constants import constant
from penstock_core.sql.syntax.relation_names import relation_in


def unmasked_sequence(authorizer: Authorizer, call: FunctionCall) -> None:
    """`nextval`, `currval` and `lastval`. Raises Refused where they may tell a number of a masked column."""
    masked = authorizer.governed.sequences
    if not masked:
        return
    function, arguments = call.names[-1], (call.node.args or ()) if call.node is not None else ()
    if function == "lastval":
        raise refused(
            f"lastval() may tell a number of {'.'.join(min(masked))}, a sequence that numbers a masked column",
            "use RETURNING, or currval() of the sequence that is meant",
        )
    written = constant(arguments[0]) if len(arguments) == 1 else None
    named = relation_in(written) if written is not None else None
    if named is None:
        raise refused(
            f"{function}() of a sequence that is not written out may tell a number of {'.'.join(min(masked))}, a"
            " sequence that numbers a masked column",
            "write the sequence's name in quotes",
        )
    schema, name = named
    # Under some search path, a bare name means any of them.
    told = sorted(one for one in masked if one[1] == name and schema in ("", one[0]))
    if told:
        raise refused(
            f"{function}() tells a number of {'.'.join(told[0])}, a sequence that numbers a masked column",
            "leave the number to the column's default",
        )
