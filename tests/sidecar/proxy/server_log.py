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
from typing import Any, TypeVar

from pglast.parser import ParseError, split

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


@dataclass(frozen=True)
class Told:
    """A statement as the trail has it: what was sent for it, what it is, and how it ended."""

    text: str
    verbs: tuple[str, ...]
    result: str
    sqlstate: str


def ran(directory: Path, applications: Collection[str] = ()) -> Sessions[Ran]:
    """In the order of the log; of all applications if none is named, but for the gate's own look at the catalog."""
    sessions: dict[str, list[Ran]] = defaultdict(list)
    names: dict[str, str] = {}
    for line in _lines(directory):
        if line["backend_type"] == "client backend":
            # It may be another later on.
            names.setdefault(line["session_id"], line.get("application_name", ""))
            _note(sessions[line["session_id"]], line)
    found: Sessions[Ran] = defaultdict(list)
    for key, session in sessions.items():
        if names[key] in applications or not (applications or names[key] == _OWN):
            found[names[key]].append(session)
    return found


def _lines(directory: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((directory / "data" / "log").glob("*.json")):
        yield from map(json.loads, path.read_text().splitlines())


def _note(session: list[Ran], line: dict[str, Any]) -> None:
    severity, message = line["error_severity"], line["message"]
    if severity == "LOG" and (logged := _LOGGED.match(message)) is not None:
        if FAILING_TEXT not in logged[1]:
            session.append(Ran(_statements(logged[1])))
    elif severity == "LOG" and message.startswith("duration: ") and session and not session[-1].sqlstate:
        session[-1].tag = line.get("ps", "")
    elif severity == "ERROR" and FAILING_TEXT not in line.get("statement", ""):
        texts = _statements(line.get("statement", ""))
        if not session or session[-1].texts != texts or session[-1].tag:
            # It got no further than Parse or Bind.
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
    return _NUMBERED.sub("$", text).rstrip("; ")


def told(events: Iterable[dict[str, Any]], applications: Collection[str] = ()) -> Sessions[Told]:
    """In the order of its statements; without what was refused."""
    statements: dict[str, list[dict[str, Any]]] = defaultdict(list)
    ends: dict[tuple[str, int], dict[str, Any]] = {}
    names: dict[str, str] = {}
    for one in events:
        match one["kind"]:
            case "intent" if one["decision"] != "deny":
                statements[one["session"]].append(one)
            case "outcome":
                ends[one["session"], one["statement"]] = one
            case "login" if "session" in one:
                names[one["session"]] = one["client"].get("application", "")
    found: Sessions[Told] = defaultdict(list)
    for key, session in statements.items():
        if names[key] in applications or not applications:
            session.sort(key=lambda one: int(one["statement"]))
            found[names[key]].append([_told(one, ends.get((key, one["statement"]), {})) for one in session])
    return found


def _told(one: dict[str, Any], end: dict[str, Any]) -> Told:
    text = _plain(one.get("rewritten") or one.get("sql") or "")
    return Told(text, tuple(one["verbs"]), end.get("result", ""), end.get("sqlstate", ""))


def complaints(log: Sessions[Ran], trail: Sessions[Told]) -> list[str]:
    """How the two differ, session by session of each application; empty if they tell the same."""
    found: list[str] = []
    for name in sorted({*log, *trail}):
        left = list(trail.get(name, ()))
        for session in log.get(name, ()):
            differing = [complaint(session, told) for told in left]
            if "" in differing:
                del left[differing.index("")]
            elif any(one.texts for one in session):
                found.append(
                    f"{name}: {differing[0] if differing else f'the trail has no session with {session[0].texts}'}"
                )
        found += [f"{name}: the server knows of no session with {told[0]}" for told in left if complaint((), told)]
    return found


def complaint(session: Sequence[Ran], trail: Sequence[Told]) -> str:
    """How the two differ; empty if each statement that ran is told of once, as it was."""
    # The server never saw those that were skipped, nor what is no statement.
    left = [one for one in trail if one.result != "skipped" and (one.text or one.verbs)]
    for one in session:
        count = len(one.texts)
        if one.sqlstate:
            # Of several, the log does not say which it was.
            count = next((at + 1 for at, each in enumerate(left[:count]) if each.result != "ok"), count)
        mine, left = left[:count], left[count:]
        if [each.text for each in mine] != list(one.texts[:count]):
            return f"the server ran {one.texts}, the trail says {[each.text for each in mine]}"
        due = [("ok", "")] * len(mine)
        if one.sqlstate and due:
            due[-1] = ("error", one.sqlstate)
        if (ended := [(each.result, each.sqlstate) for each in mine]) != due:
            return f"{one.texts} ended with {due}, the trail says {ended}"
        if (verb := _VERBS.get(one.tag)) is not None and mine and mine[-1].verbs[:1] != (verb,):
            return f"{one.texts[-1]} is {verb}, the trail says {mine[-1].verbs}"
    return f"the server did not run {left[0]}" if left else ""
