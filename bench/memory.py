"""What a gate takes of memory (idle, for each idle session, after many distinct statements) and of time to start.

A gate of its own is started for it, so that nothing that ran before counts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.figures import Figure
from bench.load import bare_socket
from bench.scenarios import distinct_statements
from bench.stage import Endpoint, Stage

_STARTS = 3


def measure(stage: Stage, sessions: int, statements: int) -> Iterator[Figure]:
    """One figure after the other, each as soon as it is known."""
    seconds = []
    for number in range(_STARTS):
        gate, took = stage.another_gate(f"memory{number}")
        seconds.append(took)
        if gate.program is not None and number < _STARTS - 1:
            gate.program.end()
    yield Figure("memory", "start", 0, "penstock", p50_us=round(sorted(seconds)[_STARTS // 2] * 1e6))
    try:
        yield from _sessions(stage.pgbouncer, sessions)
        yield from _sessions(gate, sessions)
        distinct_statements(statements).run(gate, stage.binaries)
        if gate.program is not None:
            gate.rested_cpu_seconds()
            yield Figure("memory", "distinct statements", 4, "penstock", rss_kb=gate.program.rss_kb())
    finally:
        if gate.program is not None:
            gate.program.end()


def _sessions(endpoint: Endpoint, count: int) -> Iterator[Figure]:
    program = endpoint.program
    if program is None:
        return
    # What the first session brings with it (modules, the catalog, the rules) is the gate's.
    with bare_socket(endpoint):
        pass
    idle = program.rss_kb()
    yield Figure("memory", "idle", 0, endpoint.target, rss_kb=idle)
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(bare_socket(endpoint))
        yield Figure("memory", "session", count, endpoint.target, rss_kb=round((program.rss_kb() - idle) / count))
