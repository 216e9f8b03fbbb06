"""The kinds of events are those that the parts write and that are defined."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from penstock_core.audit import event
from penstock_core.audit.chain import Head
from penstock_core.audit.event import KINDS, VERSION, VERSIONS, Kind
from penstock_core.audit.fields import DEFINITIONS

ROOT = Path(__file__).resolve().parents[3]


def test_the_list_of_kinds_is_the_type() -> None:
    assert get_args(Kind) == KINDS
    assert tuple(DEFINITIONS) == KINDS
    assert VERSIONS[-1] == VERSION


def test_the_parts_write_these_kinds_and_no_others() -> None:
    paths = [path for part in ("sidecar", "collector") for path in (ROOT / part).rglob("*.py")]
    source = "".join(path.read_text() for path in paths)
    written = set(re.findall(r'"kind": "([a-z]+)"', source)) - {"person", "agent", "service", "workload", "silent"}
    assert written == set(KINDS)


def test_each_event_is_sealed_with_the_version_and_fields_of_the_docstring() -> None:
    (shown,) = re.findall(r"^    (\{.*?\})$", event.__doc__ or "", re.MULTILINE | re.DOTALL)
    sealed, _ = Head("pod/boot").seal({"kind": "open"}, "2026-11-25T09:00:00.000000Z")
    assert set(re.findall(r'"([a-z]+)":', shown)) == sealed.keys()
    assert sealed["v"] == VERSION
    assert f'"v": {VERSION},' in shown
