"""The kinds and fields of events are those that the parts write and that the docstring speaks of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from penstock_core.audit import event
from penstock_core.audit.chain import Head
from penstock_core.audit.event import KINDS, VERSION, Kind

ROOT = Path(__file__).resolve().parents[3]


def test_the_list_of_kinds_is_the_type() -> None:
    assert get_args(Kind) == KINDS
    assert len(set(KINDS)) == len(KINDS)


def test_the_docstring_says_of_each_kind_what_it_holds() -> None:
    described = re.findall(
        r"^ {4}(?:([a-z]+) {2,}|(heartbeat|transaction|emergency) )", event.__doc__ or "", re.MULTILINE
    )
    assert tuple(one or other for one, other in described) == KINDS


def test_the_proxy_writes_these_kinds_and_no_others() -> None:
    source = "".join(path.read_text() for path in (ROOT / "sidecar").rglob("*.py"))
    assert set(re.findall(r'"kind": "([a-z]+)"', source)) >= {"intent", "outcome"}
    assert set(re.findall(r'"kind": "([a-z]+)"', source)) - {"person", "agent", "service", "workload"} <= set(KINDS)


def test_each_event_is_sealed_with_the_version_and_fields_of_the_docstring() -> None:
    (shown,) = re.findall(r"^    (\{.*?\})$", event.__doc__ or "", re.MULTILINE | re.DOTALL)
    sealed, _ = Head("pod/boot").seal({"kind": "open"}, "2026-11-25T09:00:00.000000Z")
    assert set(re.findall(r'"([a-z]+)":', shown)) == sealed.keys()
    assert sealed["v"] == VERSION
    assert f'"v": {VERSION},' in shown
