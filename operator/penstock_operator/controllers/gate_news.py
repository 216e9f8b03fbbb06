"""What all gates report, read from every replica of `control` and put together: of each gate the newest report, and
whether anybody sends it policies.

Replicas hear of different gates, and of one gate at different times, so all are asked. What doesn't belong: what
follows from reports (`gate_conditions.py`), and keeping them (`control/gate_reports.py`).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import structlog

from penstock_core.gate_report import GateReport
from penstock_operator.cluster.api import Api, ApiError

Json = dict[str, Any]

_POLL_SECONDS = 2.0
_LIST_SECONDS = 10.0
_ANSWER_SECONDS = 5.0
# So long a gate may be between two streams before it counts as unreachable, and a replica without an answer.
PATIENCE_SECONDS = 15.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gate:
    """One pod with one Database."""

    pod: str
    report: GateReport | None
    # Whether it is sent policies, or was until a moment ago.
    reachable: bool


@dataclass(slots=True)
class _Known:
    pod: str
    report: GateReport | None = None
    # Addresses of the replicas that it follows.
    followed: set[str] = field(default_factory=set)
    # Since when it follows none.
    lost_at: float = 0.0
    # Whether that was told.
    told_lost: bool = False


@dataclass(slots=True)
class _Replica:
    instance: str = ""
    revision: int = 0
    heard_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ControlPlace:
    """Where `control` is: its Service, and how its pods are asked."""

    namespace: str
    service: str
    port: int
    token_file: Path | None


class GateNews:
    """All gates, as far as anybody has heard of them."""

    def __init__(
        self,
        api: Api,
        place: ControlPlace,
        bundle: Callable[[], bytes],
        touch: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`bundle`: the authorities by which `control` is known; `touch`: called for namespaces with news."""
        self._api = api
        self._place = place
        self._bundle = bundle
        self._touch = touch
        self._clock = clock
        self._gates: dict[str, dict[tuple[str, str], _Known]] = defaultdict(dict)
        # The name in control's certificate.
        self.host = f"{place.service}.{place.namespace}.svc"
        self._replicas: dict[str, _Replica] = {}
        self._listed_at = float("-inf")
        self._trouble = ""
        self._began = clock()
        self._client: tuple[bytes, httpx2.AsyncClient] | None = None

    @property
    def silent(self) -> bool:
        """Whether no replica has answered for a while."""
        heard = max((one.heard_at for one in self._replicas.values()), default=0.0)
        return self._clock() - max(heard, self._began) > PATIENCE_SECONDS

    def of(self, namespace: str, database: str) -> dict[str, Gate]:
        """Its gates by their pods' uids."""
        now = self._clock()
        return {
            uid: Gate(one.pod, one.report, bool(one.followed) or now - one.lost_at < PATIENCE_SECONDS)
            for (name, uid), one in self._gates.get(namespace, {}).items()
            if name == database
        }

    def keep(self, namespace: str, uids: Collection[str]) -> None:
        """Those pods are there, and no other."""
        gates = self._gates.get(namespace, {})
        for place in [place for place in gates if place[1] not in uids]:
            del gates[place]
        if not gates:
            self._gates.pop(namespace, None)

    async def run(self) -> None:
        """Ask until cancelled."""
        silent = False
        try:
            while self._place.token_file is not None:
                await self.look()
                if silent != self.silent:
                    silent = self.silent
                    for namespace in list(self._gates):
                        self._touch(namespace)
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            await self.close()

    async def look(self) -> None:
        """Ask every replica once, and say what is wrong with that once."""
        trouble = ""
        try:
            if self._clock() - self._listed_at > _LIST_SECONDS:
                await self._list()
            for address, replica in list(self._replicas.items()):
                trouble = await self._asked(address, replica) or trouble
        except ApiError as problem:
            trouble = f"the replicas of {self._place.service} can't be listed: {problem}"
        self._notice_lost()
        if trouble and trouble != self._trouble:
            _log.warning("what gates report could not be read", problem=trouble)
        self._trouble = trouble

    async def _list(self) -> None:
        namespace, service = self._place.namespace, self._place.service
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        slices = (await self._api.get(path, labelSelector=f"kubernetes.io/service-name={service}")).get("items") or []
        endpoints = [one for found in slices for one in found.get("endpoints") or []]
        addresses = {str(one["addresses"][0]) for one in endpoints if one.get("addresses")}
        for address in set(self._replicas) - addresses:
            del self._replicas[address]
            self._forget_replica(address)
        for address in addresses - set(self._replicas):
            self._replicas[address] = _Replica(heard_at=self._clock())
        self._listed_at = self._clock()

    async def _asked(self, address: str, replica: _Replica) -> str:
        """What is wrong; empty where it answered."""
        try:
            more = True
            while more:
                more = self._take(address, replica, await self._answer(address, replica))
        except (httpx2.HTTPError, ssl.SSLError, OSError, ValueError, LookupError, TypeError) as error:
            if self._clock() - replica.heard_at > PATIENCE_SECONDS:
                self._forget_replica(address)
                replica.instance = ""
            # It may be gone.
            self._listed_at = float("-inf")
            return f"{address}: {' '.join(str(error).split()) or type(error).__name__}"
        replica.heard_at = self._clock()
        return ""

    async def _answer(self, address: str, replica: _Replica) -> Json:
        if self._place.token_file is None:
            raise ValueError("there is no token for it")
        token = self._place.token_file.read_text().strip()
        where = f"[{address}]" if ":" in address else address
        response = await (await self._connected()).get(
            f"https://{where}:{self._place.port}/v1/gates",
            params={"instance": replica.instance, "after": str(replica.revision)},
            headers={"Authorization": f"Bearer {token}", "Host": self.host},
            extensions={"sni_hostname": self.host},
        )
        if response.status_code != 200:
            raise ValueError(f"answers {response.status_code}")
        answer: Json = response.json()
        return answer

    def _take(self, address: str, replica: _Replica, answer: Json) -> bool:
        """Whether there is more."""
        if answer["instance"] != replica.instance:
            # Another process: whoever followed the one before does not any more.
            self._forget_replica(address)
        touched = set()
        for one in answer["gates"]:
            gates = self._gates[one["namespace"]]
            known = gates.setdefault((one["database"], one["uid"]), _Known(one["pod"], lost_at=self._clock()))
            report = None if one["report"] is None else GateReport.model_validate(one["report"])
            if report is not None and (known.report is None or known.report.number <= report.number):
                known.report = report
            (known.followed.add if one["following"] else known.followed.discard)(address)
            self._lost(known)
            touched.add(one["namespace"])
        replica.instance, replica.revision = answer["instance"], answer["revision"]
        for namespace in touched:
            self._touch(namespace)
        return bool(answer["more"])

    def _forget_replica(self, address: str) -> None:
        for gates in self._gates.values():
            for known in gates.values():
                if address in known.followed:
                    known.followed.discard(address)
                    self._lost(known)

    def _lost(self, known: _Known) -> None:
        if known.followed:
            known.lost_at, known.told_lost = 0.0, False
        elif not known.lost_at:
            known.lost_at = self._clock()

    def _notice_lost(self) -> None:
        """Time alone makes a gate unreachable."""
        now = self._clock()
        for namespace, gates in list(self._gates.items()):
            for known in gates.values():
                if not known.followed and not known.told_lost and now - known.lost_at >= PATIENCE_SECONDS:
                    known.told_lost = True
                    self._touch(namespace)

    async def _connected(self) -> httpx2.AsyncClient:
        bundle = self._bundle()
        if self._client is None or self._client[0] != bundle:
            await self.close()
            context = ssl.create_default_context(cadata=bundle.decode())
            client = httpx2.AsyncClient(verify=context, trust_env=False, timeout=_ANSWER_SECONDS)
            self._client = bundle, client
        return self._client[1]

    async def close(self) -> None:
        """Nobody is asked any more."""
        client, self._client = self._client, None
        if client is not None:
            await client[1].aclose()
