"""What the API server lets whom do with a request. By RBAC, everybody may do anything here."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from tests.core.approvals.users import CASES, FOLDED, Case

from e2e.approvals.api_server import ApiServer
from e2e.approvals.conftest import CONTROL, REQUESTS, Making, People, decision, document, patch, told
from penstock_core.approvals.kubernetes_user import KubernetesUser
from penstock_core.approvals.standing import written

BEA = KubernetesUser("bea", frozenset({"dba"}))
SOON = {"decidedAt": "2026-01-01T00:00:00Z"}


@pytest.fixture
def bea(server: ApiServer) -> Any:
    with server.client("bea") as client:
        yield client


def use(people: People, path: str, **also: Any) -> httpx2.Response:
    with people.control as control:
        return patch(control, f"{path}/status", {"status": {"consumedAt": written(datetime.now(UTC)), **also}})


@pytest.mark.parametrize("word", ["approved", "denied"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_who_may_decide(people: People, make: Making, case: Case, word: str) -> None:
    """The same users as our own code is asked about, in tests/core/approvals."""
    path = make()
    with people.client(case.user) as client:
        answer = patch(client, f"{path}/status", decision(case.user.username, word))
    assert (told(answer) == "") if not case.told else (case.told in told(answer)), told(answer)


@pytest.mark.parametrize("case", FOLDED, ids=lambda case: case.id)
def test_what_the_api_server_cannot_compare_is_known(people: People, make: Making, case: Case) -> None:
    """That control compares it when the approval is to be used is in test_control.py."""
    path = make(requester={"principal": {"kind": "person", "subject": "Straße", "issuer": "https://id.example"}})
    with people.client(case.user) as client:
        assert told(patch(client, f"{path}/status", decision(case.user.username))) == case.told


def test_by_whatever_way_the_requester_writes_it_is_refused(server: ApiServer, make: Making) -> None:
    ada, path = "ada@shop.example", make()
    name, wanted = path.rpartition("/")[2], decision("ada@shop.example")
    base = ["--namespace", "shop", "accessrequest", name]
    for ways in (
        ["patch", *base, "--subresource=status", "--type=merge", "-p", json.dumps(wanted)],
        ["patch", *base, "--subresource=status", "--type=json", "-p",
         json.dumps([{"op": "add", "path": "/status", "value": wanted["status"]}])],
    ):  # fmt: skip
        done = server.run("kubectl", *ways, user=ada)
        assert done.returncode, done.stdout
        assert f"{ada} may not decide: they asked for it" in done.stderr
    found = json.loads(server.run("kubectl", "get", *base, "-o", "json", user=ada).stdout)
    whole = json.dumps(found | wanted)
    for verb in (["replace"], ["apply", "--server-side", "--force-conflicts", "--field-manager=mine"]):
        wanted_whole = whole
        if verb[0] == "apply":
            bare = {key: value for key, value in found.items() if key not in ("metadata", "status")}
            wanted_whole = json.dumps(bare | wanted | {"metadata": {"name": name, "namespace": "shop"}})
        done = server.run("kubectl", *verb, "--subresource=status", "-f", "-", user=ada, stdin=wanted_whole)
        assert done.returncode, done.stdout
        assert "they asked for it" in done.stderr, done.stderr
    # By the request itself its status is not written, whoever asks: the API server passes it over.
    server.run("kubectl", "replace", "-f", "-", user=ada, stdin=whole)
    with server.client(ada) as client:
        assert client.get(path).json().get("status") is None
        assert client.get(f"{path}/scale").status_code == 404
        assert told(client.put(f"{path}/scale", json=found | wanted))
        assert told(client.post(f"{path}/status", json=found | wanted))


def test_a_decision_stays(bea: httpx2.Client, server: ApiServer, make: Making) -> None:
    path = make()
    assert told(patch(bea, f"{path}/status", decision("bea", "denied"))) == ""
    with server.client("cleo") as cleo:
        for client, who in ((bea, "bea"), (cleo, "cleo")):
            assert "a decision cannot be changed" in told(patch(client, f"{path}/status", decision(who, "approved")))
            assert "was denied already" in told(patch(client, f"{path}/status", {"status": {"comment": "no, yes"}}))
            assert "a decision cannot be changed" in told(
                patch(client, f"{path}/status", {"status": {"decision": None}})
            )
            assert "a status stays" in told(patch(client, f"{path}/status", {"status": None}))
    assert bea.get(path).json()["status"]["decision"] == "denied"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (decision("cleo"), "decidedBy must be who decides: bea"),
        (decision("bea", decidedBy=None), "decidedBy must be who decides: bea"),
        (decision("bea", decidedAt=None), "decidedAt must be the time of the decision"),
        (decision("bea", **SOON), "decidedAt must be the time of the decision"),
        (decision("bea", decidedAt="2035-01-01T00:00:00Z"), "decidedAt must be the time of the decision"),
        (decision("bea", "maybe"), "decision"),
        (decision("bea", consumedAt="2026-01-01T00:00:00Z"), "and nothing else"),
        (decision("bea", observedGeneration=1), "and nothing else"),
        ({"status": {"consumedAt": "2026-01-01T00:00:00Z"}}, "only what was approved can be used"),
        ({"status": {"comment": "let me see"}}, "who decides writes decision"),
        ({"status": {"conditions": []}}, "who decides writes decision"),
    ],
)
def test_an_approver_writes_a_decision_and_nothing_else(
    bea: httpx2.Client, make: Making, body: dict[str, Any], words: str
) -> None:
    path = make()
    assert words in told(patch(bea, f"{path}/status", body))
    assert bea.get(path).json().get("status") is None


def test_the_clock_is_the_api_servers(bea: httpx2.Client, make: Making) -> None:
    """An admission policy has none; the time at which the server took note of the decision is one."""
    path = make(expiresAt=written(datetime.now(UTC) + timedelta(seconds=2)))
    time.sleep(3.1)
    assert "the request has expired" in told(patch(bea, f"{path}/status", decision("bea")))
    early = decision("bea", decidedAt=written(datetime.now(UTC) - timedelta(seconds=3)))
    assert "the request has expired" in told(patch(bea, f"{path}/status", early))


def test_who_took_note_of_what_cannot_be_made_up(bea: httpx2.Client, make: Making) -> None:
    """A status is sent with times of the sender's own; the server keeps to its own."""
    path = make(expiresAt=written(datetime.now(UTC) + timedelta(seconds=2)))
    time.sleep(3.1)
    owned = {
        "manager": "mine", "operation": "Update", "subresource": "status", "apiVersion": "penstock.dev/v1alpha1",
        "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:decision": {}}},
    }  # fmt: skip
    found = bea.get(path).json()
    for managed in ([owned], [owned, *found["metadata"]["managedFields"]], []):
        body = found | decision("bea", **SOON) | {"metadata": found["metadata"] | {"managedFields": managed}}
        assert "expired" in told(bea.put(f"{path}/status?fieldManager=mine", json=body))
        bea.put(path, json=body)
        assert bea.get(path).json() == found, "not by the request itself either"


