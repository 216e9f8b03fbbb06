"""What a statement that the server has completed changed of what the session knows by name: transactions, prepared
statements, cursors, temporary tables.

Only its tag tells, in the order of the text. How many rows it had is `server_side.py`'s.
"""

from __future__ import annotations

from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, Pending, StatementRun
from penstock_sidecar.session.kept_names import ByKeptName

# Tags of what ends a transaction, or begins one.
_TRANSACTIONS = (b"BEGIN", b"START TRANSACTION", b"COMMIT", b"ROLLBACK", b"PREPARE TRANSACTION")
_ENDS = frozenset({b"COMMIT", b"ROLLBACK", b"PREPARE TRANSACTION"})
# Of what may commit by itself, where it came in a message of its own.
_COMMITTING = frozenset({b"CALL", b"DO"})


def note(flow: Flow, tag: bytes, head: Pending) -> None:
    """What `head` is due for was completed, with a tag that has no number of rows."""
    if tag == b"DROP TABLE" and head.decision is not None:
        flow.temporary.dropped(head.decision.drops_tables - head.decision.temporary)
    elif tag.startswith(_TRANSACTIONS):
        _transaction(flow, tag)
        _recorded(flow, tag, head)
        if tag in _ENDS:
            flow.contexts.completed(head.decision)
    elif tag in _COMMITTING and head.kind is AnswerKind.EXECUTE:
        flow.transactions.parted()
    elif tag.startswith((b"DEALLOCATE", b"DISCARD", b"CLOSE CURSOR", b"PREPARE", b"DECLARE")):
        _given_up(flow, tag, head.running)


def _transaction(flow: Flow, tag: bytes) -> None:
    flow.in_block = tag in (b"BEGIN", b"START TRANSACTION")
    if tag == b"COMMIT":
        flow.temporary.committed()
    elif tag == b"ROLLBACK":
        flow.temporary.rolled_back()


def _recorded(flow: Flow, tag: bytes, head: Pending) -> None:
    """What the trail has of it. `ROLLBACK TO` has the tag of ROLLBACK."""
    running, decision = head.running, head.decision
    if running is not None and not running.transaction:
        running.transaction = flow.transactions.ran(ok=True, failed=False)
    parts = () if decision is None else decision.recorded
    place = len(parts) - 1 - (0 if running is None else len(running.following or ()))
    flow.transactions.completed(tag, ends=0 <= place < len(parts) and parts[place].ends)


def _given_up(flow: Flow, tag: bytes, running: StatementRun | None) -> None:
    """Prepared statements, cursors or temporary tables are gone, or anew, in the order of the text."""
    names = None if running is None else running.names
    if tag.startswith(b"PREPARE"):
        if tag == b"PREPARE" and names is not None and names.prepares:
            # The server had none of that name, whatever became of the one that Parse had made.
            flow.statements.pop(names.prepares.pop(0), None)
        return
    if tag == b"DECLARE CURSOR":
        if names is not None and names.declares:
            flow.sql_prepared.tally(names.declares.pop(0)).begin()
        return
    if tag.startswith(b"CLOSE"):
        flow.sql_prepared.closed(names.closes.pop(0) if names is not None and names.closes else "*")
        return
    if tag in (b"DISCARD ALL", b"DISCARD TEMP"):
        flow.temporary.dropped()
    if tag == b"DISCARD ALL":
        flow.sql_prepared.closed("*")
        if len(flow.queue) == 1:
            flow.surroundings.discarded()
    elif not tag.startswith(b"DEALLOCATE"):
        return
    elif names is None or not names.deallocates:
        # Of a text that was not analysed. The server has the last word on what is there.
        flow.sql_prepared.deallocated("*")
        return
    name = "*" if tag == b"DISCARD ALL" or names is None else names.deallocates.pop(0)
    flow.sql_prepared.deallocated(name)
    if name == "*":
        # But the unnamed one.
        unnamed = flow.statements.pop("", None)
        flow.statements = ByKeptName({} if unnamed is None else {"": unnamed})
    else:
        flow.statements.pop(name, None)
