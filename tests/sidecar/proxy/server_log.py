"""What a PostgreSQL server says itself that it ran (`log_statement = all`, `log_duration`), beside what the trail says.

What doesn't belong: what is run (the tests).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pglast.parser import ParseError, split

from penstock_core.audit.event import BEGINS, ENDS
from penstock_core.sql.syntax.normalize import normalize
from penstock_sidecar.session.refusals import FAILING_TEXT

# A server that writes down all that it is sent. jsonlog needs PostgreSQL 15.
SETTINGS = {
    "logging_collector": "on", "log_destination": "jsonlog", "log_directory": "log", "log_statement": "all",
    "log_duration": "on", "log_rotation_size": "0", "log_parameter_max_length": "0",
}  # fmt: skip
_LOGGED = re.compile(r"\A(?:statement|execute [^:]*): (.*)\Z", re.DOTALL)
_NUMBERED = re.compile(r"\$[0-9]+")
# By the tag of the command, what the trail calls it.
_VERBS = {
    tag: tag.lower() for tag in ("SELECT", "INSERT", "UPDATE", "DELETE", "COPY", "FETCH", "BEGIN", "COMMIT", "ROLLBACK")
}


_ORDERED = "WITH penstock_rows AS ("
_FASTPATH = re.compile(r'\Afastpath function call: "(.*)" \(OID [0-9]+\)\Z')
_CANCELED = "57014"
# By it the gate refuses to run a prepared statement whose columns are others now: the server hears nothing of it.
_OTHER_COLUMNS = "0A000"
_OWN = "penstock catalog"
_Statement = TypeVar("_Statement")
# By the name of their application.
Sessions = dict[str, list[list[_Statement]]]


@dataclass
class Ran:
    """A text that the server ran: its statements without their values, and how it ended."""

    texts: tuple[str, ...]
    # The tag of its last command, where it ended well.
    tag: str = ""
    sqlstate: str = ""
    # It was cancelled when it had ended.
    late: bool = False


@dataclass(frozen=True)
class Told:
    """A statement as the trail has it: what was sent for it, what it is, and how it ended."""

    text: str
    verbs: tuple[str, ...]
    result: str
    sqlstate: str
    # It was too long for an event.
    cut: bool = False
    # Where its end is in the trail. What ran later may have been told before it, in one event.
    ended: int = 0


def sessions(directory: Path) -> frozenset[str]:
    """Those that the log knows, by their ids there."""
    return frozenset(line["session_id"] for line in _lines(directory))


def ran(directory: Path, applications: Collection[str] = (), but: Collection[str] = ()) -> Sessions[Ran]:
    """In the order of the log; of all applications if none is named, but for the gate's own look at the catalog."""
    logged: dict[str, list[Ran]] = defaultdict(list)
    names: dict[str, str] = {}
    for line in _lines(directory):
        if line["backend_type"] == "client backend" and line["session_id"] not in but:
            # It may be another later on.
            names.setdefault(line["session_id"], line.get("application_name", ""))
            _note(logged[line["session_id"]], line)
    found: Sessions[Ran] = defaultdict(list)
    for key, session in logged.items():
        if names[key] in applications or not (applications or names[key] == _OWN):
            found[names[key]].append(session)
    return found


