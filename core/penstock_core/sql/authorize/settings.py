"""Which settings an identity may change, and to what: the rules for SET, RESET and set_config()."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pglast import ast, enums

from penstock_core.policy.effective import CostLimit, Limit
from penstock_core.sql.allowlists.settings import ANY, COSTS, MODULES, ONLY, UNMASKED, WHO
from penstock_core.sql.refusal import Refused, refused
from penstock_core.sql.syntax.constants import constant

# How the server reads times; it takes more than these (fractions, microseconds, octal numbers), which are not needed.
_TIME = re.compile(" *(0|[1-9][0-9]{0,9}) *(ms|s|min|h|d)? *", re.ASCII)
_UNITS = {None: 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_TIMEOUT = "statement_timeout"
# First part of the names that mean something to the gate itself, which reads them before anything is decided: what
# comes to the server by such a name would be a setting that means nothing, and seem to have worked.
GATE = "penstock"
GATE_REMEDY = "SET LOCAL penstock.context = '<token>', as a statement of its own, within a transaction"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What of settings an identity may change in one database."""

    # First parts of the settings that loaded modules define.
    modules: frozenset[str] = frozenset()
    # Whether anything is masked for the identity.
    masked: bool = True
    # What the policy limits statement_timeout to.
    longest: Limit | None = None
    # What the policy limits the planner's estimates to.
    dearest: CostLimit | None = None
    # The role that sessions log in as and act for; empty where that is not known.
    login: str = ""


def timeout_milliseconds(value: str) -> int | None:
    """What the server makes of a value of statement_timeout; None where that is not certain."""
    found = _TIME.fullmatch(value)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def may_begin_with(name: str, value: str) -> bool | None:
    """Whether a session may begin with that setting (its name in lower case), as it may SET it later.

    None: that depends on the identity and the database; SET has to be asked about.
    """
    prefix, dot, _ = name.partition(".")
    if dot:
        return False if prefix in MODULES or prefix == GATE else None
    if name in ANY or (name in ONLY and value.lower() in ONLY[name]):
        return True
    return None if name in UNMASKED else False


def check_setting(change: ast.VariableSetStmt | ast.FuncCall, written: str | None, bounds: Bounds) -> None:
    """Raises Refused for a SET, RESET or set_config() that is not allowed; `written` is the name that this is given."""
    if isinstance(change, ast.FuncCall):
        check_set_config(change, written, bounds)
    else:
        check_set(change, bounds)


def loosens(change: ast.VariableSetStmt | ast.FuncCall, written: str | None, bounds: Bounds) -> bool:
    """Whether only an identity without masks may do it: should there be masks later, the session is another."""
    if bounds.masked:
        return False
    try:
        check_setting(change, written, replace(bounds, masked=True))
    except Refused:
        return True
    return False


def check_set(node: ast.VariableSetStmt, bounds: Bounds) -> None:
    """Raises Refused for a SET or RESET that is not allowed.

    Setting statement_timeout back is no way around its limit: the session began with no more than that.
    """
    name = (node.name or "").lower()
    kind = node.kind
    kinds = enums.VariableSetKind
    if kind == kinds.VAR_RESET_ALL:
        return
    if kind == kinds.VAR_SET_MULTI:
        if name not in ("transaction", "session characteristics", "transaction snapshot"):
            raise refused(f"SET {name.upper()} is not allowed", "remove it")
        return
    if kind == kinds.VAR_SET_VALUE:
        values = _values(node.args)
        _check(name, values, bounds)
        if name == _TIMEOUT and bounds.longest is not None:
            _check_timeout(values, bounds.longest)
    elif kind in (kinds.VAR_SET_DEFAULT, kinds.VAR_RESET):
        # Back to what the session began with, which the gate pinned.
        _check(name, None, bounds)
    else:
        raise refused(f"SET {name} FROM CURRENT is not allowed", "set it to a value")


def check_set_config(call: ast.FuncCall, written: str | None, bounds: Bounds) -> None:
    """Whether set_config(name, value, is_local) may be called; the name must be written out. Raises Refused."""
    arguments = call.args or ()
    qualified = len(call.funcname or ()) > 1 and (call.funcname or ())[0].sval != "pg_catalog"
    if written is None or qualified or len(arguments) != 3:
        raise refused("set_config() needs the name of the setting as a constant", "use SET")
    name, argument = written, arguments[1]
    value = constant(argument)
    _check(name, None if name in ANY else (value,), bounds)
    if name == _TIMEOUT and bounds.longest is not None:
        # A cast could make another value of it.
        _check_timeout([value if isinstance(argument, ast.A_Const) else None], bounds.longest)


def _check(name: str, values: Sequence[str | None] | None, bounds: Bounds) -> None:
    """Whether the setting may be set, and (where values are given) to these."""
    prefix, dot, _ = name.partition(".")
    if dot:
        if prefix == GATE:
            raise refused(f"setting {name} can't be set like this: it is the gate's own", f"write {GATE_REMEDY}")
        if prefix in MODULES or prefix in bounds.modules:
            raise _refused(name)
        return
    if name in WHO:
        # Names of roles are compared as they are.
        own = WHO[name] | {bounds.login} if bounds.login else frozenset[str]()
        if values is not None and not (len(values) == 1 and values[0] in own):
            raise refused(f"setting {name} may not name another role", "keep the present role")
        return
    if name in COSTS and bounds.dearest is not None:
        reason = f"setting {name} may not be changed: the planner's estimates, which are limited, are computed by it"
        raise refused(reason, "remove the SET", bounds.dearest.rule)
    if name in ANY or (not bounds.masked and name in UNMASKED):
        return
    if name not in ONLY:
        raise _refused(name)
    if values is not None and not (len(values) == 1 and (values[0] or "").lower() in ONLY[name]):
        raise refused(f"setting {name} may not be set to that value", f"use {' or '.join(sorted(ONLY[name]))}")


def _check_timeout(values: Sequence[str | None], longest: Limit) -> None:
    (value,) = values if len(values) == 1 else (None,)
    asked = None if value is None else timeout_milliseconds(value)
    if asked is None:
        reason, remedy = "statement_timeout accepts only a time that is a plain constant", "write it as in '30s'"
    elif not 0 < asked <= longest.value:
        # 0 is no timeout at all.
        reason = f"statement_timeout may not be more than {longest.value} ms"
        remedy = "set a shorter time, or keep the present one"
    else:
        return
    raise refused(reason, remedy, longest.rule)


def _refused(name: str) -> Refused:
    return refused(f"setting {name} may not be changed", "remove the SET")


def _values(nodes: Sequence[Any] | None) -> list[str | None]:
    return [constant(node) for node in nodes or ()]
