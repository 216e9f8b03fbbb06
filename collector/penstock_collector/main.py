"""Running the collector: opening its parts, serving, the work that time brings, and a graceful stop.

What doesn't belong: reading flags (`penstock_cli.collector`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from penstock_collector import quiet_streams
from penstock_collector.approvals import webhook_settings
from penstock_collector.approvals.access import AccessHolder
from penstock_collector.approvals.alarm_notices import AlarmNotices
from penstock_collector.approvals.holder import Holder
from penstock_collector.approvals.notices import Notices
from penstock_collector.approvals.on_cluster import ClusterRequests
from penstock_collector.approvals.told_emergencies import ToldEmergencies
from penstock_collector.approvals.webhook_settings import WebhookError
from penstock_collector.auth.cluster_people import ClusterPeople
from penstock_collector.auth.credentials import Credentials
from penstock_collector.auth.kubernetes import ApiServer, ReviewUnavailable, TokenReviewer
from penstock_collector.auth.personal_api import PersonalApi
from penstock_collector.auth.pods import PodReaders
from penstock_collector.auth.sign_in import SignIn
from penstock_collector.auth.streams import StreamAuthority
from penstock_collector.auth.token_file import TokenFile, TokenFileError
from penstock_collector.auth.viewers import Viewers
from penstock_collector.checkpoints.keeper import SigningKeyError, keeper_of
from penstock_collector.collector import Collector
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.readings import Readings
from penstock_collector.retention import Retention, place_of
from penstock_collector.settings import CollectorSettings
from penstock_collector.store import people, room, watch
from penstock_collector.store.database import StoreError
from penstock_collector.store.readers import Readers
from penstock_collector.store.writer import Writer
from penstock_collector.tail import Tail
from penstock_collector.tickets import TicketOffice
from penstock_collector.web.app import build, build_health
from penstock_entrance.certificate_files import CertificateFiles
from penstock_entrance.guarded_http import config, quiet_accepting
from penstock_entrance.visitors import Visitors

_log = structlog.get_logger(__name__)

# How long answers that are under way may take once the collector was told to stop.
_GRACE_SECONDS = 5
_RETENTION_SECONDS = 20.0
_LOOK_SECONDS = 2.0
_QUIET_EVERY_SECONDS = 600.0


class StartError(RuntimeError):
    """The collector cannot start; the message is one line."""


@dataclass(frozen=True, slots=True)
class RunningCollector:
    """A collector that answers requests."""

    url: str
    collector: Collector
    # Ends it gracefully, as SIGTERM does. On its event loop only.
    stop: Callable[[], None]


def run(settings: CollectorSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises StartError."""
    asyncio.run(serve(settings))


async def serve(settings: CollectorSettings, started: Callable[[RunningCollector], None] | None = None) -> None:
    """Serve until stopped; `started` is called once requests are answered. Raises StartError."""
    async with contextlib.AsyncExitStack() as exits:
        collector = await exits.enter_async_context(_collector(settings))
        try:
            keeper = keeper_of(settings, settings.database.parent, collector.writer, collector.metrics)
        except SigningKeyError as error:
            raise StartError(str(error)) from None
        certificate, visitors = _certificate(settings), Visitors()
        tls = certificate.context if certificate is not None else None
        server = _Server(config(_behind_proxies(collector), visitors, tls, grace=_GRACE_SECONDS), collector)
        listener = exits.enter_context(_listen(settings.listen))
        health = exits.enter_context(_listen(settings.health_listen)) if settings.health_listen else None
        quiet_accepting(asyncio.get_running_loop(), visitors.log)
        exits.callback(visitors.log.sum_up)
        async with asyncio.TaskGroup() as group:
            chores = [
                group.create_task(chore(collector))
                for chore in (_watch, _tell_of_alarms, _keep_within, _pack_quiet, _look_at_sign_ins)
            ]
            if keeper is not None:
                chores += [group.create_task(keeper.run()), group.create_task(keeper.watch())]
            if certificate is not None:
                chores.append(group.create_task(certificate.follow()))
            if health is not None:
                chores.append(group.create_task(_serve_health(collector, health)))
            server.when_started = lambda: _announce(collector, listener, server, started)
            try:
                await server.serve([listener])
            finally:
                for chore in chores:
                    chore.cancel()


