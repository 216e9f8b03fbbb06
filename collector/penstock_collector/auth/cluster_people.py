"""People who sign in with a Kubernetes token of their own: who they are by the API server's word, and their roles.

The token is kept with their session alone, in memory. What doesn't belong: asking the API server (`personal_api.py`),
pods (`pods.py`), sessions (`sessions.py`).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from penstock_collector.auth.id_token import SignInError
from penstock_collector.auth.personal_api import ApiServerUnavailable, PersonalApi, TokenNotTaken
from penstock_collector.auth.roles import by_groups
from penstock_collector.auth.viewer import Viewer
from penstock_collector.sign_in_settings import RoleName
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.kubernetes_user import approver
from penstock_core.pod_token import claims


class UnknownTokenError(SignInError):
    """The API server does not know the token, or no longer."""


class ClusterDownError(SignInError):
    """The API server can't be asked; trying again may help."""


@dataclass(frozen=True, slots=True)
class ClusterSignIn:
    """Who signed in with which token."""

    viewer: Viewer
    # Kept from whatever prints it.
    token: str = field(repr=False)


class ClusterPeople:
    """Those whom one API server knows, with roles by the groups that it says they are in."""

    def __init__(
        self, api: PersonalApi, roles: Mapping[RoleName, Collection[str]], prefixes: Collection[str] = ()
    ) -> None:
        self.api = api
        self._roles = roles
        self._prefixes = prefixes

    @property
    def sign_in(self) -> bool:
        """Whether anybody signs in so."""
        return any(self._roles.values())

    async def known(self, token: str, *, stranger: bool = False) -> ClusterSignIn:
        """Who it is; a stranger is not signed in yet.

        Raises UnknownTokenError, ClusterDownError, and SignInError for who may not sign in so.
        """
        try:
            user = await self.api.whoami(token, stranger=stranger)
        except TokenNotTaken:
            raise UnknownTokenError("The API server does not know that token, or no longer.") from None
        except ApiServerUnavailable as error:
            raise ClusterDownError(
                f"The API server can't be asked whose token it is: {error}. Try again.", 503
            ) from None
        who = approver(user, self._prefixes)
        if who.kind != "person":
            raise SignInError("That token is not a person’s. Service accounts read with a token for this collector.")
        roles = by_groups(user.groups, self._roles)
        if not roles:
            raise SignInError("None of your groups has a role here. Ask an administrator of this collector for one.")
        # By which name a gate's issuer knows them, the API server can't vouch for: they ask for nothing here.
        viewer = Viewer(who.name, groups=who.groups, also=who.also, roles=roles, how="kubernetes")
        return ClusterSignIn(viewer, token)

    async def approver(self, token: str) -> Approver:
        """As whom the API server takes whoever has that token. Raises TokenNotTaken, ApiServerUnavailable."""
        return approver(await self.api.whoami(token), self._prefixes)


def lasts(token: str) -> float:
    """For how many seconds it says that it is good, without end where it says nothing; the API server knows better."""
    found = claims(token)
    return float("inf") if found is None else found.expires - time.time()
