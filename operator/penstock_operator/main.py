"""Runs the operator: keeps certificates, looks at namespaces, and answers probes, until SIGTERM.

What doesn't belong: `penstock control`, which is a program of its own (`penstock_operator.control.main`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import structlog

from penstock_operator.certificates.reconciler import Reconciler
from penstock_operator.cluster.access import Access, find
from penstock_operator.cluster.api import Api, ApiError
from penstock_operator.controllers import handlers
from penstock_operator.controllers.gate_news import ControlPlace, GateNews
from penstock_operator.controllers.namespaces import Namespaces
from penstock_operator.health import health
from penstock_operator.metrics import OperatorMetrics
from penstock_operator.serving import Endpoint, alongside, serve
from penstock_operator.settings import OperatorSettings

# How often Secrets and webhooks are looked at, and every namespace though nothing happened.
_KEEP_SECONDS = 10.0
_LOOK_SECONDS = 300.0
# An event takes no longer than this.
_LATEST = timedelta(minutes=1)
_log = structlog.get_logger(__name__)


class Operator:
    """One operator. There must not be two at a time: the chart has one replica, replaced before the next starts."""

    def __init__(self, api: Api, access: Access, settings: OperatorSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self.reconciler = Reconciler(api, settings, lambda: datetime.now(UTC))
        instance = os.environ.get("HOSTNAME") or socket.gethostname()
        place = ControlPlace(
            settings.namespace, settings.control_service, settings.control_port, settings.control_token_file
        )
        self.news = GateNews(api, place, lambda: self.reconciler.bundle, self._news_of)
        self.namespaces = Namespaces(
            api, version("penstock"), lambda: self.reconciler.bundle, instance, self.news,
            quiet_minutes=settings.quiet_minutes,
        )  # fmt: skip
        self.watch = handlers.Watch(handlers.registry(access, self._touch))
        self.metrics = OperatorMetrics(lambda: sum(self.namespaces.quiet.values()))

    def lacking(self) -> list[str]:
        """What must be there before we are ready."""
        missing = [] if self.reconciler.not_after else ["certificates"]
        return missing + ([] if self.watch.ready.is_set() else ["the watch"])

    async def reconcile(self) -> None:
        """Keep certificates and webhooks, and tell all namespaces when trust changed."""
        while True:
            before = self.reconciler.bundle
            try:
                await self.reconciler.reconcile()
                self.metrics.kept()
            except ApiError as problem:
                _log.warning("certificates could not be looked after", problem=str(problem))
            self.metrics.certificates(self.reconciler.not_after)
            if self.reconciler.bundle != before:
                self.namespaces.touch(*self.namespaces.known)
            await asyncio.sleep(_KEEP_SECONDS)

    async def look(self) -> None:
        """Look at every namespace now and then: events may be missed, and what we wrote may have been undone."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                missed = await self.namespaces.look_everywhere(datetime.now(UTC) - _LATEST)
            except ApiError as problem:
                _log.warning("the cluster could not be looked through", problem=str(problem))
                continue
            if missed:
                raise handlers.WatchingEnded(f"the watch never told of resources in {', '.join(missed)}")

    def _news_of(self, namespace: str) -> None:
        # Whatever pods say: a namespace without resources of ours is looked at by nobody.
        if namespace in self.namespaces.known:
            self.namespaces.touch(namespace)

    def _touch(self, namespace: str) -> None:
        """From kopf's thread."""
        self._loop.call_soon_threadsafe(self.namespaces.touch, namespace)


async def run(settings: OperatorSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises AccessError, ServingError, WatchingEnded."""
    access = find()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Api(access) as api:
        operator = Operator(api, access, settings)
        app = health(operator.lacking, operator.metrics.registry, operator.watch.turns)
        endpoint = Endpoint(app, settings.host, settings.health_port)
        tasks = [
            operator.reconcile(),
            operator.look(),
            operator.namespaces.run(),
            operator.news.run(),
            asyncio.to_thread(operator.watch.run),
        ]
        try:
            await alongside(serve([endpoint], stop), tasks)
        finally:
            operator.watch.stop()
