"""Somebody who reads, and perhaps decides: by what they are known, and what they may.

What doesn't belong: how they proved it (`viewers.py`), which right a path needs (`web/app.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from penstock_collector.auth.roles import ALL, Right, Role, may
from penstock_core.approvals.four_eyes import Approver, objection
from penstock_core.identity import PrincipalKind
from penstock_core.resources.access_request import AccessRequestSpec

How = Literal["token", "sign-in", "kubernetes", "link", "pod"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody, as they are known now."""

    name: str
    kind: PrincipalKind = "person"
    groups: frozenset[str] = frozenset()
    # All other names of theirs, by which they may stand in what others recorded.
    also: frozenset[str] = frozenset()
    # Those of all, as written, that the file gives them, or the provider vouches for: by these they may ask.
    asks_as: frozenset[str] = frozenset()
    roles: frozenset[Role] = ALL
    how: How = "token"
    # Of who signed in: the provider, and what it calls them.
    issuer: str = ""
    subject: str = ""
    # Of a session: what it is called.
    session: str = ""

    @property
    def known(self) -> bool:
        """False for who came by a link: whoever had it may be anybody."""
        return self.how != "link"

    def may(self, right: Right) -> bool:
        return may(self.roles, right)

    def is_same(self, other: Viewer) -> bool:
        """Whether it is the same person by the same way."""
        return all(getattr(self, name) == getattr(other, name) for name in ("how", "issuer", "subject", "name"))

    def may_see_text(self, spec: AccessRequestSpec) -> bool:
        """Whether they see the statement of a request, which holds values: whom its rule asks for approval."""
        return not self.groups.isdisjoint(spec.approvers)

    def objection(self, spec: AccessRequestSpec) -> str:
        """Why they may not decide a request, in one line; empty if they may."""
        return self.barred or objection(spec, self.approver())

    @property
    def barred(self) -> str:
        """Why they may decide, end and review nothing at all; empty if they may."""
        if not self.known or self.may(Right.DECIDE):
            return self.unknown
        return f"{self.name} may not decide: they have not the role approver"

    @property
    def unknown(self) -> str:
        """Why nobody knows who they are; empty if that is known."""
        return "" if self.known else "a login link proves nobody: sign in as yourself to decide"

    def approver(self) -> Approver:
        """As whom they decide; who came by a link acts for somebody else, and so may not."""
        return Approver(self.name, self.kind, self.groups, self.also, delegated=not self.known)

    def document(self) -> dict[str, object]:
        """As the record of readings has them."""
        said = {"name": self.name, "kind": self.kind, "how": self.how, "issuer": self.issuer, "subject": self.subject}
        found: dict[str, object] = {name: value for name, value in said.items() if value}
        return found | {"roles": sorted(role.value for role in self.roles)}