@contextlib.asynccontextmanager
async def _collector(settings: CollectorSettings) -> AsyncIterator[Collector]:
    try:
        file = TokenFile(settings.stream_tokens_file) if settings.stream_tokens_file else None
        reviewer = TokenReviewer(ApiServer.of_this_pod(), settings.audience) if settings.kubernetes else None
        viewers = _viewers(settings, reviewer)
        metrics = CollectorMetrics()
        notices = Notices(webhook_settings.read(settings.notices_file) if settings.notices_file else None, metrics)
        writer = Writer(settings.database)
    except (TokenFileError, ReviewUnavailable, StoreError, WebhookError) as error:
        raise StartError(str(error)) from None
    except OSError as error:
        raise StartError(f"cannot read the API server's CA: {error}") from None
    if file is None and reviewer is None:
        _log.warning("nobody can write events: neither a stream tokens file nor Kubernetes is configured")
    if settings.viewer_tokens_file is None and not settings.login_link and not settings.sign_in_issuer:
        _log.warning("nobody can read the audit trail: neither sign-in nor a viewer tokens file is configured")
    readers = Readers(settings.database)
    authority = StreamAuthority(file, reviewer)
    holder = Holder(writer, readers, metrics, notices, settings.public_url)
    tickets = TicketOffice(writer, readers, metrics)
    access = AccessHolder(holder, writer, readers, metrics, notices, settings.public_url)
    try:
        await _remember_people(readers, viewers)
        async with notices.running(writer):
            tail = Tail(readers)
            viewers.sessions.on_end.extend([tail.ring, holder.ring])
            recorder = Readings(writer, metrics)
            yield Collector(
                settings, writer, readers, tail, authority, viewers, metrics, holder, tickets, recorder, access,
                AlarmNotices(notices, writer, settings.public_url),
                Credentials(viewers, settings), ClusterRequests(viewers.cluster, metrics),
                ToldEmergencies(notices, settings.public_url),
            )  # fmt: skip
    finally:
        await authority.close()
        await asyncio.to_thread(readers.close)
        await asyncio.to_thread(writer.close)


def _viewers(settings: CollectorSettings, reviewer: TokenReviewer | None) -> Viewers:
    """Raises TokenFileError, ReviewUnavailable."""
    file = settings.viewer_tokens_file
    return Viewers(
        TokenFile(file, names_only=False) if file is not None else None,
        sign_in=SignIn(settings) if settings.sign_in_issuer else None,
        pods=PodReaders(reviewer, settings.kubernetes_roles) if reviewer and settings.kubernetes_roles else None,
        settings=settings,
        cluster=_cluster(settings),
    )


def _cluster(settings: CollectorSettings) -> ClusterPeople | None:
    """The API server that people's own credentials are for. Raises ReviewUnavailable."""
    url, ca_file = settings.api_server_url, settings.api_server_ca_file
    if not url and not settings.kubernetes:
        return None
    if not url:
        pods_own = ApiServer.of_this_pod()
        url, ca_file = pods_own.url, pods_own.ca_file
    return ClusterPeople(PersonalApi(url, ca_file), settings.kubernetes_group_roles, settings.kubernetes_user_prefixes)


async def _remember_people(readers: Readers, viewers: Viewers) -> None:
    try:
        for names in await readers.run(people.met):
            viewers.names.learn(names)
    except StoreError as error:
        raise StartError(str(error)) from None


def _behind_proxies(collector: Collector) -> ASGIApp:
    app, trusted = build(collector), collector.settings.trusted_proxies
    return cast("ASGIApp", ProxyHeadersMiddleware(cast(Any, app), trusted_hosts=trusted)) if trusted else app


