"""What `control` takes for many sidecars: memory for each stream, how soon a changed policy is at all of them, probes
meanwhile.

A real `penstock control` before a stand-in for the API server; `python -m bench --control` runs it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import secrets
import ssl
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
import uvloop
import yaml

from bench.api_server import ApiServer, token
from bench.figures import Figure
from bench.followers import Follower, follow
from bench.processes import BenchError, Program
from penstock_cli.demo.loopback import free_port
from penstock_entrance.open_files import raise_limit
from penstock_operator.certificates.authority import KeyPair, build_authority, build_leaf
from penstock_operator.objects import DATABASES, GROUP_PATH, POLICIES

STREAMS = 5_000
NAMESPACE_POLICIES = 1_000
_SYSTEM, _SHOP = "penstock-system", "shop"
# Of so many policies a bundle is large; few of the streams follow that Database.
_STREAMS_OF_MANY = 100
# As many policies once more, of several Databases of one namespace, each with some streams.
_SEVERAL = 10
_STREAMS_OF_EACH = 10
_CHANGES = 5
_AT_ONCE = 50
_TRIES = 5
_LONGEST_SECONDS = 300.0


def measure(directory: Path, streams: int = STREAMS, policies: int = NAMESPACE_POLICIES) -> list[Figure]:
    """All figures; `clients` is how many streams, `mode` what happened to them."""
    raise_limit()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < streams + 200:
        raise BenchError(f"{streams} streams need as many open files: raise the hard limit (ulimit -Hn)")

    async def bounded() -> list[Figure]:
        async with asyncio.timeout(_LONGEST_SECONDS):
            return await _Run(directory, streams, policies).figures()

    try:
        return list(uvloop.run(bounded()))
    except TimeoutError:
        raise BenchError(f"control: not done within {_LONGEST_SECONDS:.0f} s") from None


@dataclass(slots=True)
class _Run:
    """One `control`, and who asks it."""

    directory: Path
    streams: int
    policies: int
    server: ApiServer = field(default_factory=ApiServer)
    port: int = field(default_factory=free_port)
    health: int = field(default_factory=free_port)

    async def figures(self) -> list[Figure]:
        authority = build_authority(datetime.now(UTC), timedelta(days=1))
        self._fill(authority)
        api_port = free_port()
        api = uvicorn.Server(
            uvicorn.Config(self.server.app, port=api_port, log_level="warning", access_log=False, lifespan="off")
        )
        serving = asyncio.create_task(api.serve())
        began = time.monotonic()
        control = self._start(api_port)
        try:
            await self._until_ready(control)
            start = Figure("control", "start", 0, "penstock", p50_us=(time.monotonic() - began) * 1e6,
                           cpu_us=control.cpu_seconds() * 1e6)  # fmt: skip
            context = ssl.create_default_context(cadata=authority.certificate_pem.decode())
            return [start, *await self._measured(control, context)]
        finally:
            await asyncio.to_thread(control.end)
            api.should_exit = True
            api.force_exit = True
            await serving

    def _fill(self, authority: KeyPair) -> None:
        """What is there when `control` starts: a Database with one policy, and one with many beside it."""
        leaf = build_leaf(authority, ["localhost"], datetime.now(UTC), timedelta(hours=12))
        held = {
            "penstock-control-tls": {"tls.crt": leaf.certificate_pem, "tls.key": leaf.key_pem},
            "penstock-mask-key": {"key": secrets.token_bytes(32)},
        }
        for name, data in held.items():
            document = {"metadata": {"name": name, "namespace": _SYSTEM},
                        "data": {key: base64.b64encode(value).decode() for key, value in data.items()}}  # fmt: skip
            self.server.put(f"/api/v1/namespaces/{_SYSTEM}/secrets", document)
        for name, count in (("few", 1), ("many", self.policies)):
            self._put(name, count)

    def _put(self, database: str, policies: int) -> None:
        self.server.put(f"{GROUP_PATH}/{DATABASES}", _database(database))
        for number in range(policies):
            self.server.put(f"{GROUP_PATH}/{POLICIES}", _policy(database, number, ["select"]))

    def _start(self, api_port: int) -> Program:
        kubeconfig = {
            "current-context": "bench",
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{api_port}"}}],
            "users": [{"name": "bench", "user": {"token": "bench"}}],
        }
        (self.directory / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        settings = {
            "NAMESPACE": _SYSTEM, "URL": f"https://localhost:{self.port}", "COLLECTOR_URL": "https://localhost:1",
            "HOST": "127.0.0.1", "PORT": str(self.port), "HEALTH_PORT": str(self.health), "LINGER": "0", "DRAIN": "1",
            "SIDECAR": json.dumps({"image": "example.test/penstock:1"}),
        }  # fmt: skip
        environment = {f"PENSTOCK_CONTROL_{name}": value for name, value in settings.items()}
        return Program.start(
            "control", [sys.executable, "-m", "penstock_cli", "--log-level", "warning", "control"],
            self.directory / "control.log",
            environment={**environment, "KUBECONFIG": str(self.directory / "kubeconfig")},
        )  # fmt: skip

    async def _until_ready(self, control: Program) -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            for _ in range(600):
                control.check()
                try:
                    if (await client.get(f"http://127.0.0.1:{self.health}/readyz")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.1)
        raise BenchError("control does not get ready")

    async def _measured(self, control: Program, context: ssl.SSLContext) -> list[Figure]:
        figures = [Figure("control", "idle", 0, "penstock", rss_kb=control.rss_kb())]
        probes = _Probes(self.health)
        probing = asyncio.create_task(probes.run())
        try:
            few = await self._open(control, "few", self.streams, context, figures)
            figures += await self._changed(control, "change", "few", few, probes)
            many = await self._open(control, "many", min(self.streams, _STREAMS_OF_MANY), context, figures)
            figures += await self._changed(control, f"{self.policies} policies", "many", many, probes)
            figures.append(await self._several(control, context, probes))
        finally:
            probing.cancel()
        return figures

    async def _open(
        self, control: Program, database: str, count: int, context: ssl.SSLContext, figures: list[Figure]
    ) -> list[Follower]:
        """So many streams, some at a time, as pods come."""
        before, began = control.cpu_seconds(), time.monotonic()
        path = f"/v1/policies/{_SHOP}/{database}"
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int) -> Follower:
            async with slots:
                for _ in range(_TRIES):
                    follower = await follow(self.port, path, token(_SHOP, f"{database}-{number}"), context)
                    # What stands for the API server shares a busy machine; a gate asks again, too.
                    if "can't be checked now" not in follower.trouble:
                        break
                return follower

        followers = await asyncio.gather(*(one(number) for number in range(count)))
        _check(followers)
        took = time.monotonic() - began
        cpu = (control.cpu_seconds() - before) / count * 1e6
        figures.append(
            Figure("control", f"streams, {database}", count, "penstock", tps=count / took, cpu_us=cpu,
                   rss_kb=control.rss_kb())
        )  # fmt: skip
        return followers

    async def _several(self, control: Program, context: ssl.SSLContext, probes: _Probes) -> Figure:
        """A policy of one Database of several changes: its streams are told, and those of the others hear nothing."""
        names = [f"several-{number}" for number in range(_SEVERAL)]
        for name in names:
            self._put(name, max(1, self.policies // _SEVERAL))
        # Until control knows them all.
        await asyncio.to_thread(control.settled_cpu_seconds)
        opened = [await self._open(control, name, _STREAMS_OF_EACH, context, []) for name in names]
        heard = [follower.bundles for followers in opened[1:] for follower in followers]
        mode = f"{self.policies} policies of {len(names)}"
        figure, last, *_ = await self._changed(control, mode, names[0], opened[0], probes)
        if heard != [follower.bundles for followers in opened[1:] for follower in followers]:
            raise BenchError("control: a change of one Database's policy was told to others")
        return replace(figure, p99_us=last.p50_us)

    async def _changed(
        self, control: Program, mode: str, database: str, followers: Sequence[Follower], probes: _Probes
    ) -> list[Figure]:
        """A policy changes, several times over: how soon the streams have it, and the last of them."""
        # Each other than the one before.
        verbs = [["select", *["insert", "update", "delete"][: turn % 3 + 1]] for turn in range(_CHANGES)]
        times: list[float] = []
        lasts: list[float] = []
        cpu = control.cpu_seconds()
        probes.longest = 0.0
        for wanted in verbs:
            for follower in followers:
                follower.got.clear()
                follower.size = 0
            began = time.monotonic()
            self.server.put(f"{GROUP_PATH}/{POLICIES}", _policy(database, 0, wanted))
            await asyncio.gather(*(follower.got.wait() for follower in followers))
            _check(followers)
            took = [follower.at - began for follower in followers]
            times += took
            lasts.append(max(took))
            await asyncio.sleep(0.5)
        spent = (control.settled_cpu_seconds() - cpu) / len(verbs)
        quantiles = statistics.quantiles(times, n=100)
        count = len(followers)
        return [
            Figure("control", mode, count, "penstock", p50_us=quantiles[49] * 1e6, p99_us=quantiles[98] * 1e6,
                   cpu_us=spent / count * 1e6, rss_kb=control.rss_kb()),
            Figure("control", f"{mode}, the last", count, "penstock", p50_us=statistics.median(lasts) * 1e6),
            Figure("control", f"{mode}, a probe", count, "penstock", p50_us=probes.longest * 1e6),
            Figure("control", f"{mode}, on the wire", 1, "penstock", rss_kb=followers[0].size // 1024),
        ]  # fmt: skip


def _check(followers: Sequence[Follower]) -> None:
    """Raises BenchError unless all still follow."""
    if troubles := [follower.trouble for follower in followers if follower.trouble]:
        raise BenchError(f"control: {len(troubles)} of {len(followers)} streams are gone: {troubles[0]}")


# As the API server notes it of each field of each object that it hands out.
_FIELDS = ("f:databaseRef", "f:subjects", "f:allow", "f:masks")
_WRITTEN_BY = [
    {"manager": manager, "operation": "Apply", "apiVersion": "penstock.dev/v1alpha1", "time": "2026-01-01T00:00:00Z",
     "fieldsType": "FieldsV1", "fieldsV1": {part: {name: {".": {}} for name in _FIELDS} for part in parts}}
    for manager, parts in (("kubectl", ("f:metadata", "f:spec")), ("penstock-operator", ("f:status",)))
]  # fmt: skip


class _Probes:
    """`/healthz` again and again; `longest` is the longest that it took."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/healthz"
        self.longest = 0.0

    async def run(self) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            while True:
                began = time.monotonic()
                await client.get(self._url)
                self.longest = max(self.longest, time.monotonic() - began)
                await asyncio.sleep(0.02)


def _database(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "penstock.dev/v1alpha1", "kind": "Database",
        "metadata": {"name": name, "namespace": _SHOP, "uid": f"d-{name}", "generation": 1},
        "spec": {
            "host": "db.shop.svc", "dbname": name, "tls": {"mode": "require"},
            "credentialsSecretRef": {"name": name},
            "classification": [{"columns": ["public.customers.email"], "tag": "pii.email"}],
        },
    }  # fmt: skip


def _policy(database: str, number: int, allow: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
        "metadata": {"name": f"{database}-{number}", "namespace": _SHOP, "uid": f"p-{database}-{number}",
                     "generation": 1, "managedFields": _WRITTEN_BY},
        "spec": {
            "databaseRef": {"name": database}, "subjects": [{"serviceAccount": {"name": f"app-{number}"}}],
            "allow": allow, "masks": [{"tags": ["pii.email"], "with": {"email": {}}}],
        },
    }  # fmt: skip