def test_only_control_makes_and_deletes(bea: httpx2.Client, people: People, server: ApiServer, make: Making) -> None:
    assert "only penstock-control makes requests" in told(bea.post(REQUESTS, json=document("made-by-bea")))
    applied = patch(
        bea, f"{REQUESTS}/made-by-bea?fieldManager=x&force=true", document("made-by-bea"), "apply-patch+yaml"
    )
    assert "only penstock-control makes requests" in told(applied)
    other = KubernetesUser("system:serviceaccount:shop:penstock-control", frozenset({"system:serviceaccounts"}))
    with people.client(other) as impostor:
        assert "only penstock-control makes requests" in told(impostor.post(REQUESTS, json=document("made")))
    path = make()
    assert "only penstock-control deletes requests" in told(bea.delete(path))
    assert "only penstock-control deletes requests" in told(bea.delete(REQUESTS))
    with server.client("admin") as admin:
        assert "only penstock-control deletes requests" in told(admin.delete(path)), "also not who may do anything else"
    with people.control as control:
        assert told(control.delete(path)) == ""


def test_a_status_that_comes_with_a_new_request_is_left_out(people: People) -> None:
    with people.control as control:
        made = control.post(REQUESTS, json=document("approved-at-birth") | decision(CONTROL))
        assert made.json().get("status") is None


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"statement": {"sql": "DELETE FROM customers"}}},
        {"spec": {"heldBy": {"approvers": ["staff"]}}},
        {"spec": {"expiresAt": "2050-01-01T00:00:00Z"}},
        {"metadata": {"labels": {"penstock.dev/database": "other"}}},
        {"metadata": {"labels": {"mine": "1"}}},
        {"metadata": {"annotations": {"mine": "1"}}},
        {"metadata": {"finalizers": ["mine.example/keep"]}},
        {"metadata": {"managedFields": [{}]}},
        {"metadata": {"ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}
        ]}},
    ],
)  # fmt: skip
def test_nobody_changes_a_request(bea: httpx2.Client, people: People, make: Making, change: dict[str, Any]) -> None:
    path = make()
    before = bea.get(path).json()
    with people.control as control:
        for client in (bea, control):
            assert told(patch(client, path, change))
    assert bea.get(path).json() == before
    assert told(bea.put(path, json=before)) == "", "what changes nothing is no change: storage is rewritten so"


