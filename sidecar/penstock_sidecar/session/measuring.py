"""How many rows the server has changed so far in the open transaction, table by table: what is sent to ask, and read.

The server counts for its statistics what it inserts, updates and deletes, whoever has it done: the statement itself,
triggers, foreign keys, functions. Asked in the statement's own transaction before and after it, the difference is what
the statement changed. When this is asked, and what follows, is `counting.py`'s and `server_side.py`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from penstock_sidecar.session.in_flight import AnswerKind, Pending
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import MalformedError

# Every name is qualified: a search_path can put no other function or operator in the place of one. Tables that are not
# the system's own have larger numbers; views and partitioned tables hold no rows. Of a table that nothing changed there
# is no count, and a role that was put aside (OFFSET) is not asked twice.
_ROWS = " OPERATOR(pg_catalog.+) ".join(
    f"pg_catalog.pg_stat_get_xact_tuples_{what}(c.oid)" for what in ("inserted", "updated", "deleted")
)
_TEXT = f"""SELECT pg_catalog.current_setting('track_counts'::pg_catalog.text),
 pg_catalog.string_agg(pg_catalog.concat(t.oid, ':', t.n), ' '::pg_catalog.text)
 FROM (SELECT c.oid, {_ROWS} AS n FROM pg_catalog.pg_class AS c
 WHERE c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char"
 AND c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid OFFSET 0) AS t
 WHERE t.n OPERATOR(pg_catalog.>) 0"""  # noqa: S608 - nothing of it comes from outside

# How many rows were changed in each table, by its number; None: the server does not count.
Counts = Mapping[int, int] | None


def asking(nobody: str) -> tuple[bytes, list[Pending]]:
    """What asks for the counts, and what is due for it. The statement and portal have a name that no client knows, and
    leave nothing behind; nor are they hindered by what one that failed left behind.
    """
    name = hashlib.sha256(f"measuring {nobody}".encode()).hexdigest()[:32]
    tidy = messages.close_portal(name) + messages.close_statement(name)
    ask = messages.parse(name, _TEXT) + messages.bind(name, name) + messages.execute(name)
    kinds = AnswerKind
    due = (kinds.CLOSE, kinds.CLOSE, kinds.PARSE, kinds.BIND, kinds.EXECUTE, kinds.CLOSE, kinds.CLOSE)
    return tidy + ask + tidy, [Pending(kind, swallow=True) for kind in due]


def read(row: bytes) -> Counts:
    """The row that answers. Raises MalformedError."""
    values, given = messages.read_row(row), dict[int, int]()
    if len(values) != 2:
        raise MalformedError("the counts of changed rows are not what was asked for")
    counts, tables = values
    if counts != b"on":
        return None
    for one in (tables or b"").split():
        table, _, rows = one.partition(b":")
        if not (table.isdigit() and rows.isdigit()):
            raise MalformedError("the counts of changed rows can't be read")
        given[int(table)] = int(rows)
    return given


def changed(before: Mapping[int, int], after: Mapping[int, int]) -> int:
    """How many rows were changed between the two. Of a table that is gone, none are left to count."""
    return sum(max(0, rows - before.get(table, 0)) for table, rows in after.items())
