"""The official `kubernetes` client beside our own list and watch: what each takes, and what it does in bad moments.

    python -m bench.api_clients [--events 20000]

Each client follows the same collection of policies, in a process of its own, before a server that does what it is told.
What is decided by it stands in ARCHITECTURE.md ("Why these libraries").
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
PATH = "/apis/penstock.dev/v1alpha1/databaseaccesspolicies"
CLIENTS = ("ours", "thread", "aio")
# Silence after which a client that was told so begins anew.
SILENCE = 2.0
_LARGE = 400_000
_PATIENCE = 20.0


def policy(revision: int, size: int = 600) -> Json:
    """As the API server has one; the managed fields are what most of it is."""
    return {
        "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
        "metadata": {"name": f"p-{revision % 100}", "namespace": "shop", "resourceVersion": str(revision),
                     "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": "x" * size}}]},
        "spec": {"databaseRef": {"name": "shop"}, "subjects": [{"serviceAccount": {"name": "web"}}]},
    }  # fmt: skip


def line(kind: str, subject: Json) -> bytes:
    return json.dumps({"type": kind, "object": subject}).encode() + b"\n"


class Server:
    """Answers lists with nothing, and each watch by the next of its acts; then it is silent."""

    def __init__(self, *acts: list[bytes]) -> None:
        self.acts = list(acts)
        # (seconds, resource version) of lists and watches.
        self.asked: list[tuple[float, str]] = []
        self._listed = 100
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                query = parse_qs(urlsplit(request.split()[1].decode()).query)
                if "watch" not in query:
                    await self._list(writer)
                    continue
                self.asked.append((time.monotonic(), query.get("resourceVersion", ["none"])[0]))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                await self._watch(writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _list(self, writer: asyncio.StreamWriter) -> None:
        self.asked.append((time.monotonic(), "list"))
        metadata = {"resourceVersion": str(self._listed)}
        body = json.dumps({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": []}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        if not self.acts:
            await asyncio.sleep(_PATIENCE)
            raise ConnectionError
        for part in self.acts.pop(0):
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def batches(count: int) -> Iterator[bytes]:
    for first in range(0, count, 100):
        yield b"".join(line("MODIFIED", policy(200 + number)) for number in range(first, first + 100))


GONE = line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})
BOOKMARK = line("BOOKMARK", {"kind": "DatabaseAccessPolicy", "metadata": {"resourceVersion": "150"}})


async def run(client: str, server: Server, events: int, seconds: float, silence: float = SILENCE) -> Json:
    """What that client tells of itself once it has seen so many events, or the time is over."""
    listening = await server.start()
    numbers = (server.port, events, seconds, silence)
    command = [sys.executable, "-m", "bench.api_client", client, *map(str, numbers)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    told, errors = await process.communicate()
    listening.close()
    if process.returncode:
        raise RuntimeError(f"{client}: {errors.decode()[-1000:]}")
    found: Json = json.loads(told.splitlines()[-1])
    return found


async def figures(client: str, events: int) -> Json:
    """All about one client."""
    many = await run(client, Server(list(batches(events))), events, 120, 120)
    marked, gone = Server([BOOKMARK]), Server([line("ADDED", policy(120)), GONE], [GONE])
    silent = Server()
    _, expired, large, quiet = await asyncio.gather(
        run(client, marked, 1, 8),
        run(client, gone, 2, 12),
        run(client, Server([line("MODIFIED", policy(200, _LARGE))]), 1, 8),
        run(client, silent, 1, 4 * SILENCE),
    )
    return {
        "memory, MiB": many["memory_kb"] // 1024,
        "start, s": many["start"],
        "CPU of an event, µs": round(many["cpu"] / max(1, many["events"]) * 1e6),
        "longest stall of the loop, ms": round(many["stall"] * 1e3),
        f"an object of {_LARGE // 1000} kB": "seen" if large["events"] else "not seen",
        "after a bookmark it goes on from": _then(marked),
        "after 410 twice": _then(gone) + _end(expired),
        f"after {SILENCE:.0f} s of silence": ("watches anew" if len(_watches(silent)) > 1 else "") + _end(quiet),
    }


def _end(found: Json) -> str:
    """How it ended by itself, if it did."""
    return f" ends: {found['ended'].partition('(')[0]}" if found["ended"] else ""


def _watches(server: Server) -> list[str]:
    return [asked for _, asked in server.asked if asked != "list"]


def _then(server: Server) -> str:
    return ", ".join(asked for _, asked in server.asked[2:6])


async def compare(events: int) -> dict[str, Json]:
    """Client → what was found."""
    return {client: await figures(client, events) for client in CLIENTS}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found = asyncio.run(compare(arguments.events))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(found, indent=1))
    for name in found["ours"]:
        print(f"{name:<36}" + "".join(f"{found[client][name]!s:>34}" for client in found))


if __name__ == "__main__":
    print(f"{'':<36}" + "".join(f"{client:>34}" for client in CLIENTS))
    main()
