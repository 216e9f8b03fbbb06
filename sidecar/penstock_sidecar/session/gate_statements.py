"""Statements that are addressed to the gate and not to the server: those that ask for a ticket, and those that give a
transaction its context.

Recognized are the forms in which drivers can send them; whatever else would set or read a context is refused in words,
so that nothing seems to have worked that did nothing. Nothing of them reaches the server as it is. What doesn't belong:
what they do (`ticket_pipeline.py`, `context_pipeline.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError

from penstock_core.sql.decision import Denial
from penstock_core.sql.refusal import Refused, refused
from penstock_core.sql.syntax.constants import constant
from penstock_core.sql.syntax.parse import MAX_DEPTH
from penstock_core.sql.syntax.walk import below

TICKET = "penstock.ticket"
# A text that asks for a ticket is short, with comments around it, too.
_LONGEST_FOR_TICKET = 1024
_HINT = b"penstock"
CONTEXT = "penstock.context"
# What is sent to the server and recorded in place of a statement that holds a token.
SET_TEXT = f"SET LOCAL {CONTEXT} = ''"
_CALL = f"SELECT pg_catalog.set_config('{CONTEXT}', %s, true)"
CALL_TEXT = _CALL % "''"
# How long a text may be to be looked at, and what of it is beside the token. A longer one is decided about like any
# other, and settings of the gate's own are refused then.
_LONGEST, _LONGEST_BESIDE = 131_072, 2 * MAX_DEPTH
# A signed token, in quotes: it has no character that would have to be written in another way.
_TOKEN = re.compile(r"'([A-Za-z0-9_.-]{64,})'")
# How a name of the gate's own may begin that is not written plainly.
_ESCAPED = re.compile(r"u&['\"]", re.IGNORECASE)
_REMEDY = "within a transaction, write SET LOCAL penstock.context = '<token>' as a statement of its own"
_READERS = frozenset({"set_config", "current_setting"})
# Types that a driver may declare for the token: none, text, varchar, unknown.
TEXT_TYPES = frozenset({0, 25, 1043, 705})


def asks_for_ticket(text: bytes) -> bool:
    """Whether a text has `SHOW penstock.ticket` among its statements. Nearly all others are told at a glance."""
    if len(text) > _LONGEST_FOR_TICKET or _HINT not in text.lower():
        return False
    try:
        statements = parse_sql(text.decode())
    except (ParseError, UnicodeDecodeError):
        return False
    return any(_shows(one.stmt, TICKET) for one in statements)


def is_alone(text: bytes) -> bool:
    """Whether a text that asks for a ticket has no other statement."""
    return len(parse_sql(text.decode())) == 1


def _shows(statement: ast.Node | None, name: str) -> bool:
    return isinstance(statement, ast.VariableShowStmt) and str(statement.name).lower() == name


@dataclass(frozen=True, slots=True)
class ContextStatement:
    """A statement that gives the transaction its context."""

    # The token, where it is written out; else the one parameter is.
    token: str | None
    # What the server gets in its place.
    text: str
    # What is recorded: nothing of the client's own.
    recorded: str
    # Whether a BEGIN stands before it.
    begins: bool = False

    @property
    def calls(self) -> bool:
        """Whether it is a call, which returns what it was given."""
        return self.recorded == CALL_TEXT


@dataclass(frozen=True, slots=True)
class _Token:
    """A token that is written out somewhere, and what stands for it."""

    value: str
    mark: str


def gate_statement(text: str) -> ContextStatement | Denial | None:
    """What a text is to the gate: a statement that sets the context, one that can't be accepted, or none of its own."""
    if len(text) > _LONGEST or not (CONTEXT[:8] in text.lower() or _ESCAPED.search(text)):
        return None
    found = _TOKEN.search(text)
    token = None
    shortened = text
    if found is not None:
        # What stands for it while the text is parsed is nowhere else in the text.
        mark = "token"
        while mark in text:
            mark += "_"
        token = _Token(found[1], mark)
        shortened = text[: found.start(1)] + mark + text[found.end(1) :]
    if len(shortened) > _LONGEST_BESIDE:
        return None
    try:
        statements = [one for one in parse_sql(shortened) if one.stmt is not None]
    except (ParseError, UnicodeEncodeError):
        return None
    if not any(_concerns(one) for one in below(tuple(statements))):
        return None
    try:
        return _understood(shortened, statements, token)
    except Refused as refusal:
        return refusal.denial


def _concerns(node: ast.Node) -> bool:
    """Whether it sets or reads the context, wherever it stands."""
    if isinstance(node, ast.VariableSetStmt | ast.VariableShowStmt):
        return _is_context(node.name)
    if isinstance(node, ast.FuncCall) and node.args:
        return _names(node)[-1] in _READERS and _is_context(constant(node.args[0]))
    if isinstance(node, ast.DoStmt | ast.CreateFunctionStmt):
        written = node.args if isinstance(node, ast.DoStmt) else node.options
        return any(CONTEXT in part.lower() for part in _strings(written))
    return False