def _lines(directory: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((directory / "data" / "log").glob("*.json")):
        # A line that is being written has no end yet; other encodings come as they are.
        for line in path.read_bytes().split(b"\n")[:-1]:
            yield json.loads(line.decode(errors="replace"))


def _note(session: list[Ran], line: dict[str, Any]) -> None:
    severity, message = line["error_severity"], line["message"]
    if severity == "LOG" and (logged := _LOGGED.match(message)) is not None:
        if FAILING_TEXT not in logged[1]:
            session.append(Ran(_statements(logged[1])))
    elif severity == "LOG" and (called := _FASTPATH.match(message)) is not None:
        session.append(Ran((f"SELECT pg_catalog.{called[1]}()",)))
    elif severity == "LOG" and message.startswith("duration: ") and session and not session[-1].sqlstate:
        session[-1].tag = line.get("ps", "")
    elif severity in ("ERROR", "FATAL") and FAILING_TEXT not in line.get("statement", ""):
        texts = _statements(line.get("statement", ""))
        if session and line["state_code"] == _CANCELED and session[-1].texts == texts and session[-1].tag:
            # The request came when it had ended, before the server said so.
            session[-1].late = True
            return
        over = session and (session[-1].tag or (session[-1].sqlstate and severity == "ERROR"))
        if not session or (texts and session[-1].texts != texts) or over:
            session.append(Ran(texts))
        session[-1].sqlstate = line["state_code"]


def _statements(text: str) -> tuple[str, ...]:
    if not text.strip("; \n"):
        return ()
    try:
        parts = split(text)
    except ParseError:
        parts = (text,)
    return tuple(_plain(normalize(one)) for one in parts)


def _plain(text: str) -> str:
    """Values are numbered through the whole text that a statement came in."""
    return _NUMBERED.sub("$", text).strip("; ")


def told(events: Iterable[dict[str, Any]], applications: Collection[str] = ()) -> Sessions[Told]:
    """In the order in which they came; without what was refused."""
    statements: dict[str, list[dict[str, Any]]] = defaultdict(list)
    ends: dict[tuple[str, int], dict[str, Any]] = {}
    names: dict[str, str] = {}
    for one in events:
        kind = one["kind"]
        if kind in BEGINS and one["decision"] != "deny":
            statements[one["session"]].append(one)
        if kind in ENDS:
            ends[one["session"], one["statement"]] = one
        if kind == "login" and "session" in one:
            names[one["session"]] = one["client"].get("application", "")
    found: Sessions[Told] = defaultdict(list)
    for key, session in statements.items():
        if names[key] in applications or not applications:
            session.sort(key=lambda one: int(one["statement"]))
            found[names[key]].append([_told(one, ends.get((key, one["statement"]), {})) for one in session])
    return found


def _told(one: dict[str, Any], end: dict[str, Any]) -> Told:
    text = _plain(one.get("rewritten") or one.get("sql") or "")
    cut = not {"sql", "rewritten"}.isdisjoint(one.get("truncated", ()))
    return Told(text, tuple(one["verbs"]), end.get("result", ""), end.get("sqlstate", ""), cut, end.get("seq", 0))


def complaints(log: Sessions[Ran], trail: Sessions[Told]) -> list[str]:
    """How the two differ, session by session of each application; empty if they tell the same."""
    found: list[str] = []
    for name in sorted({*log, *trail}):
        left = list(trail.get(name, ()))
        differing: list[list[Ran]] = []
        # First those that ran something for certain.
        for session in sorted(log.get(name, ()), key=lambda one: (bool(complaint(one, ())), len(one)), reverse=True):
            same = next((told for told in left if not complaint(session, told)), None)
            if same is not None:
                left.remove(same)
            elif complaint(session, ()):
                differing.append(session)
        for session in differing:
            compared = [_compared(session, told) for told in left] or [_compared(session, ())]
            found.append(f"{name}: {max(compared).words}")
            del left[compared.index(max(compared)) : compared.index(max(compared)) + 1]
        found += [f"{name}: the server knows of no session with {told[0]}" for told in left if complaint((), told)]
    return found


def complaint(session: Sequence[Ran], trail: Sequence[Told]) -> str:
    """How the two differ; empty if each statement that ran is told of once, as it was."""
    return _compared(session, trail).words


class _Compared(NamedTuple):
    # How far they agree; whether to their end, and their last, comes first.
    agree: bool
    statements: int
    words: str


def _compared(session: Sequence[Ran], trail: Sequence[Told]) -> _Compared:
    """In the order in which they came; or in which they ended, as a portal may run when others have."""
    came = _in_order(session, trail)
    return came if not came.words else max(came, _in_order(session, sorted(trail, key=lambda one: one.ended)))


def _in_order(session: Sequence[Ran], trail: Sequence[Told]) -> _Compared:
    # The server never saw those that were skipped, runs nothing at a Bind, and does not log what is no statement.
    left = [one for one in trail if one.result not in ("skipped", "unexecuted") and (one.text or one.verbs)]
    return _in_turn(session, left)


def _in_turn(session: Sequence[Ran], left: Sequence[Told]) -> _Compared:
    agree = 0
    for place, one in enumerate(session):
        if not one.texts:
            # Where a Describe fails, the log does not say of what; nor whether it was of anything.
            if one.sqlstate and left and left[0].sqlstate == one.sqlstate:
                rest = session[place + 1 :]
                behind = max(_in_turn(rest, left[1:]), _in_turn(rest, left), key=lambda one: (not one.words, one))
                return _Compared(behind.agree, agree + behind.statements, behind.words)
            continue
        count = len(one.texts)
        if one.sqlstate:
            # Of several, the log does not say which it was.
            count = next((at + 1 for at, each in enumerate(left[:count]) if each.result != "ok"), count)
        while left and left[0].sqlstate == _OTHER_COLUMNS and left[0].text != one.texts[0]:
            left = left[1:]
        mine = left[:count]
        left = left[count:]
        # Who leaves at once is not told how what was under way ended, nor is the gate.
        last = all(each.result == "unknown" for each in left)
        if words := _differ(one, count, mine, last=last):
            return _Compared(False, agree, f"behind {agree}, {words}")
        agree += count
    left = [one for one in left if one.result != "unknown"]
    return _Compared(not left, agree, f"the server did not run {left[0]}" if left else "")


def _is_text(told: Told, text: str) -> bool:
    return text.startswith(told.text) if told.cut else told.text == text


def _differ(one: Ran, count: int, mine: Sequence[Told], *, last: bool) -> str:
    if len(mine) != count or not all(map(_is_text, mine, one.texts)):
        return f"the server ran {one.texts}, the trail says {[each.text for each in mine]}"
    due = [("ok", "")] * len(mine)
    if one.sqlstate and due:
        due[-1] = ("error", one.sqlstate)
    ended = [(each.result, each.sqlstate) for each in mine]
    unlike = ended != due and not (one.late and ended == [("error", _CANCELED)])
    if unlike and not (last and ended[-1:] == [("unknown", "")]):
        return f"{one.texts} ended with {due}, the trail says {ended}"
    # Rows that a change returns may be put in order by a SELECT around it.
    ordered = mine and mine[-1].text.startswith(_ORDERED) and one.tag == "SELECT"
    if (verb := _VERBS.get(one.tag)) is not None and mine and mine[-1].verbs[:1] != (verb,) and not ordered:
        return f"{one.texts[-1]} is {verb}, the trail says {mine[-1].verbs}"
    return ""
