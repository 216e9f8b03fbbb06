"""The token that a session presents to the gate: from a file or a variable, read anew for each login.

What doesn't belong: exchanging tokens (`serving/token_exchange.py`), verifying them, which the gate does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

# As many bytes as the gate reads of a token.
MOST_BYTES = 32_768


class CredentialError(Exception):
    """There is no token to present; the text is for the agent and its operator, and holds nothing of a token."""

    def __init__(self, text: str, next_step: str) -> None:
        super().__init__(text)
        self.next_step = next_step


# What gives the token for a login.
Credential = Callable[[], Awaitable[str]]


def from_file(path: Path) -> Credential:
    """The token in a file, which others may replace."""

    async def read() -> str:
        try:
            with path.open("rb") as file:
                found = file.read(MOST_BYTES + 2)
        except OSError as error:
            raise CredentialError(
                f"the file with the token for the gate can't be read: {error.strerror}",
                "Have the operator of this MCP server put the token where its settings say (tokenFile).",
            ) from None
        return checked(found.decode("latin-1"), "the file with the token for the gate")

    return read


def fixed(token: str) -> Credential:
    """One token, which was given when the server was started."""

    async def read() -> str:
        return checked(token, "the variable with the token for the gate")

    return read


def checked(token: str, where: str) -> str:
    """The token without what stands around it. Raises CredentialError."""
    token = token.strip()
    if not token or len(token) > MOST_BYTES or not (token.isascii() and token.isprintable()) or " " in token:
        raise CredentialError(
            f"{where} holds no token",
            f"Have the operator of this MCP server put one token there, of at most {MOST_BYTES} bytes.",
        )
    return token
