"""Fields that are what they should be, and fields that are not."""

from __future__ import annotations

import pytest

from penstock_core.audit import essentials
from penstock_core.audit.chain import Head

TIME = "2026-11-25T09:00:00.000000Z"


def test_a_sealed_event_has_nothing_wrong() -> None:
    event, _ = Head("pod/boot").seal({"kind": "intent", "session": "s", "statement": 7}, TIME)
    assert essentials.complaint(event) == ""


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"v": True}, "version is not 1 or 2"),
        ({"v": 1.0}, "version is not 1 or 2"),
        ({"seq": True}, "no usable seq"),
        ({"seq": 2**53}, "no usable seq"),
        ({"stream": ""}, "no usable stream"),
        ({"stream": "x" * 301}, "no usable stream"),
        ({"prev": []}, "no usable prev"),
        ({"hash": "A" * 64}, "no usable hash"),
        ({"hash": "a" * 64 + "\n"}, "no usable hash"),
        ({"kind": "x" * 41}, "no usable kind"),
        ({"session": []}, "no usable session"),
        ({"statement": True}, "no usable statement"),
        ({"export": "end"}, "it has `export`, which is for lines about an export"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, object], complaint: str) -> None:
    event, _ = Head("pod/boot").seal({"kind": "intent"}, TIME)
    assert essentials.complaint({**event, **changes}) == complaint


@pytest.mark.parametrize("time", ["2026-11-25T09:00:00Z", "2026-11-25T09:00:00.1Z", "2028-02-29T23:59:59.999999999Z"])
def test_times(time: str) -> None:
    assert essentials.is_time(time)


@pytest.mark.parametrize(
    "time",
    [
        "2026-02-29T09:00:00Z", "2026-13-01T09:00:00Z", "2026-11-25T24:00:00Z", "2026-11-25T09:00:60Z",
        "0000-01-01T00:00:00Z", "2026-11-25T09:00:00", "2026-11-25 09:00:00Z", "2026-11-25T09:00:00+00:00",
        "2026-11-25T09:00:00.0000000000Z", "2026-11-25T09:00:00Z\n", "٢٠٢٦-11-25T09:00:00Z", "2026-11-2５T09:00:00Z",
        7, None,
    ],
)  # fmt: skip
def test_times_that_there_are_not(time: object) -> None:
    assert not essentials.is_time(time)
