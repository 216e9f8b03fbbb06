"""The criteria that evidence is for."""

from __future__ import annotations

from penstock_core.evidence.criteria import CRITERIA


def test_each_says_what_it_does_not_show() -> None:
    assert len({one.code for one in CRITERIA}) == len(CRITERIA)
    for one in CRITERIA:
        assert one.shows.endswith(".")
        assert one.lacks.endswith(".")
