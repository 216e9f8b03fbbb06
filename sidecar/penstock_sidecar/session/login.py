"""One login: what the client says of itself, who it turned out to be, and the body of the event that tells how it went.

What a client, or a token that was refused, merely says is in `client` and `asserted`; `identity` is there only once it
is verified. No password and no token is ever kept, and no value of a setting. Grouping refused logins that are alike is
`penstock_sidecar.proxy`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from penstock_core.audit.event import Event
from penstock_core.identity import Identity
from penstock_sidecar.session.refusals import in_words
from penstock_sidecar.wire.messages import ErrorFields

# Far more than a name has; what a stranger says of itself is cut to it.
_LONGEST = 200
# What of a startup packet is on record: the rest are settings, whose values may be anything.
_RECORDED = frozenset({"user", "database", "application_name"})
# Below it nothing is secret, and messages would be torn apart.
_SHORTEST_HIDDEN = 4
_HIDDEN = "…"
# Of the groups of who is refused: there may be thousands, and refused logins come as often as a stranger likes.
_MOST_GROUPS = 20


class Login:
    """What is known of it so far."""

    def __init__(self, session: str, address: str, database: str, dbname: str) -> None:
        self._session = session
        self._address = address
        self.database = database
        self.dbname = dbname
        # The startup packet's parameters, once it came: before, there is no login.
        self.asked: Mapping[str, str] | None = None
        # Its application_name, once the packet was accepted: `options` may have held it.
        self.application: str | None = None
        # What a token says that was refused.
        self.claimed: Mapping[str, str] = {}
        # Who it is, once that is verified.
        self.identity: Identity | None = None
        # It was proved by a ticket, whose name is the client's user name.
        self.by_ticket = False
        self._over = False

    def accepted(self) -> Event:
        """It is a session from now on."""
        self._over = True
        return self._event("accepted", self.dbname)

    def refused(self, error: ErrorFields, policy: str = "") -> Event | None:
        """The client is told no; None if there was no login to refuse, or it is recorded already."""
        if self._over or self.asked is None:
            return None
        self._over = True
        told: Event = {"reason": self.without_values(in_words(error)), "sqlstate": error.sqlstate}
        if policy:
            told["policy"] = policy
        return self._event("refused", self.asked.get("database", "") or self.asked.get("user", "")) | told

    def without_values(self, message: str) -> str:
        """The message, which is for the client, without what it quotes of the client's settings: for record and log."""
        for value in sorted(self._values(), key=len, reverse=True):
            for shown in (value, value.replace("'", "''")):
                message = message.replace(shown, _HIDDEN)
        return message

    @property
    def client(self) -> dict[str, str]:
        """The client as events of its session have it."""
        return self._client(self.dbname)

    def _client(self, dbname: str) -> dict[str, str]:
        asked = self.asked or {}
        application = asked.get("application_name", "") if self.application is None else self.application
        return {
            "addr": self._address, "application": _cut(application),
            "user": _cut(asked.get("user", "")), "database": _cut(dbname),
        }  # fmt: skip

    def _event(self, outcome: str, dbname: str) -> Event:
        body: Event = {
            "kind": "login", "session": self._session, "outcome": outcome, "database": self.database,
            "client": self._client(dbname),
        }  # fmt: skip
        if self.identity is not None:
            body["identity"] = documented(self.identity, by_ticket=self.by_ticket)
            if outcome == "refused":
                body["identity"] = _shortened(body["identity"])
        asserted = {"application": body["client"]["application"], **self.claimed}
        if asserted := {name: value for name, value in asserted.items() if value}:
            body["asserted"] = asserted
        return body

    def _values(self) -> set[str]:
        given = [value for name, value in (self.asked or {}).items() if name not in _RECORDED]
        # Those of `options` come in one: -c name=value --name=value, with blanks escaped.
        given += [re.sub(r"\\(.)", r"\1", word) for text in given for word in re.findall(r"=((?:\\.|\S)*)", text)]
        return {value for value in given if len(value) >= _SHORTEST_HIDDEN}


def documented(identity: Identity, *, by_ticket: bool) -> dict[str, Any]:
    """The identity as the events of a session have it, with how it was proved where that was not a token."""
    document = identity.document()
    return {**document, "login": "ticket"} if by_ticket else document


def _shortened(identity: dict[str, Any]) -> dict[str, Any]:
    """The identity's document with some of the groups."""
    if "principal" in identity:
        identity["principal"] = _fewer_groups(identity["principal"])
    if "actsFor" in identity:
        identity["actsFor"] = [_fewer_groups(one) for one in identity["actsFor"]]
    return identity


def _fewer_groups(principal: dict[str, Any]) -> dict[str, Any]:
    groups = principal["groups"]
    if len(groups) <= _MOST_GROUPS:
        return principal
    return {**principal, "groups": groups[:_MOST_GROUPS], "groupsLeftOut": len(groups) - _MOST_GROUPS}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
