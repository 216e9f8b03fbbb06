"""Sequences whose numbers a statement takes or tells, where something is masked.

A sequence that numbers a masked column stands at that column's latest value. Read as a relation, or by the function of
`FROM pg_get_sequence_data(…)`, it shows as one that was not used yet (`penstock_core.sql.masking.unused_sequences`);
`nextval` and its kin can't do that, so they are for other sequences alone.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.bind.binder import idents
from penstock_core.sql.bind.references import FunctionCall, TableFunction
from penstock_core.sql.masking.unused_sequences import STATE, state_of
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


def sequence_state(authorizer: Authorizer, use: TableFunction) -> None:
    """`FROM pg_get_sequence_data(…)`, by which a dump learns where sequences go on: as of one that is not used yet,
    where they number masked columns.
    """
    call = _only_call(use.item)
    if call is None or not _tells_state(authorizer, tuple(idents(call.funcname))):
        return
    authorizer.sequence_calls.add(id(call))
    authorizer.found.edits.set(call, "funcname", (ast.String(sval="pg_catalog"), ast.String(sval=STATE)))
    if authorizer.governed.sequences:
        authorizer.found.pinned = True
        alias = use.item.alias or ast.Alias(aliasname=STATE)
        authorizer.found.edits.put(use.place, state_of(call, alias, authorizer.governed.sequences))


def is_sequence_state(authorizer: Authorizer, use: FunctionCall) -> bool:
    """Whether it is a call of that function. Raises Refused where it stands so that nothing can be put in its place."""
    if not _tells_state(authorizer, use.names):
        return False
    if use.node is None or id(use.node) not in authorizer.sequence_calls:
        raise refused(
            f"function {STATE} may be called in FROM alone where columns are masked",
            f"write … FROM {STATE}('name')",
        )
    return True


def _tells_state(authorizer: Authorizer, names: tuple[str, ...]) -> bool:
    return names[-1] == STATE and names[:-1] in ((), ("pg_catalog",)) and STATE not in authorizer.catalog.user_functions


def _only_call(item: ast.RangeFunction) -> ast.FuncCall | None:
    """The one function of such an item, where nothing is added to what it returns."""
    if item.ordinality or item.is_rowsfrom or item.coldeflist or len(item.functions or ()) != 1:
        return None
    ((function, definitions),) = item.functions or ()
    if not isinstance(function, ast.FuncCall) or definitions or len(function.args or ()) != 1:
        return None
    return None if isinstance((function.args or ())[0], ast.NamedArgExpr) else function
