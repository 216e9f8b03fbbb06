"""Statements that are addressed to the gate itself: recognized here, answered by whoever knows the answer.

Nothing of them reaches the server. What doesn't belong: what they do (`ticket_pipeline.py`).
"""

from __future__ import annotations

from pglast import ast, parse_sql
from pglast.parser import ParseError

TICKET = "penstock.ticket"
# A text that asks for a ticket is short, with comments around it, too.
_LONGEST = 1024
_HINT = b"penstock"


def asks_for_ticket(text: bytes) -> bool:
    """Whether a text has `SHOW penstock.ticket` among its statements. Nearly all others are told at a glance."""
    if len(text) > _LONGEST or _HINT not in text.lower():
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