def test_an_approval_is_used_by_control_alone_and_once(bea: httpx2.Client, people: People, make: Making) -> None:
    path = make()
    assert "only what was approved can be used" in told(use(people, path))
    assert told(patch(bea, f"{path}/status", decision("bea"))) == ""
    body = {"status": {"consumedAt": written(datetime.now(UTC))}}
    assert "was approved already" in told(patch(bea, f"{path}/status", body))
    assert "nothing but that an approval is used" in told(use(people, path, comment="other words"))
    assert "nothing but that an approval is used" in told(use(people, path, decidedBy="cleo"))
    assert told(use(people, path)) == ""
    assert told(use(people, path)), "twice"
    assert told(patch(bea, f"{path}/status", {"status": {"consumedAt": None}}))
    denied = make()
    patch(bea, f"{denied}/status", decision("bea", "denied"))
    assert told(use(people, denied))


def test_control_decides_nothing(people: People, make: Making) -> None:
    path = make()
    with people.control as control:
        assert "nothing but that an approval is used" in told(patch(control, f"{path}/status", decision(CONTROL)))


def test_of_two_who_use_it_at_once_one_does(bea: httpx2.Client, people: People, make: Making) -> None:
    """What both replicas of control do: each says of which state it speaks."""
    path = make()
    patch(bea, f"{path}/status", decision("bea"))
    seen = bea.get(path).json()["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": seen}, "status": {"consumedAt": written(datetime.now(UTC))}}
    with people.control as control:
        assert [patch(control, f"{path}/status", body).status_code for _ in range(2)] == [200, 409]


def test_a_namespace_is_deleted_with_its_requests(server: ApiServer, people: People) -> None:
    """By the namespace's controller, which is not here: by its user, in a namespace that is on its way out."""
    with server.client("admin") as admin, people.control as control:
        admin.post("/api/v1/namespaces", json={"metadata": {"name": "leaving"}})
        path = REQUESTS.replace("/shop/", "/leaving/")
        left = document("left") | {"metadata": {"name": "left", "namespace": "leaving"}}
        assert told(control.post(path, json=left)) == ""
        controller = KubernetesUser(
            "system:serviceaccount:kube-system:namespace-controller", frozenset({"system:serviceaccounts"})
        )
        with people.client(controller) as emptying:
            assert "only penstock-control deletes" in told(emptying.delete(path))
            admin.delete("/api/v1/namespaces/leaving")
            end = time.monotonic() + 30
            while said := told(emptying.delete(path)):
                assert time.monotonic() < end, said
                time.sleep(0.3)
        assert control.get(f"{path}/left").status_code == 404
