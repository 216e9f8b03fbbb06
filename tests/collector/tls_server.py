"""An application served over TLS on a port of loopback, as an API server is."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trustme
import uvicorn
from starlette.applications import Starlette


@asynccontextmanager
async def served(app: Starlette, authority: trustme.CA, *, hangs: bool = False) -> AsyncIterator[str]:
    """Its URL; what `hangs` on purpose ends with it."""
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    config.ssl = context
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    server.force_exit = hangs
    await task
