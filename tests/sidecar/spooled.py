"""What a spool's files hold, read as anybody could who has them."""

from __future__ import annotations

import json
from pathlib import Path

from penstock_core.audit.event import Event


def waiting(directory: Path) -> list[Event]:
    """The events in the spool that the collector had not acknowledged when its process noted that last."""
    found = []
    for segment in sorted(directory.glob("??????-*.log")):
        noted = directory / f"{segment.name[:6]}.acknowledged"
        acknowledged = int(noted.read_text()) if noted.exists() else 0
        lines = segment.read_bytes().split(b"\n")[1:-1]
        found += [event for event in map(json.loads, lines) if event["seq"] > acknowledged]
    return found