async def _serve_health(collector: Collector, listener: socket.socket) -> None:
    """By the same loop, and behind a door of its own."""
    server = _Beside(config(build_health(collector), Visitors(strangers=100), grace=1))
    _log.info("probes and metrics are answered", port=listener.getsockname()[1])
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


def _listen(listen: str) -> socket.socket:
    host, port = listen.rpartition(":")[0].strip("[]"), int(listen.rpartition(":")[2])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's algorithm off only then: it costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        hint = " (another program has it)" if error.errno == errno.EADDRINUSE else ""
        raise StartError(f"cannot listen on {listen}: {os.strerror(error.errno or 0)}{hint}") from None
    listener.setblocking(False)
    return listener


def _certificate(settings: CollectorSettings) -> CertificateFiles | None:
    """Raises StartError."""
    try:
        return CertificateFiles.of(settings.tls_cert_file, settings.tls_key_file)
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"TLS files cannot be used: {error}") from None


class _Beside(uvicorn.Server):
    """Leaves the signals to the other one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Server(uvicorn.Server):
    """Ends the followers when it stops, since they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, collector: Collector) -> None:
        super().__init__(config)
        self._collector = collector
        self.when_started: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and no more than that: uvicorn would raise it again, and the store would not be closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.when_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._collector.tail.stop()
        self._collector.holder.stop()
        await super().shutdown(sockets)


def _announce(
    collector: Collector,
    listener: socket.socket,
    server: uvicorn.Server,
    started: Callable[[RunningCollector], None] | None,
) -> None:
    settings = collector.settings
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 # shown only
    url = f"{'https' if settings.tls else 'http'}://{shown}:{port}"
    _log.info("collector takes in events", url=url, database=str(settings.database))
    if settings.login_link:
        _log.info("open once, within ten minutes", link=f"{url}/login?ticket={collector.viewers.issue_ticket()}")

    def stop() -> None:
        server.should_exit = True

    if started is not None:
        started(RunningCollector(url, collector, stop))


async def _watch(collector: Collector) -> None:
    """Look for silent streams, a disk that fills, and requests and tickets whose time is over."""
    heartbeat = collector.settings.heartbeat_seconds
    while True:
        await asyncio.sleep(min(heartbeat, 10.0))
        try:
            await collector.writer.run(lambda connection: watch.sound_silence(connection, heartbeat, time.time()))
            await collector.writer.run(partial(_look_at_room, collector))
            await collector.holder.keep_time()
            await collector.tickets.keep_time()
            await collector.access.keep_time()
        except StoreError as error:
            _log.error(str(error))


def _look_at_room(collector: Collector, connection: sqlite3.Connection) -> None:
    now = time.time()
    try:
        room.sample(connection, now)
        room.watch(connection, place_of(connection, collector.settings, now), now)
    except OSError as error:
        raise StoreError(f"the disk of the audit database does not answer: {error.strerror}") from None


async def _tell_of_alarms(collector: Collector) -> None:
    """Also, and above all, when nothing can be committed: so by itself."""
    while True:
        await asyncio.sleep(min(collector.settings.heartbeat_seconds, 5.0))
        try:
            await collector.alarm_notices.keep_time()
        except StoreError as error:
            _log.error(str(error))


async def _look_at_sign_ins(collector: Collector) -> None:
    """Ask about those whose pages are open, when it is time, and let go of those that are over."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        collector.viewers.sessions.end_what_is_over()
        await collector.viewers.look_at_watched()


async def _keep_within(collector: Collector) -> None:
    """Drop what is too old and too much."""
    retention = Retention(collector.settings, collector.writer, collector.holder)
    while True:
        try:
            await retention.look()
        except (StoreError, OSError) as error:
            _log.error(str(error))
        await asyncio.sleep(_RETENTION_SECONDS)


async def _pack_quiet(collector: Collector) -> None:
    """Pack what is left of streams that nothing is heard of."""
    while True:
        try:
            await quiet_streams.pack(collector.writer)
        except StoreError as error:
            _log.error(str(error))
        await asyncio.sleep(_QUIET_EVERY_SECONDS)
