"""One client that follows a collection, in this process, and tells of itself: memory, CPU, stalls of the loop.

    python -m bench.api_client ours|thread|aio PORT EVENTS SECONDS SILENCE

Who asks for it, and what it is asked by, is `api_clients.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

Json = dict[str, Any]
GROUP = ("penstock.dev", "v1alpha1", "databaseaccesspolicies")


def memory_kb() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in status if one.startswith("VmRSS:"))


class Counted:
    """What came, as a follower of ours is told it."""

    def __init__(self) -> None:
        self.events = 0

    def replace(self, objects: dict[Any, Json], revision: int) -> None:
        """Nothing is in the lists."""

    def change(self, change: Any) -> None:
        self.events += 1


async def ours(port: int, counted: Counted, silence: float) -> None:
    """`penstock_operator.cluster`."""
    from penstock_operator.cluster import api, watch  # noqa: PLC0415 - what it takes is measured
    from penstock_operator.cluster.access import Access  # noqa: PLC0415 - likewise

    api.WATCH_SILENCE = silence
    async with api.Api(Access(f"http://127.0.0.1:{port}", "")) as found:
        await watch.follow(found, f"/apis/{GROUP[0]}/{GROUP[1]}/{GROUP[2]}", counted)


def _official(package: str) -> tuple[Any, Any]:
    """Its client and its watch. Imported here, since what that takes is measured."""
    return import_module(f"{package}.client"), import_module(f"{package}.watch")


async def threaded(port: int, counted: Counted, silence: float) -> None:
    """The official client's watch, after a list, in a thread; what it sees goes to the loop, where ours is used.

    (Its informer takes no custom resources: it asks a list, which is a dictionary, for the attribute `items`.)
    """
    client, watch = _official("kubernetes")
    loop = asyncio.get_running_loop()
    api = client.CustomObjectsApi(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{port}")))

    def follow() -> None:
        listed = api.list_cluster_custom_object(*GROUP)
        for event in watch.Watch().stream(
            api.list_cluster_custom_object, *GROUP, allow_watch_bookmarks=True, _request_timeout=(10, silence),
            resource_version=listed["metadata"]["resourceVersion"],
        ):  # fmt: skip
            if event["type"] != "BOOKMARK":
                loop.call_soon_threadsafe(counted.change, event)

    await asyncio.to_thread(follow)


async def aio(port: int, counted: Counted, silence: float) -> None:
    """The official asynchronous client's watch, after a list, as its documentation has it.

    Its time limit is of the whole watch, silent or not.
    """
    client, watch = _official("kubernetes.aio")
    async with client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{port}")) as session:
        api = client.CustomObjectsApi(session)
        listed = await api.list_cluster_custom_object(*GROUP)
        stream = watch.Watch().stream(
            api.list_cluster_custom_object, *GROUP, allow_watch_bookmarks=True, _request_timeout=silence,
            resource_version=listed["metadata"]["resourceVersion"],
        )  # fmt: skip
        async for event in stream:
            if event["type"] != "BOOKMARK":
                counted.change(event)


async def followed(name: str, port: int, events: int, seconds: float, silence: float) -> Json:
    """Until so many events came, it ended, or the time is over."""
    counted, before = Counted(), memory_kb()
    began, stall = time.monotonic(), 0.0
    following = asyncio.create_task({"ours": ours, "thread": threaded, "aio": aio}[name](port, counted, silence))
    await asyncio.sleep(0)
    start, cpu = time.monotonic() - began, 0.0
    began = last = time.monotonic()
    while counted.events < events and not following.done() and time.monotonic() < began + seconds:
        cpu = cpu or time.process_time()
        await asyncio.sleep(0.001)
        stall, last = max(stall, time.monotonic() - last), time.monotonic()
    spent = time.process_time() - cpu
    ended = repr(following.exception()) if following.done() and not following.cancelled() else ""
    following.cancel()
    return {"ended": ended, "memory_kb": memory_kb() - before, "start": round(start, 2), "cpu": spent, "stall": stall,
            "events": counted.events}  # fmt: skip


if __name__ == "__main__":
    _, wanted, to, many, long, silent = sys.argv
    sys.stdout.write(json.dumps(asyncio.run(followed(wanted, int(to), int(many), float(long), float(silent)))) + "\n")
    sys.stdout.flush()
    # The thread may wait for what never comes.
    os._exit(0)
