"""A holder of approval requests for tests: a real HTTP server on loopback that keeps to `penstock_core.approvals`.

Who approves is the test itself, by `decide`. What the server does wrong, where a test wants that, is in `wrong`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from penstock_core.approvals.asking import Answered, Asking, Make, Refuse, Tell, Use, answer
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import Decision, Standing, decided, standing, used
from penstock_core.resources.access_request import AccessRequest

DBA = Approver("dora", groups=frozenset({"dba"}))
TOKEN = "made-up-token"


@dataclass
class Holder:
    """Holds requests in memory."""

    requests: dict[str, AccessRequest] = field(default_factory=dict)
    asked: list[Asking] = field(default_factory=list)
    # Status and body of all answers, in place of the honest ones; seconds that each takes.
    wrong: tuple[int, bytes] | None = None
    slow: float = 0.0
    # How far its clock is ahead of everybody's.
    ahead: timedelta = timedelta()
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _server: asyncio.Server | None = None

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def listen(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self.url

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    # What approvers do.

    @property
    def waiting(self) -> list[AccessRequest]:
        return [one for one in self.requests.values() if standing(one, self.now) is Standing.WAITING]

    async def decide(self, what: Decision = "approved", by: Approver = DBA, comment: str = "", name: str = "") -> str:
        """Decide the one request that waits, or that of the name; its name."""
        if name:
            request = self.requests[name]
        else:
            (request,) = self.waiting
        status = decided(request, by, what, comment, self.now)
        await self._keep(request.model_copy(update={"status": status}))
        return request.name

    async def forget(self, name: str) -> None:
        """The request is deleted."""
        async with self.changed:
            del self.requests[name]
            self.changed.notify_all()

    async def until_waiting(self, count: int = 1) -> None:
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: len(self.waiting) >= count), 20)

    async def until_looked_at(self) -> None:
        """Somebody waits for a decision."""
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: any("GET" in path for path in self.paths)), 20)

    async def _keep(self, request: AccessRequest) -> None:
        async with self.changed:
            self.requests[request.name] = request
            self.changed.notify_all()

    # What gates ask.

    async def _ask(self, asking: Asking) -> Answered:
        self.asked.append(asking)
        match answer(asking, list(self.requests.values()), self.now):
            case Use(request):
                done = request.model_copy(update={"status": used(request, self.now)})
                await self._keep(done)
                return Answered.of(done, "granted")
            case Tell(request):
                return self._told(request)
            case Refuse(why):
                return Answered(standing="refused", comment=why)
            case Make():
                name = f"r-{next(self._numbers)}"
                document = {"metadata": {"name": name, "namespace": "shop"}, "spec": asking.spec(self.now)}
                request = AccessRequest.model_validate(document)
                await self._keep(request)
                return self._told(request)

    def _told(self, request: AccessRequest) -> Answered:
        """How it stands, without using it."""
        said: dict[Standing, Any] = {
            Standing.WAITING: "waiting", Standing.DENIED: "denied", Standing.APPROVED: "granted",
        }  # fmt: skip
        at = standing(request, self.now)
        if at not in said:
            return Answered(standing="refused", request=request.name, comment=f"the request is {at.value}")
        return Answered.of(request, said[at], f"https://audit.example/requests/{request.name}")

    async def _look(self, name: str, wait: float) -> Answered | None:
        def stands() -> bool:
            return name not in self.requests or standing(self.requests[name], self.now) is not Standing.WAITING

        try:
            async with self.changed:
                await asyncio.wait_for(self.changed.wait_for(stands), max(wait, 0.01))
        except TimeoutError:
            pass
        return self._told(self.requests[name]) if name in self.requests else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split()
                headers = {}
                while (header := (await reader.readline()).decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                self.headers.append(headers)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status, said = await self._answer(method, target, body)
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(said)) + said)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        async with self.changed:
            self.paths.append(f"{method} {target}")
            self.changed.notify_all()
        await asyncio.sleep(self.slow)
        if self.wrong is not None:
            return self.wrong
        path, _, wait = target.partition("?wait=")
        _, version, streams, _, kind, *names = [unquote(part) for part in path.split("/")]
        assert (version, streams, kind) == ("v1", "streams", "requests")
        if method == "POST":
            told: Answered | None = await self._ask(Asking.model_validate(json.loads(body)))
        else:
            told = await self._look(names[0], float(wait))
        return (404, b"{}") if told is None else (200, told.model_dump_json(by_alias=True).encode())
