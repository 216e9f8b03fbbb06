"""An API server with the chart's objects, and requests that wait in it. No pods: see `api_server.py`."""

from __future__ import annotations

import copy
import itertools
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import yaml
from tests.core.approvals.users import SPEC

from e2e.approvals.api_server import ApiServer
from e2e.cluster.console import ClusterError
from e2e.environment import ROOT
from penstock_core.approvals.kubernetes_user import KubernetesUser
from penstock_core.approvals.standing import written

Json = dict[str, Any]
CONTROL = "system:serviceaccount:penstock-system:penstock-control"
ACCOUNTS = "system:serviceaccounts"
REQUESTS = "/apis/penstock.dev/v1alpha1/namespaces/shop/accessrequests"
# All that the API server is to be given of the chart: there are no nodes to run the rest.
_KINDS = {
    "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip
USERS = {"bea": ["dba"], "cleo": ["dba"], "eve": ["staff"], "ada@shop.example": ["dba"], "oidc:bot": ["dba"]}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    running = None
    try:
        running = ApiServer(tmp_path_factory.mktemp("api-server"), USERS)
        running.start()
        install(running)
        applied = apply(running, *_anybody_may_do_anything_with_requests())
        assert applied.returncode == 0, applied.stderr
        _wait_for_the_policy(running)
        yield running
    except ClusterError as error:
        pytest.fail(str(error), pytrace=False)
    finally:
        if running is not None:
            running.stop()


def install(server: ApiServer, *options: str) -> list[Json]:
    """Those kinds of the chart's objects, rendered with options of Helm's; and all that was rendered."""
    version = server.run("kubectl", "version", "-o", "json").stdout
    rendered = server.run(
        "helm", "template", "penstock", str(ROOT / "charts" / "penstock"), "--namespace", "penstock-system",
        "--kube-version", json.loads(version)["serverVersion"]["gitVersion"], *options,
    )  # fmt: skip
    assert rendered.returncode == 0, rendered.stderr
    chart = [one for one in yaml.safe_load_all(rendered.stdout) if one]
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("shop", "penstock-system")
    ]
    applied = apply(server, *spaces, *(one for one in chart if one["kind"] in _KINDS))
    assert applied.returncode == 0, applied.stderr
    return chart


def apply(server: ApiServer, *documents: Json) -> Any:
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    return server.run("kubectl", "apply", "--server-side", "-f", "-", stdin=items)


def _anybody_may_do_anything_with_requests() -> list[Json]:
    """So that what is refused is refused by the admission policy, and not for want of rights."""
    rule = {
        "apiGroups": ["penstock.dev"],
        "resources": ["accessrequests", "accessrequests/status", "accessrequests/scale"],
        "verbs": ["*"],
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "anything"},
        "rules": [rule],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "anything"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "anything"},
        "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}],
    }
    return [role, binding]


def _wait_for_the_policy(server: ApiServer) -> None:
    """An API server takes a moment until a new policy counts."""
    with server.client("bea") as bea:
        end = time.monotonic() + 60
        while (
            answer := bea.post(REQUESTS, json=document("probe"))
        ).status_code != 422 or "penstock" not in answer.text:
            assert time.monotonic() < end, answer.text
            if answer.status_code == 201:
                bea.delete(f"{REQUESTS}/probe")
            time.sleep(0.2)


def document(name: str, **changes: Any) -> Json:
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": "shop", "labels": {"penstock.dev/database": "shop"}},
        "spec": copy.deepcopy(SPEC) | changes,
    }


def told(answer: httpx2.Response) -> str:
    """What the API server says; "" where it did as it was asked to."""
    return "" if answer.status_code < 300 else str(answer.json()["message"])


class People:
    """Whoever does something, by the API server's impersonation: any user, group, uid and claim."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def client(self, user: KubernetesUser) -> httpx2.Client:
        headers = [("Impersonate-User", user.username), ("Impersonate-Group", "system:authenticated")]
        headers += [("Impersonate-Group", group) for group in sorted(user.groups)]
        headers += [("Impersonate-Uid", user.uid)] if user.uid else []
        headers += [(f"Impersonate-Extra-{key}", value) for key, values in user.extra.items() for value in values]
        client = self.server.client("admin")
        client.headers = httpx2.Headers([*client.headers.multi_items(), *headers])
        return client

    @property
    def control(self) -> httpx2.Client:
        return self.client(KubernetesUser(CONTROL, frozenset({ACCOUNTS})))


@pytest.fixture(scope="session")
def people(server: ApiServer) -> People:
    return People(server)


Making = Callable[..., str]


@pytest.fixture(scope="session")
def make(people: People) -> Iterator[Making]:
    """Makes a request as control does, and returns its path."""
    with people.control as control:

        def made(**changes: Any) -> str:
            name = f"r-{next(_numbers)}"
            answer = control.post(REQUESTS, json=document(name, **changes))
            assert answer.status_code == 201, answer.text
            return f"{REQUESTS}/{name}"

        yield made


def decision(by: str, word: str = "approved", **changes: Any) -> Json:
    """The status that an approver writes, as a merge patch."""
    status = {"decision": word, "decidedBy": by, "decidedAt": written(datetime.now(UTC)), "comment": "fine"}
    return {"status": {name: value for name, value in (status | changes).items() if value is not None}}


def patch(client: httpx2.Client, path: str, body: Json, kind: str = "merge-patch+json") -> httpx2.Response:
    return client.patch(path, content=json.dumps(body), headers={"Content-Type": f"application/{kind}"})