def _is_context(name: str | None) -> bool:
    return name is not None and name.lower() == CONTEXT


def _strings(options: Any) -> list[str]:
    """The bodies that are written as strings."""
    found: list[str] = []
    for option in options or ():
        parts = option.arg if isinstance(option.arg, tuple) else (option.arg,)
        found += [part.sval or "" for part in parts if isinstance(part, ast.String)]
    return found


def _understood(text: str, statements: list[ast.RawStmt], token: _Token | None) -> ContextStatement:
    """Raises Refused."""
    first, last = statements[0], statements[-1].stmt
    begins = len(statements) == 2 and _begins(first.stmt)
    if len(statements) > 1 and not begins:
        raise refused("a context can't be set beside other statements in one text, but for a BEGIN before it", _REMEDY)
    if isinstance(last, ast.VariableSetStmt):
        made = _set(last, token)
    elif isinstance(last, ast.SelectStmt) and not begins:
        made = _called(last, token)
    elif isinstance(last, ast.VariableShowStmt):
        raise refused("penstock.context can't be read: the token goes no further than the gate", "ask the application")
    else:
        raise refused("penstock.context can't be set or read like this: a context counts for one transaction", _REMEDY)
    if not begins:
        return made
    place = first.stmt_location or 0
    written = text[place : place + (first.stmt_len or 0)]
    return replace(made, text=f"{written}; {SET_TEXT}", begins=True)


def _begins(node: ast.Node | None) -> bool:
    kinds = enums.TransactionStmtKind
    return isinstance(node, ast.TransactionStmt) and node.kind in (kinds.TRANS_STMT_BEGIN, kinds.TRANS_STMT_START)


def _set(node: ast.VariableSetStmt, token: _Token | None) -> ContextStatement:
    if node.kind != enums.VariableSetKind.VAR_SET_VALUE:
        raise refused("a context can't be taken back: it ends with its transaction", _REMEDY)
    if not node.is_local:
        raise refused("a context can't be set for the whole session: others will use it, too", _REMEDY)
    (value, *more) = node.args or (None,)
    return ContextStatement(_written(None if more else value, token), SET_TEXT, SET_TEXT)


def _written(value: Any, token: _Token | None) -> str:
    """The token that a constant holds."""
    if token is None or not isinstance(value, ast.A_Const) or constant(value) != token.mark:
        raise refused("what is given as the context is no signed token (JWS)", _REMEDY)
    return token.value


def _called(node: ast.SelectStmt, token: _Token | None) -> ContextStatement:
    """`SELECT set_config('penstock.context', …, true)`, and nothing else."""
    targets = node.targetList or ()
    call = targets[0].val if len(targets) == 1 else None
    if not isinstance(call, ast.FuncCall) or not _only(node, "targetList", "limitOption", "op"):
        raise refused("a context can't be set or read within a query", _REMEDY)
    *schema, function = _names(call)
    if function == "current_setting":
        raise refused("penstock.context can't be read: the token goes no further than the gate", "ask the application")
    arguments = call.args or ()
    if schema not in ([], ["pg_catalog"]) or len(arguments) != 3 or not _only(call, "funcname", "args", "funcformat"):
        raise refused("a context can't be set by that call", _REMEDY)
    name, value, local = arguments
    if not isinstance(name, ast.A_Const):
        raise refused("a context can't be set by that call", _REMEDY)
    if not (isinstance(local, ast.A_Const) and isinstance(local.val, ast.Boolean) and local.val.boolval):
        raise refused("a context can't be set for the whole session: others will use it, too", _REMEDY)
    column = '"{}"'.format((targets[0].name or "set_config").replace('"', '""'))
    inner = value.arg if isinstance(value, ast.TypeCast) and _is_text(value.typeName) else value
    if isinstance(inner, ast.ParamRef):
        if inner.number != 1:
            raise refused("the token has to be the one parameter of the statement that sets a context", _REMEDY)
        return ContextStatement(None, f"{_CALL % '$1'} AS {column}", CALL_TEXT)
    return ContextStatement(_written(inner, token), f"{CALL_TEXT} AS {column}", CALL_TEXT)


def _names(call: ast.FuncCall) -> list[str]:
    return [str(one.sval) for one in call.funcname or ()]


def _is_text(node: ast.TypeName | None) -> bool:
    """Whether a cast is to a type that leaves a token as it is."""
    if node is None or node.arrayBounds or node.typmods:
        return False
    named = [str(one.sval) for one in node.names or ()]
    return named in (["text"], ["pg_catalog", "text"], ["varchar"], ["pg_catalog", "varchar"])


def _only(node: ast.Node, *fields: str) -> bool:
    """Whether nothing but these fields is set."""
    return all(not getattr(node, name) for name in node if name not in (*fields, "location"))
