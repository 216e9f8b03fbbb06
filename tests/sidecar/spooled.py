"""What a spool's files hold, read as anybody could who has them."""

from __future__ import annotations

import json
from pathlib import Path

from penstock_core.audit.event import Event
from penstock_sidecar.shipping.spool import Spool
from penstock_sidecar.shipping.spool_view import SpoolView


def waiting(directory: Path) -> list[Event]:
    """The events in the spool that the collector had not acknowledged when its process noted that last."""
    found = []
    for segment in sorted(directory.glob("??????-*.log")):
        # Empty where it was to be written first when the disk was full.
        acknowledged = int(_bytes(directory / f"{segment.name[:6]}.acknowledged") or 0)
        lines = _bytes(segment).split(b"\n")[1:-1]
        found += [event for event in map(json.loads, lines) if event["seq"] > acknowledged]
    return found


def _bytes(path: Path) -> bytes:
    """What the file holds; nothing where it is gone, as a segment is that was shipped while it was looked for."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def pending(spool: Spool, after_seq: int = 0, limit: int = 500, stream: str | None = None) -> list[Event]:
    """Up to `limit` durable events of a stream (the current one) behind `after_seq`, read as a shipper does."""
    view, found = SpoolView(), list[Event]()
    view.update(spool.view())
    name = stream or spool.head.stream
    for one in view.streams:
        while one.name == name and (batch := view.batch(one, after_seq, limit - len(found), 1 << 40)) is not None:
            found += map(json.loads, batch.data.splitlines())
            after_seq = batch.last
    view.close()
    return found
