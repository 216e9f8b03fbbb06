"""The script of the demo: who runs which SQL, where, and what must come of it.

What doesn't belong: starting anything (`stage.py`), how it is played (`approval.py`, `command.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from penstock_cli.demo.tokens import Actor

PAT = Actor("person", "pat", ("support",))
AGENT = Actor("agent", "support-bot", ("support",), acts_for=PAT)
OFFICER = Actor("person", "dana", ("dpo",))
# Approves on the page; she has no part in what the agent does.
APPROVER = Actor("person", "olga", ("owners",))

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


_REQUEST = re.compile(r"\bRequest (r-[0-9a-z-]+)\.")


def request_in(output: str) -> str:
    """The name of the request for approval that a refusal told; empty if it told none."""
    found = _REQUEST.search(output)
    return found[1] if found is not None else ""


_held = _shows("ERROR", "held by approvals[deletes] of policy support", "Request r-", "owners")
_GUESS = "SELECT count(*) AS found FROM customers WHERE email = 'ada@example.com';"
_PAYMENTS = (
    "SELECT c.name, c.email, p.card_number, p.amount\n"
    "FROM customers c JOIN payments p ON p.customer_id = c.id ORDER BY p.id LIMIT 3;"
)
_DELETE = "DELETE FROM orders WHERE customer_id = 5;"

OPENING: tuple[Scene, ...] = (
    Scene("Without the gate", None, _PAYMENTS, _shows(EMAIL, CARD), "One password, and all is seen."),
    Scene(
        "The same through the gate",
        AGENT,
        _PAYMENTS,
        _shows_no_raw_value("a***@example.com", "***********1111", "120.00"),
        "The agent acts for pat. The database computed the masks: no raw value left it.",
    ),
)

# One statement three times. Between the first and the second, somebody approves it; the third is the demo's end.
HELD = Scene("A DELETE by the agent", AGENT, _DELETE, _held, "It did not run. The agent has the request's name.")
APPROVED = Scene("The same DELETE again", AGENT, _DELETE, _shows("DELETE 1"), "It ran.")
AGAIN = Scene(
    "The agent's DELETE once more",
    AGENT,
    _DELETE,
    _held,
    "An approval is good for one run: this is a new request, and it waits.",
)

# The same query as at the beginning, while its policy observes, and when it is enforced again.
OBSERVED = Scene(
    "While the policy only observes",
    AGENT,
    _PAYMENTS,
    _shows(EMAIL, CARD),
    "Nothing is carried out: for policies that are being tried out. What would have been is on record.",
)
ENFORCED = Scene("Once it is enforced again", AGENT, _PAYMENTS, _shows_no_raw_value("a***@example.com"), "As before.")

REST: tuple[Scene, ...] = (
    Scene(
        "A DELETE that forgot its WHERE",
        AGENT,
        "DELETE FROM orders;",
        _shows("ERROR", "DELETE", "WHERE", "policy support"),
        "No approval is asked for what is refused: by which rule, and what to do.",
    ),
    Scene(
        "An order is taken",
        AGENT,
        "INSERT INTO orders (customer_id, item) VALUES (5, 'penstock gate') RETURNING item, status;",
        _shows("penstock gate", "open"),
        "What is allowed just works.",
    ),
    Scene(
        "The query of the beginning, as the data protection officer",
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
        "An UPDATE beside masked columns",
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
