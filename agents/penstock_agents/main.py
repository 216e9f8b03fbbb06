"""Running the MCP server: its settings become a server on one transport. The command's options are the cli's."""

from __future__ import annotations

import asyncio
import os

from penstock_agents.settings import TOKEN_VARIABLE, Settings


def run(settings: Settings) -> None:
    """Serve over HTTP until SIGTERM, or one agent over stdio until it has gone. Raises SettingsError."""
    from penstock_agents.serving import http, stdio  # noqa: PLC0415 # the libraries are an extra

    _own_environment()
    if settings.http is not None:
        asyncio.run(http.serve(settings, settings.http))
        return
    # Before anything starts, so that a missing token is one line and no failed call.
    settings.credential()
    asyncio.run(stdio.serve(settings))


def _own_environment() -> None:
    """Leave libpq nothing that could lead elsewhere than the settings, and keep the token from what looks at it."""
    for name in [one for one in os.environ if one.startswith("PG") or one == TOKEN_VARIABLE]:
        del os.environ[name]
