"""What the cluster has of a request is shown as what the collector has. On a real API server: e2e/approvals."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from tests.core.approvals.users import SPEC

from penstock_cli import request_view
from penstock_cli.cluster_requests import Found
from penstock_collector.auth.viewers import Viewer
from penstock_collector.store.requests import Kept
from penstock_collector.web.deciding import document
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import Standing
from penstock_core.resources.access_request import AccessRequest

NOW = datetime(2030, 1, 31, 11, tzinfo=UTC)
STATUS = {"decision": "denied", "decidedBy": "cleo", "decidedAt": "2030-01-31T10:00:00Z", "comment": "not now"}


def request(**more: object) -> AccessRequest:
    metadata = {"name": "r-7k3f-9m2q", "namespace": "shop"}
    return AccessRequest.model_validate({"metadata": metadata, "spec": SPEC, **more})


@pytest.mark.parametrize(("more", "standing"), [({}, Standing.WAITING), ({"status": STATUS}, Standing.DENIED)])
def test_one_view_shows_both(more: dict[str, object], standing: Standing, capsys: pytest.CaptureFixture[str]) -> None:
    groups = frozenset({"dba"})
    made = NOW.timestamp()
    here = Found(request(**more), NOW.isoformat(), NOW).document(Approver("bea", groups=groups))
    kept = Kept(1, 1, request(**more), standing, made, made, trimmed=False)
    there = json.loads(json.dumps(document(kept, Viewer("bea", groups=groups))))
    commands = here.pop("commands")
    here["madeAt"] = there["madeAt"]
    assert here == there
    request_view.one(here | {"commands": commands})
    shown = capsys.readouterr().out
    assert "  | DELETE FROM orders" in shown
    assert ("kubectl penstock approve -n shop r-7k3f-9m2q" in shown) is (standing is Standing.WAITING)


def test_who_may_not_decide_is_told_before_they_try() -> None:
    shown = Found(request(), "", NOW).document(Approver("bot", groups=frozenset({"dba"})))
    assert shown["objection"].startswith("bot may not decide: they asked for it")
