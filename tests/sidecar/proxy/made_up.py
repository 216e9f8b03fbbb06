"""Made-up conversations, by a seed: messages in an order that no driver has, of statements that each bear a name of
their own, so that what the server ran, what the client was told, what is left and the trail can be compared.

What doesn't belong: the comparison (`test_trail_made_up.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.sidecar.proxy.raw import bind, close, describe

from penstock_sidecar.wire.messages import FLUSH, SYNC, execute, message, parse, query

SCHEMA = """
CREATE TABLE told.marks (id int PRIMARY KEY);
ALTER TABLE told.marks OWNER TO penstock;
"""

# Marks that no INSERT of the client's own text makes.
OTHERS = 100_000
_SQL_NAMES = ("a", "b", "c")
_TEXTS: tuple[tuple[int, str], ...] = (
    (6, "SELECT id FROM told.people m{n} WHERE id < 6"),
    (6, "SELECT email FROM told.people m{n} WHERE id <= 3"),
    (3, "SELECT m{n}.a FROM generate_series(1, 4) m{n}(a)"),
    (8, "INSERT INTO told.marks AS m{n} (id) VALUES ({n})"),
    (3, "INSERT INTO told.marks AS m{n} (id) VALUES ({n}) RETURNING id"),
    (1, "WITH w{n} AS (INSERT INTO told.marks AS m{n} (id) VALUES ({n}) RETURNING id) SELECT id FROM w{n}"),
    (1, "INSERT INTO told.pets AS m{n} VALUES (1, 9999)"),
    (2, "SELECT 1 / (m{n}.a - 3) FROM generate_series(1, 5) m{n}(a)"),
    (1, "SELECT 1 / 0 AS m{n}"),
    (1, "SELEKT m{n}"),
    (1, "SELECT m{n}.nothing FROM told.people m{n}"),
    (2, "TRUNCATE told.people, told.m{n}"),
    (6, "BEGIN"), (4, "COMMIT"), (4, "ROLLBACK"), (1, "COMMIT AND CHAIN"), (1, "ROLLBACK AND CHAIN"),
    (1, "ABORT"), (1, "END"),
    (2, "SAVEPOINT s"), (2, "ROLLBACK TO s"), (1, "RELEASE s"),
    (2, "DECLARE {c} CURSOR FOR SELECT id FROM told.people m{n} WHERE id < 9"),
    (1, "DECLARE {c} CURSOR WITH HOLD FOR SELECT email FROM told.people m{n} WHERE id < 9"),
    (3, "FETCH 2 FROM {c}"), (1, "FETCH ALL FROM {c}"), (1, "MOVE 3 FROM {c}"), (1, "CLOSE {c}"), (1, "CLOSE ALL"),
    (2, "PREPARE {c} AS SELECT id FROM told.people m{n} WHERE id < 4"),
    (2, "PREPARE {c} AS INSERT INTO told.marks AS m{n} (id) VALUES ({n} + 100000)"),
    (3, "EXECUTE {c}"), (1, "DEALLOCATE {c}"), (1, "DEALLOCATE ALL"),
    (1, "EXPLAIN ANALYZE DELETE FROM told.marks m{n} WHERE id < 0"), (1, "EXPLAIN SELECT 1 AS m{n}"),
    (1, "DELETE FROM told.marks m{n} WHERE id < 0"),
    (1, "UPDATE told.people AS m{n} SET n = n + 1 WHERE id < 3"),
    (1, ""), (1, "-- m{n}"), (1, " ; "),
    (1, "SET CONSTRAINTS ALL IMMEDIATE"), (1, "SHOW statement_timeout"), (1, "SET work_mem = '4MB'"),
    (1, "COPY (SELECT id FROM told.people m{n} WHERE id < 8) TO STDOUT"),
    (1, "VALUES ({n}), (2)"), (1, "TABLE told.pets"),
    (1, "PREPARE TRANSACTION 'm{n}'"),
)  # fmt: skip
COPY_IN = "COPY told.marks (id) FROM STDIN"


@dataclass
class MadeUp:
    """Makes the parts of one conversation."""

    dice: random.Random
    texts: tuple[tuple[int, str], ...] = _TEXTS
    number: int = 0
    # Its messages, in words.
    said: list[str] = field(default_factory=list)

    def text(self) -> str:
        self.number += 1
        weights = [weight for weight, _ in self.texts]
        (chosen,) = self.dice.choices([text for _, text in self.texts], weights)
        return chosen.format(n=self.number, c=self.dice.choice(_SQL_NAMES))

    def query(self) -> bytes:
        count = self.dice.choice((1, 1, 1, 2, 3, 4))
        text = "; ".join(self.text() for _ in range(count))
        self.said.append(f"Q {text}")
        return query(text)

    def copy_in(self) -> bytes:
        """With its data, sent ahead, and its end."""
        self.number += 1
        good = self.dice.random() < 0.6
        body = f"{self.number + OTHERS}\n".encode() if good else b"x\n"
        end = message(b"c", b"") if self.dice.random() < 0.8 else message(b"f", b"no\x00")
        self.said.append(f"Q {COPY_IN} {body!r} {end[:1]!r}")
        return query(COPY_IN) + message(b"d", body) + end

    def pipeline(self) -> bytes:
        """Up to one Sync."""
        sent = b"".join(self._one() for _ in range(self.dice.randint(1, 9)))
        self.said.append("S")
        return sent + SYNC

    def _one(self) -> bytes:
        dice = self.dice
        portal, name = dice.choice(("", "", "p", "q")), dice.choice(("", "", "s", "t"))
        rows = dice.choice((0, 0, 0, 1, 2, 3, 100))

        def bound() -> bytes:
            return self._say(f"B {portal} {name}", bind(portal, name))

        def executed() -> bytes:
            return self._say(f"E {portal} {rows}", execute(portal, rows))

        def described() -> bytes:
            return self._say(f"D P{portal}", describe("P", portal))

        parts: tuple[tuple[int, Callable[[], list[bytes]]], ...] = (
            (8, lambda: [self._parse(name), bound(), executed()]),
            (2, lambda: [self._parse(name), bound(), described(), executed()]),
            (3, lambda: [self._parse(name)]),
            (3, lambda: [bound()]),
            (4, lambda: [executed()]),
            (1, lambda: [described()]),
            (1, lambda: [self._say(f"D S{name}", describe("S", name))]),
            (1, lambda: [self._say(f"C P{portal}", close("P", portal))]),
            (1, lambda: [self._say(f"C S{name}", close("S", name))]),
            (1, lambda: [self._say("H", FLUSH)]),
            (1, lambda: [self._say(f"B b{portal} a", bind(portal, dice.choice(_SQL_NAMES)))]),
        )  # fmt: skip
        (chosen,) = dice.choices([one for _, one in parts], [weight for weight, _ in parts])
        return b"".join(chosen())

    def _say(self, words: str, data: bytes) -> bytes:
        self.said.append(words)
        return data

    def _parse(self, name: str) -> bytes:
        text = self.text()
        return self._say(f"P {name} {text}", parse(name, text))

    def step(self) -> bytes:
        chosen = self.dice.choices((self.query, self.pipeline, self.copy_in), (4, 6, 0.5))[0]
        return chosen()
