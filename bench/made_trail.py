"""A made-up trail: what gates tell of short reads, of sessions and of a few refusals, sealed as they seal it.

The same for the same seed. Which statements: those of a shop's services, of people, and of agents that act for people.
What doesn't belong: where it goes (`audit.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock_core.audit.chain import Head, canonical

_ISSUER = "https://login.example/realms/staff"
_BEGINNING = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)
_SESSION_LENGTH = 200
_REFUSED_SHARE = 0.01
# Text as it is on record (without its values), verbs, relations, masked columns.
_TEXTS = (
    ("SELECT id, email, name FROM customers WHERE id = $1", "customers", ("email",)),
    ("SELECT id, placed_at FROM orders WHERE customer_id = $1 ORDER BY placed_at DESC LIMIT $2", "orders", ()),
    ("SELECT p.sku, p.title, p.price FROM products p WHERE p.sku = $1", "products", ()),
    ("SELECT count(*) FROM orders WHERE state = '…' AND placed_at > '…'", "orders", ()),
    ("SELECT a.street, a.city FROM addresses a WHERE a.customer_id = $1", "addresses", ("street", "city")),
    ("SELECT card_number, expires FROM payments WHERE order_id = $1", "payments", ("card_number",)),
    ("SELECT s.sku, s.left_over FROM stock s WHERE s.warehouse = $1 AND s.left_over < $2", "stock", ()),
    ("SELECT r.stars, r.body FROM reviews r WHERE r.product_id = $1 ORDER BY r.id DESC LIMIT 20", "reviews", ()),
    ("SELECT t.id, t.subject, t.state FROM tickets t WHERE t.assignee = $1 AND t.state <> '…'", "tickets", ()),
    ("SELECT v.code, v.percent FROM vouchers v WHERE v.code = $1 AND now() < v.ends", "vouchers", ()),
)  # fmt: skip
_REFUSED = ("DELETE FROM customers", "customers")


@dataclass(slots=True)
class _Gate:
    """One gate's stream, and the session that runs through it."""

    head: Head
    identity: dict[str, Any]
    session: str = ""
    number: int = 0
    policies: list[str] = field(default_factory=list)


class MadeTrail:
    """Batches of lines of several gates, as they would ship them."""

    def __init__(self, gates: int = 8, seed: int = 1, *, pairs: bool = False) -> None:
        """`pairs`: each statement is an intent and an outcome, as where a policy has `onFailure: block`."""
        self._pairs = pairs
        self._random = random.Random(seed)
        self._now = _BEGINNING
        self._gates = [self._gate(number) for number in range(gates)]
        # How many statements there are so far.
        self.statements = 0

    def batches(self, statements: int, of_one: int = 50) -> Iterator[tuple[str, list[bytes]]]:
        """Stream and lines, `of_one` statements in each, until there are so many more."""
        end = self.statements + statements
        while self.statements < end:
            gate = self._random.choice(self._gates)
            lines = [line for _ in range(min(of_one, end - self.statements)) for line in self._statement(gate)]
            yield gate.head.stream, lines

    def _gate(self, number: int) -> _Gate:
        service = ("shop-web", "support-agent", "reports", "billing")[number % 4]
        identity: dict[str, Any] = {
            "name": f"shop/{service}",
            "workload": {
                "namespace": "shop", "serviceAccount": service,
                "pod": f"{service}-{self._hex(5)}-{self._hex(2)}", "podUid": self._uid(),
            },
        }  # fmt: skip
        if number % 2:
            person = self._random.choice(("ines", "jonas", "mara", "tomas", "yuki"))
            identity["name"] = f"{service} for {person}@shop.example"
            identity["principal"] = {
                "kind": "agent", "subject": service, "issuer": _ISSUER, "groups": ["agents"], "assurance": "verified",
            }  # fmt: skip
            identity["actsFor"] = [
                {
                    "kind": "person", "subject": f"{person}@shop.example", "issuer": _ISSUER,
                    "groups": ["staff", "support"], "assurance": "verified",
                }
            ]  # fmt: skip
        head = Head(f"{identity['workload']['podUid']}/{self._hex(8)}")
        return _Gate(head, identity, policies=["shop-defaults", f"{service}-reads"])

    def _statement(self, gate: _Gate) -> Iterator[bytes]:
        if not gate.session or gate.number >= _SESSION_LENGTH:
            yield from self._next_session(gate)
        gate.number += 1
        self.statements += 1
        key: dict[str, Any] = {"session": gate.session, "statement": gate.number}
        refused = self._random.random() < _REFUSED_SHARE
        text, table, masked = (*_REFUSED, ()) if refused else self._random.choice(_TEXTS)
        intent: dict[str, Any] = {
            "kind": "intent", **key, "identity": gate.identity, "database": "shop",
            "decision": "deny" if refused else "rewrite" if masked else "allow",
            "verbs": ["delete" if refused else "select"], "relations": [f"public.{table}"],
            "masked": [f"public.{table}.{column}" for column in masked], "policies": gate.policies,
            "policyGeneration": 12, "protocol": "extended", "sql": text, "sqlHmac": self._hex(32),
        }  # fmt: skip
        if "$1" in text:
            intent["parameters"] = text.count("$")
        if masked:
            intent["masks"] = [
                {"column": one, "mask": "partial", "policy": "shop-defaults", "rule": "masks[0]"}
                for one in intent["masked"]
            ]
        if refused:
            intent |= {
                "policy": "shop-defaults", "rule": "guardrails.requireWhere",
                "reason": "DELETE without WHERE on public.customers", "hint": "say which rows are meant, in a WHERE",
            }  # fmt: skip
        rows = 0 if refused else self._random.randint(0, 20)
        outcome: dict[str, Any] = {
            "kind": "outcome", **key, "result": "denied" if refused else "ok", "sqlstate": "42501" if refused else "",
            "rows": rows, "bytes": rows * self._random.randint(30, 120), "durationUs": self._random.randint(180, 9_000),
            "transaction": gate.number,
        }  # fmt: skip
        if self._pairs:
            yield self._seal(gate, intent)
            yield self._seal(gate, outcome)
        else:
            yield self._seal(gate, {**intent, **outcome, "kind": "statement"})

    def _next_session(self, gate: _Gate) -> Iterator[bytes]:
        port = self._random.randint(32_768, 60_999)
        client = {
            "addr": f"10.1.{self._random.randrange(256)}.{self._random.randrange(256)}:{port}",
            "application": "web", "user": "app", "database": "shop",
        }  # fmt: skip
        common = {"identity": gate.identity, "database": "shop"}
        if gate.session:
            told = {"reason": "the client ended the session", "statements": gate.number, "durationUs": 90_000_000}
            yield self._seal(
                gate, {"kind": "session", "session": gate.session, **common, "event": "end", "client": client, **told}
            )
        gate.session, gate.number = self._hex(8), 0
        yield self._seal(
            gate, {"kind": "login", "session": gate.session, **common, "outcome": "accepted", "client": client}
        )

    def _seal(self, gate: _Gate, body: dict[str, Any]) -> bytes:
        self._now += timedelta(microseconds=self._random.randint(200, 4_000))
        time = self._now.isoformat(timespec="microseconds").replace("+00:00", "Z")
        event, gate.head = gate.head.seal(body, time)
        return canonical(event)

    def _hex(self, size: int) -> str:
        return self._random.randbytes(size).hex()

    def _uid(self) -> str:
        digits = self._hex(16)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
