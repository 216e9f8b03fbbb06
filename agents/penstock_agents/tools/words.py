"""From what went wrong at the gate to what an agent reads of it, and what it may do next.

What doesn't belong: running statements (`gate/`), the gate's own words, which are passed on as they are.
"""

from __future__ import annotations

import re
from typing import Literal

from penstock_agents.tools.results import Failure, Request

# DETAIL of a statement that is held: `Request r-7k3f-9m2q: https://… . It is good until 2026-….`
_REQUEST = re.compile(
    r"Request ([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:: (\S+?))?\.(?: It is good until (\S+?)\.)?(?: |$)"
)
_HELD = re.compile(
    r"penstock: the statement (?:is|was) held by .+"
    r"(?: until it is approved(?: for each of them)?|nobody decided within \d+ s)"
)
_DENIED = re.compile(r"penstock: the statement is held by .+, and .+ denied it")

ASK_AGAIN = "Once a person has approved it, call the same tool with exactly the same statement: it then runs, once."
WAIT = (
    "Call wait_for_approval with the request's name, then the same tool with exactly the same statement: it runs once."
)
ELSEWHERE = "the collector does not hold this request, so that it can't be followed; on Kubernetes, control holds them"
HELD_ELSEWHERE = (
    "Tell your user the request's name. Once a person has approved it, call the same tool with exactly the same"
    " statement: it then runs, once."
)
DENIED = "A person said no. Don't send it again; tell your user, with the approver's comment."
REFUSED = "Policy does not allow it. Do what the hint says, or tell your user; sending it again changes nothing."
CORRECT = "Correct the statement, or tell your user."
AGAIN = "Nothing of it had an effect. Try again in a moment; if it stays so, tell your user."
UNKNOWN = "Whether it took effect is not known. Look by query before you send it again."
LOGIN = "The gate does not let this session in. Tell your user: a new token may be needed."
MORE_ROWS = (
    "There is more. Ask for less: choose columns, filter, aggregate, or page by a WHERE on the key of the last row with"
    " ORDER BY and LIMIT."
)
MORE_RETURNED = "It was carried out as a whole; what it returned is longer than what is shown."
CUT = "Values listed in cut are longer; ask for parts of them by substring()."

Status = Literal["held", "refused", "failed"]


def held_request(message: str, detail: str) -> tuple[Request, bool] | None:
    """The request that the gate's words name (of several the first that waits), and whether it may still be approved;
    None if they name none.
    """
    waits, denied = _HELD.fullmatch(message), _DENIED.fullmatch(message)
    found = _REQUEST.match(detail)
    if found is None or not (waits or denied):
        return None
    name, url, until = found.groups(default="")
    comment = detail.partition(" They say: ")[2] if denied else ""
    standing = "waiting" if waits else "denied"
    return Request(name=name, standing=standing, url=url, expires_at=until, comment=comment), waits is not None


def own_failure(message: str, next_step: str) -> Failure:
    """What this server itself has to say."""
    return Failure(said_by="this server", message=message, next_step=next_step)
