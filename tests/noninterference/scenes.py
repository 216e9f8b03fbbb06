"""What is asked of the twins: conversations, read from SQL files or written in Python, and what came back of them.

A block of a file is one scene; blank lines part them. Its leading comments name it, and say what else there is to know:

    -- the lowest address of a tenant
    -- as: reader
    SELECT id FROM users WHERE tenant = 5 LIMIT 1;

`as: IDENTITY` says who speaks (default: writer), `since: VERSION` which servers know it, `needs: EXTENSION` what they
must have (libxml, too), `unordered: WHY` that rows may come in any order, `varies: WHY` that some of it is chance,
`allowed` that nothing of it may be refused or fail, `commits` that it does not run inside a transaction that is rolled
back. A first block of comments with `---` holds for all scenes of the file. `@b(dba):` before a statement lets session
b, of that identity, say it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from tests.noninterference.client import Client, Message
from tests.noninterference.twins import Twin
from tests.sidecar.proxy.raw import bind, describe

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC

# The protocol that a statement comes by, and the format of its results in the extended one.
Mode = Literal["simple", "extended", "binary"]
MODES: tuple[Mode, ...] = get_args(Mode)

_WRITES = re.compile(
    r"\b(insert|update|delete|merge|create|drop|alter|truncate|refresh|cluster|reindex|vacuum|analyze|copy\s+\S+\s+from"
    r"|copy\s+\S+\s*\([^)]*\)\s+from|grant|revoke|comment|reassign|setval|nextval|into|lock)\b",
    re.IGNORECASE,
)
_TRANSACTION = re.compile(
    r"^\s*(begin|start|commit|rollback|abort|end|savepoint|release|discard|prepare transaction|vacuum|listen|notify"
    r"|create database|cluster|reindex)\b",
    re.IGNORECASE,
)
# Of a statement; its parameters may follow.
_ENDING = re.compile(r";\s*(-- \$ .*)?$")
_SPEAKER = re.compile(r"@(\w+)(?:\((\w+)\))?:\s*")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a file, who says it, what its COPY FROM STDIN is given, or its parameters are."""

    text: str
    session: str = ""
    identity: str = ""
    data: bytes = b""
    # Of its parameters, as text.
    values: tuple[bytes | None, ...] = ()


@dataclass(slots=True)
class Step:
    """One thing that was said, and all that came back."""

    said: str
    answer: list[Message]


@dataclass(slots=True)
class Talk:
    """A scene under way on one twin: its sessions, and what happened so far."""

    twin: Twin
    identity: str
    direct: bool = False
    steps: list[Step] = field(default_factory=list)
    _sessions: dict[str, Client] = field(default_factory=dict)

    def session(self, name: str = "", identity: str = "", **parameters: str) -> Client:
        """The session of that name, opened when it is first asked for."""
        if name not in self._sessions:
            who = identity or (name if name in ("direct", "superuser") else self.identity)
            self._sessions[name] = self.twin.connect(
                "direct" if self.direct and who != "superuser" else who, **parameters
            )
        return self._sessions[name]

    def greet(self, said: str, **parameters: str) -> list[Message]:
        """Open a session with startup parameters, and note what the greeting says."""
        client = self.session(f"greeting {len(self.steps)}", **parameters)
        return self.note(said, client.greeting)

    def sql(self, text: str, name: str = "", mode: Mode = "simple") -> list[Message]:
        """One statement and its answer."""
        return self.say(Statement(text, name), mode)

    def say(self, one: Statement, mode: Mode) -> list[Message]:
        """One statement and its answer; what has parameters goes by the extended protocol in any case."""
        client = self.session(one.session, one.identity)
        if mode == "simple" and not one.values:
            return self.note(one.text, client.ask(one.text, one.data))
        bound = bind(values=one.values, results=(int(mode == "binary"),))
        client.send(messages.parse("", one.text) + describe("S") + bound + describe("P") + messages.execute("") + SYNC)
        return self.note(one.text, client.answer(one.data, SYNC))

    def send(self, said: str, data: bytes, until: bytes = b"Z", name: str = "", identity: str = "") -> list[Message]:
        """Bytes of the scene's own, and the messages up to one of those kinds."""
        client = self.session(name, identity)
        client.send(data)
        return self.note(said, client.until(until) if until else [])

    def note(self, said: str, answer: list[Message]) -> list[Message]:
        self.steps.append(Step(said, answer))
        return answer

    def value(self, sql: str) -> str:
        """One value from the server itself, past the gate: an object's id, say, which the twins share."""
        for kind, body in self.session("superuser").ask(sql):
            if kind == b"D":
                return body[6:].decode()
        raise AssertionError(f"{sql} has no answer")

    def close(self) -> None:
        for client in self._sessions.values():
            client.close()


