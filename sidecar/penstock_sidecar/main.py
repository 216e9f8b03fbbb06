"""The proxy as a program: runs until SIGTERM, then drains, ships, ends.

Its parts are put together in `assembly.py`; what a setting may be is `settings.py`'s.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

import structlog
import uvloop

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.governor import Governor
from penstock_core.sql.shared_decisions import Room
from penstock_sidecar.assembly import Proxy, StartError
from penstock_sidecar.session.commands import Decider
from penstock_sidecar.settings import ProxySettings
from penstock_sidecar.supervisor import Supervisor
from penstock_sidecar.worker import Place

__all__ = ["StartError", "run"]

_log = structlog.get_logger(__name__)

# New objects until the youngest are looked through. A statement in flight has some ten; cycles are rare.
_GARBAGE = 20_000
# What all identities' decisions take together, by an estimate: so large that applications' statements stay in it.
_ROOM = Room(48 << 20)
# How long the loop waits for its turn while a thread computes something: rules, or a catalog.
_TURN_SECONDS = 0.001


def run(settings: ProxySettings) -> None:
    """Run the proxy until SIGTERM or SIGINT. Raises StartError."""
    place = Place.given()
    uvloop.run(_run(settings, place) if place is not None or settings.processes == 1 else _supervise(settings))


def _signalled() -> asyncio.Event:
    """What is set when the program is asked to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _supervise(settings: ProxySettings) -> None:
    supervisor, stop = Supervisor(settings), _signalled()
    starting = asyncio.create_task(supervisor.start())
    await asyncio.wait({starting, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        await stop.wait()
    else:
        starting.cancel()
    await supervisor.stop()


async def _run(settings: ProxySettings, place: Place | None) -> None:
    proxy, stop = Proxy(settings, govern, place), _signalled()
    await proxy.start()
    # What is there now stays: the collector of garbage need not look at it again and again, and at the rest less often.
    gc.freeze()
    gc.set_threshold(_GARBAGE, 20, 50)
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        await stop.wait()
        _log.info("stopping", sessions=len(proxy.gateway.connections))
    finally:
        await proxy.stop()


def govern(policy: EffectivePolicy, catalog: Catalog, mask_key: bytes) -> Decider:
    """The core's governor, which leaves large texts to `deliberation.py`."""
    return Governor(policy, catalog, mask_key, defers=True, room=_ROOM)
