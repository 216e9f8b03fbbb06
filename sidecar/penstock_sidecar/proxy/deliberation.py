"""Decides about large texts in a process of its own, so that nobody else waits: a fork, which has the rules of now.

It lives for one text. Who asks has one at a time, and all together a few, so that no client takes all of the machine;
what takes too long is ended, and the text refused. What is decided is the decider's.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import resource
import select
import signal
import time
import warnings
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable
from weakref import WeakValueDictionary

import structlog

from penstock_core.sql.decision import Decision
from penstock_core.sql.shared_decisions import Question
from penstock_sidecar.proxy.deep_stack import on_deep_stack

_log = structlog.get_logger(__name__)

# How many texts are decided about at the same time, and how long one may take.
MOST_AT_A_TIME = 2
MOST_SECONDS = 20.0
_CHUNK = 1 << 20
# The first to go where memory runs out: not the gate.
_OOM_SCORE = "1000"


@runtime_checkable
class Deferring(Protocol):
    """A decider that leaves large texts to whoever can wait: `penstock_core.sql.governor.Governor`."""

    def decide_fully(self, question: Question) -> Decision: ...

    def keep(self, question: Question, decision: Decision) -> None: ...


class Deliberation:
    """The processes of one gate."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_AT_A_TIME, "deliberation")
        self._turns: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._all = asyncio.Semaphore(MOST_AT_A_TIME)

    async def decide(self, decider: object, question: Question, who: Hashable) -> None:
        """Have that decider know its decision about the question; it stays unknown where that takes too much."""
        if not isinstance(decider, Deferring):
            return
        turn = self._turns.get(who)
        if turn is None:
            turn = self._turns[who] = asyncio.Lock()
        async with turn, self._all:
            loop = asyncio.get_running_loop()
            decision = await loop.run_in_executor(self._threads, _in_a_fork, decider, question)
        if decision is not None:
            decider.keep(question, decision)

    def stop(self) -> None:
        """Begin nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _in_a_fork(decider: Deferring, question: Question) -> Decision | None:
    reading, writing = os.pipe()
    try:
        with warnings.catch_warnings():
            # That other threads may hold locks: the fork takes none of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
    except OSError as error:
        os.close(reading)
        os.close(writing)
        _log.warning("a large statement can't be decided about", reason=error.strerror)
        return None
    if process == 0:
        _be_the_fork(decider, question, writing)
    os.close(writing)
    try:
        answer = _read(reading)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    try:
        decision = pickle.loads(answer) if answer else None  # noqa: S301 - by a fork of this process
    except Exception:  # it was ended in the middle of its answer
        decision = None
    if not isinstance(decision, Decision):
        _log.warning("a large statement took too much time or memory to decide about", characters=len(question[0]))
        return None
    return decision


def _read(reading: int) -> bytes:
    """All that comes, for as long as it may take."""
    parts: list[bytes] = []
    end = time.monotonic() + MOST_SECONDS
    while (left := end - time.monotonic()) > 0 and select.select([reading], [], [], left)[0]:
        part = os.read(reading, _CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return b""


def _be_the_fork(decider: Deferring, question: Question, writing: int) -> NoReturn:
    """Decide, answer, end: without a step through what belongs to the process that it was forked from."""
    try:
        gc.disable()
        # Connections that are closed meanwhile must not stay open here.
        for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            if number not in (0, 1, 2, writing):
                with suppress(OSError):
                    os.close(number)
        resource.setrlimit(resource.RLIMIT_CPU, (int(MOST_SECONDS) + 1,) * 2)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
        answer = memoryview(pickle.dumps(on_deep_stack(lambda: decider.decide_fully(question))))
        while answer:
            answer = answer[os.write(writing, answer[:_CHUNK]) :]
    finally:
        os._exit(0)
