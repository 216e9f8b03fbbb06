"""What the cluster has of a request is shown as what the collector has. On a real API server: e2e/approvals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner
from tests.core.approvals.users import SPEC

from penstock_cli import request_view
from penstock_cli.cluster_requests import Found
from penstock_cli.kubectl import show
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


PATH = "/apis/penstock.dev/v1alpha1/namespaces/shop/accessrequests"


def stored(name: str, approval: str, status: dict[str, Any] | None = None, **statement: str) -> dict[str, Any]:
    """A request as the API server has it."""
    spec = json.loads(json.dumps(SPEC))
    spec["heldBy"]["approval"], spec["statement"] = approval, spec["statement"] | statement
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": "2030-01-31T09:00:00Z"}
    return {"metadata": metadata, "spec": spec} | ({"status": status} if status else {})


@contextmanager
def kubeconfig(directory: Path, *objects: dict[str, Any], listed: bool = True) -> Iterator[Path]:
    """An API server that answers, and how it is found."""

    class Answers(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            path, status, said = self.path.partition("?")[0], 200, {"items": objects}
            if path.startswith(f"{PATH}/"):
                (said,) = [one for one in objects if path.endswith("/" + one["metadata"]["name"])]
            elif path != PATH:
                said = {"status": {"userInfo": {"username": "bea", "groups": ["dba"]}}}
            elif not listed:
                status, said = 403, {"message": "not allowed"}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        do_GET = do_POST = _answer  # by the names of methods

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    file = directory / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}
    users = [{"name": "u", "user": {"token": "t"}}]
    file.write_text(json.dumps({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "c"}))
    yield file
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("listed", [True, False])
def test_the_requests_of_other_rules_are_shown_where_they_may_be_listed(tmp_path: Path, listed: bool) -> None:
    approved = {"decision": "approved", "decidedBy": "cleo", "decidedAt": "2030-01-31T10:00:00Z"}
    others = (
        stored("r-2", "writes", approved),
        stored("r-3", "writes", sql="DELETE FROM carts"),
        stored("r-4", "deletes"),
    )
    mine = stored("r-1", SPEC["heldBy"]["approval"])
    with kubeconfig(tmp_path, mine, *others, listed=listed) as file:
        result = CliRunner().invoke(show, ["r-1", "--kubeconfig", str(file)])
    assert result.exit_code == 0, result.output
    assert ("/writes: r-2 approved by cleo" in result.output) is listed
    assert "r-3" not in result.output
