"""Moments as the collector's API has them, for people.

What doesn't belong: the times of events, which are text (RFC 3339).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def moment(unix: Any) -> str:
    """`2026-11-29 09:00:00 UTC`. Raises ValueError, OverflowError or TypeError for what is none."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
