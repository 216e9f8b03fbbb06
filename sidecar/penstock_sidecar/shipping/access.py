"""How the gate reaches those whom it asks and tells over HTTP: with the token and the CA that are in its files.

What doesn't belong: what is asked and told, and what is said of trouble.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx2


class NoTokenError(Exception):
    """The file holds no token."""


def authorization(token_file: Path | None) -> dict[str, str]:
    """The header with the token as it is in its file now: the kubelet rotates it. Raises OSError and NoTokenError."""
    if token_file is None:
        return {}
    token = token_file.read_bytes().strip().decode("ascii", "replace")
    if not (token and token.isascii() and token.isprintable()) or " " in token:
        raise NoTokenError
    return {"authorization": f"Bearer {token}"}


def client(url: str, ca_file: Path | None, **options: Any) -> httpx2.AsyncClient:
    """A client for that URL, which reads the CA file now. Raises OSError, ssl.SSLError among them."""
    # Reading the system's CAs takes a while, and plain HTTP (a laptop, a mesh) has no use for them.
    context = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else False
    # No proxy and no credentials from the environment: who is reached is configured, and nobody else.
    return httpx2.AsyncClient(verify=context, trust_env=False, follow_redirects=False, **options)
