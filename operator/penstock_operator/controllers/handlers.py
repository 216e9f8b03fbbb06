"""All that knows of kopf: it watches, and says which namespace is worth a look. It runs in a thread with its own loop.

No finalizers, no annotations, no webhooks of kopf's: objects never hang when the operator is away. What doesn't belong:
doing anything with what changed (`namespaces.py`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import kopf

from penstock_operator.cluster.access import Access
from penstock_operator.inject.annotations import INJECTED_LABEL
from penstock_operator.objects import DATABASES, POLICIES

_GROUP = ("penstock.dev", "v1alpha1")
# A watch that stays silent this long is begun again, whatever the network hides.
_WATCH_SECONDS = 290


class WatchingEnded(Exception):
    """kopf stopped by itself; the process must be started again."""


def registry(access: Access, touch: Callable[[str], None]) -> kopf.OperatorRegistry:
    """Everything that kopf is to do; `touch` is called in kopf's thread."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(access)

    @kopf.on.startup(registry=handlers)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.watching.server_timeout = _WATCH_SECONDS
        settings.watching.client_timeout = _WATCH_SECONDS + 30
        # Only pods with a sidecar, chosen by the API server.
        settings.watching.label_selectors["pods"] = f"{INJECTED_LABEL}=true"
        settings.persistence.finalizer = "penstock.dev/unused"
        settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="penstock.dev")
        settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix="penstock.dev")

    def changed(namespace: str | None, **_: Any) -> None:
        if namespace:
            touch(namespace)

    for plural in (DATABASES, POLICIES):
        kopf.on.event(*_GROUP, plural, id=plural, registry=handlers)(changed)
    kopf.on.event("", "v1", "pods", id="pods", labels={INJECTED_LABEL: "true"}, registry=handlers)(changed)
    return handlers


def connection(access: Access) -> kopf.ConnectionInfo:
    """Our access as kopf has it. kopf asks again when the token is refused, and the file then holds a newer one."""
    return kopf.ConnectionInfo(
        server=access.server,
        ca_data=_encoded(access.ca),
        token=access.bearer() or None,
        certificate_data=_encoded(access.certificate),
        private_key_data=_encoded(access.key),
    )


class Watch:
    """kopf at work. Its flags are of its own loop: with those of threads it would never end by itself."""

    def __init__(self, handlers: kopf.OperatorRegistry) -> None:
        self._handlers = handlers
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flag: asyncio.Event | None = None
        self._stopped = False
        self.ready = threading.Event()

    def run(self) -> None:
        """Watch until `stop`; blocks. Raises WatchingEnded."""
        _quieten()
        asyncio.run(self._run())
        if not self._stopped:
            raise WatchingEnded("watching the cluster ended unexpectedly; the lines above say why")

    def stop(self) -> None:
        """From any thread."""
        self._stopped = True
        if self._loop is not None and self._flag is not None:
            self._loop.call_soon_threadsafe(self._flag.set)

    async def turns(self) -> None:
        """Returns once kopf's loop has turned; to be awaited in another one."""
        if self._loop is None:
            return
        turned, own = asyncio.Event(), asyncio.get_running_loop()
        # A loop that is closed has ended, which `run` tells.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(own.call_soon_threadsafe, turned.set)
            await turned.wait()

    async def _run(self) -> None:
        self._flag = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if not self._stopped:
            await kopf.operator(
                registry=self._handlers,
                standalone=True,
                clusterwide=True,
                ready_flag=self.ready,
                stop_flag=self._flag,
            )


def _quieten() -> None:
    # kopf tells each step it takes; what we do about it is logged by ourselves.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It warns that it is not in the main thread, where signals are; that is so on purpose.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    # It makes itself an identity of the user's name, and the image's user has none.
    os.environ.setdefault("USER", "penstock")


def _encoded(pem: str) -> str | None:
    return base64.b64encode(pem.encode()).decode() if pem else None
