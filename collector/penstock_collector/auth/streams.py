"""Who may write which stream: a pod its own, a stand-alone gate those that the token file names.

What doesn't belong: how a token is checked (`kubernetes.py`, `token_file.py`).
"""

from __future__ import annotations

from penstock_collector.auth.kubernetes import TokenReviewer
from penstock_collector.auth.token_file import TokenFile
from penstock_core.token_review import Pod


class Unauthenticated(Exception):
    """The token proves nobody."""


class Forbidden(Exception):
    """The token proves somebody who may not write this stream."""


class StreamAuthority:
    """Decides by a token and the first part of a stream's name."""

    def __init__(self, file: TokenFile | None, reviewer: TokenReviewer | None) -> None:
        self._file = file
        self._reviewer = reviewer

    async def check(self, token: str, owner: str) -> Pod | None:
        """The pod that sends, None for a stand-alone gate.

        Raises Unauthenticated, Forbidden, or ReviewUnavailable where it cannot be told at the moment.
        """
        names = self._file.names(token) if self._file is not None and token else []
        if any(_covers(name, owner) for name in names):
            return None
        pod = await self._reviewer.pod(token) if self._reviewer is not None and token and not names else None
        if pod is not None and pod.uid == owner:
            return pod
        if names or pod is not None:
            raise Forbidden
        raise Unauthenticated

    def senders(self, pod: Pod | None, token: str, owner: str) -> tuple[str, ...]:
        """The names by which the sender that `check` let pass may own a stream, the narrowest first."""
        if pod is not None:
            return (f"pod:{pod.namespace}/{pod.service_account}/{pod.uid}",)
        names = self._file.names(token) if self._file is not None else []
        covering = {name for name in names if _covers(name, owner)}
        narrowest = sorted(covering, key=lambda name: (name.endswith("*"), -len(name), name))
        return tuple(f"token:{name}" for name in narrowest)

    async def close(self) -> None:
        if self._reviewer is not None:
            await self._reviewer.close()


def _covers(name: str, owner: str) -> bool:
    return owner.startswith(name[:-1]) if name.endswith("*") else owner == name
