"""The script of the demo: who runs which SQL, where, and what must come of it.

What doesn't belong: starting anything (`stage.py`), printing (`command.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from penstock_cli.demo.tokens import Actor

AGENT = Actor("agent", "support-bot", ("support",))
OFFICER = Actor("person", "dana", ("dpo",))

CARD = "4111111111111111"
EMAIL = "ada@example.com"


@dataclass(frozen=True, slots=True)
class Scene:
    """One statement on the stage."""

    title: str
    # None: straight to the database, with the database's own password.
    actor: Actor | None
    sql: str
    # What psql printed, both streams → whether it is as it should be.
    expected: Callable[[str], bool]
    # For whoever reads along.
    remark: str


def _shows(*words: str) -> Callable[[str], bool]:
    return lambda output: all(word in output for word in words)


def _shows_no_raw_value(*words: str) -> Callable[[str], bool]:
    return lambda output: all(word in output for word in words) and CARD not in output and EMAIL not in output


_GUESS = "SELECT count(*) AS found FROM customers WHERE email = 'ada@example.com';"
_PAYMENTS = (
    "SELECT c.name, c.email, p.card_number, p.amount\n"
    "FROM customers c JOIN payments p ON p.customer_id = c.id ORDER BY p.id LIMIT 3;"
)

SCENES: tuple[Scene, ...] = (
    Scene("Without the gate", None, _PAYMENTS, _shows(EMAIL, CARD), "One password, and all is seen."),
    Scene(
        "The same through the gate, as the support agent",
        AGENT,
        _PAYMENTS,
        _shows_no_raw_value("a***@example.com", "***********1111", "120.00"),
        "The database itself computed the masks: no raw value left it.",
    ),
    Scene(
        "The same through the gate, as the data protection officer",
        OFFICER,
        _PAYMENTS,
        _shows(EMAIL, CARD),
        "Another identity, another policy.",
    ),
    Scene(
        "A guess through WHERE",
        AGENT,
        _GUESS,
        lambda output: re.search(r"^\s*0$", output, re.MULTILINE) is not None,
        "The predicate sees the mask too, so a guess finds nothing.",
    ),
    Scene(
        "Through a view",
        AGENT,
        "SELECT name, email, spent FROM big_spenders ORDER BY spent DESC LIMIT 2;",
        _shows("b***@example.org", "980.00"),
        "What derives from a governed column is governed.",
    ),
    Scene(
        "A COPY of the whole table",
        AGENT,
        "COPY payments (id, card_number, amount) TO STDOUT WITH (FORMAT csv, HEADER);",
        _shows_no_raw_value("id,card_number,amount", "1,************1111,120.00"),
        "COPY is a query like any other: it comes out masked.",
    ),
    Scene(
        "An UPDATE of a table with masked columns",
        AGENT,
        "UPDATE customers SET note = 'wrote from ' || email WHERE id = 1 RETURNING name, email, note;",
        _shows_no_raw_value("a***@example.com", "wrote from a***@example.com", "UPDATE 1"),
        "What it reads of the row is masked too, even on the way into another column.",
    ),
    Scene(
        "An UPDATE of a masked column",
        AGENT,
        "UPDATE customers SET email = lower(email) WHERE id = 1;",
        _shows_no_raw_value("ERROR", "customers.email", "masked"),
        "Writing a mask back would overwrite the value that it hides.",
    ),
    Scene(
        "A DELETE that forgot its WHERE",
        AGENT,
        "DELETE FROM orders;",
        _shows("ERROR", "DELETE", "WHERE", "support-agents"),
        "Refused before it reached a row, by which rule, and what to do.",
    ),
    Scene(
        "An order is taken",
        AGENT,
        "INSERT INTO orders (customer_id, item) VALUES (3, 'penstock gate') RETURNING item, status;",
        _shows("penstock gate", "open"),
        "What is allowed just works.",
    ),
    Scene(
        "The officer tries to write",
        OFFICER,
        "UPDATE orders SET status = 'closed' WHERE id = 1;",
        _shows("ERROR", "UPDATE needs the verb update", "data-protection-officer"),
        "Reading everything does not mean changing anything.",
    ),
    Scene(
        "SQL inside a function call",
        AGENT,
        "SELECT query_to_xml('select email from customers', true, false, '');",
        _shows_no_raw_value("ERROR", "query_to_xml"),
        "The gate refuses what it does not know, and names it.",
    ),
)
