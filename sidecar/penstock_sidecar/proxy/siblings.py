"""The other workers of a gate that has several: asked by lines through its supervisor, who passes them on to all.

A request to cancel that reached the wrong worker goes to the others, and so does what closes the door of a database
before the catalog changes. What doesn't belong: passing it on (`supervisor.py`), the door (`shared_door.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

if TYPE_CHECKING:
    from penstock_sidecar.proxy.gateway import Gateway

_log = structlog.get_logger(__name__)

# How long the others may take to answer; who takes longer has not agreed.
ANSWER_SECONDS = 4.0

Message: TypeAlias = list[Any]


def line(message: Message) -> bytes:
    """As it is said."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Siblings:
    """This worker's way to the others."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        # No two of a gate have the same, not even of one worker before and after it was started again.
        self._own = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._asked: dict[str, asyncio.Future[bool]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # What is done about what others ask, by the first word; whether it was done.
        self.answers: dict[str, Callable[..., Awaitable[bool]]] = {}
        # And about what they tell.
        self.hears: dict[str, Callable[..., None]] = {}

    def tell(self, *message: Any) -> None:
        """Say it to all others, or to the supervisor."""
        self._send(line(list(message)))

    def name(self) -> str:
        """For something that is asked, and told of later."""
        return f"{self._own}.{next(self._numbers)}"

    async def ask(self, what: str, name: str, *details: Any) -> bool:
        """Ask all others; whether each has done it, in time."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked[name] = future
        self.tell(what, name, *details)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except TimeoutError:
            return False
        finally:
            del self._asked[name]

    def hear(self, message: Message) -> None:
        """Something that the supervisor passed on."""
        what, *details = message
        if what == "answer":
            name, done = details
            future = self._asked.get(name)
            if future is not None and not future.done():
                future.set_result(done)
        elif what in self.answers:
            task = asyncio.create_task(self._answer(what, details))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif what in self.hears:
            self.hears[what](*details)

    async def _answer(self, what: str, details: list[Any]) -> None:
        done = False
        try:
            done = await self.answers[what](*details)
        except Exception:
            # A fault of ours: nobody may take it for agreement.
            _log.exception("what another worker asks for can't be done", asked=what)
        self.tell("answer", details[0], done)


def share_cancelling(siblings: Siblings, gateway: Gateway) -> None:
    """Requests to cancel find their session in whichever worker it is."""

    async def cancel(name: str, pid: int, key: str) -> bool:
        under_way = gateway.cancel_here(pid, bytes.fromhex(key))
        if under_way is not None:
            await asyncio.wait([under_way])
        return True

    async def elsewhere(pid: int, key: bytes) -> None:
        await siblings.ask("cancel", siblings.name(), pid, key.hex())

    siblings.answers["cancel"] = cancel
    gateway.cancel_elsewhere = elsewhere