@dataclass(frozen=True, slots=True)
class Scene:
    """One conversation."""

    kind: str
    name: str
    play: Callable[[Talk, Mode], None]
    text: str
    identity: str = "writer"
    since: int = 0
    needs: str = ""
    unordered: str = ""
    varies: str = ""
    allowed: bool = False
    # The databases are made new after it.
    changes: bool = False
    modes: tuple[Mode, ...] = MODES
    # What a file says, statement by statement; empty for a scene in Python.
    statements: tuple[Statement, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kind}: {self.name}"

    def fits(self, version: int, extensions: frozenset[str]) -> bool:
        """Whether servers of that version can be asked."""
        return version >= self.since and (not self.needs or self.needs in extensions)


def load(folder: Path) -> list[Scene]:
    """All scenes of a folder's files, in the order of their names."""
    found: list[Scene] = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".sql":
            found += read(path)
        elif path.suffix == ".py":
            found += importlib.import_module(f"tests.noninterference.{folder.name}.{path.stem}").SCENES
    return found


def read(path: Path) -> list[Scene]:
    """The scenes of a file. Raises ValueError where it is not as it should be."""
    common: dict[str, str] = {}
    scenes: list[Scene] = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        lines = block.splitlines()
        if all(line.startswith("---") for line in lines):
            common = _directives([line[1:] for line in lines])
            common.pop("name", None)
            continue
        heads = [line for line in lines if line.startswith("-- ")]
        body = [line for line in lines if not line.startswith("-- ")]
        scenes.append(_scene(path.stem, {**common, **_directives(heads)}, list(_statements(body))))
    return scenes


_KNOWN = ("as", "since", "needs", "unordered", "varies", "allowed", "commits", "simple")


def _directives(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.removeprefix("--").strip().partition(":")
        if name in _KNOWN:
            found[name] = value.strip() or "yes"
        else:
            found["name"] = " ".join(filter(None, (found.get("name", ""), line.removeprefix("--").strip())))
    return found


def _statements(lines: list[str]) -> Iterator[Statement]:
    text: list[str] = []
    at = 0
    while at < len(lines):
        line, _, values = lines[at].partition("; -- $ ")
        text.append(line + ";" if values else line)
        at += 1
        if not text[-1].rstrip().endswith(";"):
            continue
        sql = "\n".join(text).strip().removesuffix(";")
        text = []
        session = identity = ""
        if found := _SPEAKER.match(sql):
            session, identity, sql = found[1], found[2] or "", sql[found.end() :]
        data: list[str] = []
        if re.search(r"\bfrom\s+stdin\b", sql, re.IGNORECASE):
            while at < len(lines) and not _ENDING.search(lines[at]):
                data.append(lines[at] + "\n")
                at += 1
        bound = tuple(None if one == "NULL" else one.encode() for one in values.split(" | ")) if values else ()
        yield Statement(sql, session, identity, "".join(data).encode(), bound)
    if "".join(text).strip():
        raise ValueError(f"a statement without its semicolon: {text}")


def _scene(kind: str, said: dict[str, str], statements: list[Statement]) -> Scene:
    texts = [one.text for one in statements]
    if not texts:
        raise ValueError(f"{kind}: {said.get('name')} says nothing")
    writes = any(_WRITES.search(text) for text in texts)
    commits = "commits" in said or any(_TRANSACTION.match(text) for text in texts)
    wrapped = writes and not commits

    def play(talk: Talk, mode: Mode) -> None:
        perform(talk, mode, statements, wrapped)

    name = said.get("name") or " ".join("; ".join(texts).split())[:100]
    return Scene(
        kind, name, play, ";\n".join(texts), said.get("as", "writer"), int(said.get("since", "0")),
        said.get("needs", ""), said.get("unordered", ""), said.get("varies", ""), "allowed" in said, writes and commits,
        ("simple",) if "simple" in said else MODES, tuple(statements),
    )  # fmt: skip


def single(kind: str, name: str, sql: str, **more: Any) -> Scene:
    """A scene of one statement."""
    return replace(_scene(kind, {"name": name}, [Statement(sql)]), **more)


def perform(talk: Talk, mode: Mode, statements: list[Statement], wrapped: bool) -> None:
    """Say them one after the other; `wrapped` in a transaction that goes on behind errors and is rolled back."""
    begun: set[str] = set()
    for one in statements:
        client = talk.session(one.session, one.identity)
        if wrapped:
            if one.session not in begun:
                client.ask("BEGIN")
                begun.add(one.session)
            client.ask("SAVEPOINT before")
        answer = talk.say(one, mode)
        if wrapped and any(kind == b"E" for kind, _ in answer):
            client.ask("ROLLBACK TO before")
    for name in begun:
        talk.session(name).ask("ROLLBACK")
