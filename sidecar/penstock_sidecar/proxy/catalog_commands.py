"""Performs what a session commands about the catalog, and about the rules that are made of it: waiting for them, the
door, reading anew.

What a connection does besides is `connection.py`'s; who waits how long, `rules_provider.py`'s.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from penstock_sidecar.proxy.upstream import UpstreamError
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import Command
from penstock_sidecar.session.door import Inside
from penstock_sidecar.session.states import State

if TYPE_CHECKING:
    from penstock_sidecar.proxy.connection import Connection


def work(connection: Connection, command: Command) -> Coroutine[Any, Any, None] | None:
    """What takes a while of a command; the rest of it is done."""
    if isinstance(command, commands.AwaitCatalog):
        return _await_catalog(connection)
    if isinstance(command, commands.AwaitRules):
        return _await_rules(connection)
    if isinstance(command, commands.RefreshCatalog):
        return _refresh(connection)
    if isinstance(command, commands.CloseDoor):
        return _close_door(connection, command.alone, command.who)
    if isinstance(command, commands.Abandon):
        _abandon(connection, command.who)
    elif isinstance(command, commands.CatalogStale):
        connection.rules_provider.catalog_stale()
    return None


async def _await_catalog(connection: Connection) -> None:
    connection.perform(connection.session.catalog_read(fresh=await connection.rules_provider.open()))


async def _await_rules(connection: Connection) -> None:
    session = connection.session
    try:
        await connection.rules_provider.rules(session.identity, connection.client_address)
    except UpstreamError:
        connection.perform(session.catalog_read(fresh=False))
        return
    connection.rules_changed()
    if session.state is State.RESOLVING:
        connection.perform(session.catalog_read())


async def _close_door(connection: Connection, alone: bool, who: Inside) -> None:
    provider, session = connection.rules_provider, connection.session
    process = connection.upstream.greeting.pid if connection.upstream is not None else 0
    closed = await provider.closed(who, process, alone=alone)
    if session.state is State.CLOSED:
        provider.door.give_up(who)
    connection.perform(session.door_closed(alone=closed))


def _abandon(connection: Connection, who: Inside) -> None:
    """What the session has on its way is of no use to anybody."""
    if connection.upstream is not None:
        connection.interrupt()
        connection.rules_provider.abandoned(who, connection.upstream.greeting.pid)


async def _refresh(connection: Connection) -> None:
    await connection.rules_provider.refresh_catalog()
    connection.perform(connection.session.catalog_read())
