"""Streams that nothing is heard of: what is left of them as rows is packed, in portions that ingest hardly waits for.

Else the last events of each pod that ever was would take many times their room. What doesn't belong: packing itself
(`store/packing.py`), the alarm (`store/watch.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from penstock_collector.store import packing
from penstock_collector.store.writer import Writer

# Such a stream may be heard of again; then its next block begins there.
_QUIET_SECONDS = 3_600.0
# Between two portions, others have the store for as long.
_PAUSE_SECONDS = 0.02


async def pack(writer: Writer, clock: Callable[[], float] = time.time) -> int:
    """Pack what is left of all of them; how many events. Raises StoreError."""
    heard, packed = clock() - _QUIET_SECONDS, 0
    after: int | None = 0
    while after is not None:
        some, after = await writer.run(partial(packing.pack_quiet, heard=heard, after=after))
        packed += some
        await asyncio.sleep(_PAUSE_SECONDS)
    return packed
