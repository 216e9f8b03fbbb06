"""The bearer credentials that somebody signed in with and an API server may take: theirs, for as long as their session.

They are with the session, in memory, and nowhere else. What doesn't belong: what is asked with them (`personal_api.py`,
`approvals/on_cluster.py`), how a session begins and ends (`viewers.py`).
"""

from __future__ import annotations

from penstock_collector.auth.cluster_people import ClusterPeople, lasts
from penstock_collector.auth.sessions import Session
from penstock_collector.auth.token_file import fingerprint
from penstock_collector.auth.viewer import Viewer
from penstock_collector.auth.viewers import Viewers
from penstock_collector.sign_in_settings import SignInSettings

# One that ends so soon is renewed before it is sent.
_SOON_SECONDS = 15.0


class NoCredentialError(Exception):
    """They have none that the API server would take; the text says why, and what to do, in one sentence."""


class Credentials:
    """Those of all sessions."""

    def __init__(self, viewers: Viewers, settings: SignInSettings) -> None:
        self._viewers = viewers
        self._settings = settings

    @property
    def cluster(self) -> ClusterPeople | None:
        """Whom they are for; None if no API server is known here."""
        return self._viewers.cluster

    async def of(self, secret: str, viewer: Viewer) -> str:
        """Of the session of a cookie, "" for who came without. Raises NoCredentialError."""
        if self.cluster is None:
            raise NoCredentialError("This collector knows no API server to decide it at.")
        session = self._session(secret)
        if session is not None and session.on_cluster is not None:
            return session.on_cluster.token
        if session is None or session.signed_in is None:
            raise NoCredentialError(self._lacking(viewer))
        if lasts(session.signed_in.id_token) < _SOON_SECONDS and session.signed_in.refresh_token:
            await self._viewers.look(session)
            session = self._session(secret)
        token = "" if session is None or session.signed_in is None else session.signed_in.id_token
        if not token or lasts(token) <= 0:
            raise NoCredentialError(
                "Your sign-in’s token has expired, and there is no newer one. Sign out, and in again."
            )
        if session is not None and session.not_taken == fingerprint(token):
            raise NoCredentialError(self._not_trusted())
        return token

    def not_taken(self, secret: str, token: str) -> str:
        """The API server does not know it: it is not sent again. Why, or "" if the session has ended with it."""
        session = self._session(secret)
        if session is None:
            return ""
        if session.on_cluster is not None:
            # It was all that the session stood on.
            self._viewers.sessions.drop(session)
            return ""
        session.not_taken = fingerprint(token)
        return self._not_trusted()

    def _session(self, secret: str) -> Session | None:
        return self._viewers.sessions.find(secret, by_person=False) if secret else None

    def _not_trusted(self) -> str:
        settings = self._settings
        other = " Or sign in with a Kubernetes token of your own." if self._by_token else ""
        return (
            f"The API server does not take your sign-in with {settings.provider_name}: it has to trust that provider, "
            f"for the client {settings.sign_in_client_id}.{other}"
        )

    @property
    def _by_token(self) -> bool:
        return self.cluster is not None and self.cluster.sign_in

    def _lacking(self, viewer: Viewer) -> str:
        if not viewer.known:
            return "A login link proves nobody to the API server."
        ways = [f"with {self._settings.provider_name}"] if self._settings.sign_in_issuer else []
        if self._by_token:
            ways.append("with a Kubernetes token of your own")
        way = f" Sign in {' or '.join(ways)}." if ways else ""
        return f"The API server knows no viewer tokens.{way}"
