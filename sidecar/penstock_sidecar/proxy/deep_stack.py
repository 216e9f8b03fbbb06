"""A stack on which deeply nested statements can be analysed: what is written here recurses as deep as they are nested.

A thread's own stack is large enough for what is written by hand; generated statements nest by the hundred. Only for a
process, or a part of one, in which nobody waits meanwhile: the limit of recursion is the process's.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")

# Address space, not memory: of a stack, only what is used takes any.
_STACK = 512 << 20
# Calls; none of ours takes more than some kilobytes of the stack.
_CALLS = 50_000
_alone = threading.Lock()


def on_deep_stack(work: Callable[[], _Value]) -> _Value:
    """What `work` returns or raises. Raises RecursionError if that is too deep even there."""
    found: list[_Value] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)

    with _alone:
        calls, stack = sys.getrecursionlimit(), threading.stack_size(_STACK)
        sys.setrecursionlimit(_CALLS)
        try:
            thread = threading.Thread(target=run, name="deep")
            thread.start()
            thread.join()
        except RuntimeError:
            raise RecursionError("no stack to be had") from None
        finally:
            threading.stack_size(stack)
            sys.setrecursionlimit(calls)
    if failed:
        raise failed[0]
    return found[0]
