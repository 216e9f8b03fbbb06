"""Deep recursion ends well where there is a stack for it, and leaves the process as it was."""

from __future__ import annotations

import sys
import threading

import pytest

from penstock_sidecar.proxy.deep_stack import on_deep_stack


def deep(levels: int) -> int:
    return 0 if levels == 0 else 1 + sum(deep(one) for one in (levels - 1,))


def test_what_recurses_too_deeply_elsewhere_ends() -> None:
    with pytest.raises(RecursionError):
        deep(5_000)
    assert on_deep_stack(lambda: deep(5_000)) == 5_000


def test_even_there_is_a_limit() -> None:
    with pytest.raises(RecursionError):
        on_deep_stack(lambda: deep(1_000_000))


def test_what_is_raised_is_raised_and_nothing_is_left_behind() -> None:
    before = sys.getrecursionlimit(), threading.stack_size(), threading.active_count()
    with pytest.raises(KeyError, match="it"):
        on_deep_stack(lambda: {}["it"])
    assert (sys.getrecursionlimit(), threading.stack_size(), threading.active_count()) == before
