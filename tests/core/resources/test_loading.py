"""What a person gets to read for each mistake in a file: where it is, and what to do, in plain words."""

from __future__ import annotations

import copy
import json
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.resources import AccessRequest, Database, DatabaseAccessPolicy, ResourceError, load, parse

DATABASE = """\
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {name: shop, namespace: shop}
spec:
  host: shop-db.shop.svc
  port: 5432
  dbname: shop
  tls: {mode: verify-full, caSecretRef: {name: shop-db-ca, key: ca.crt}}
  credentialsSecretRef: {name: shop-db}
  classification:
    - {columns: ["public.customers.email", "*.*.email"], tag: pii.email}
    - {columns: ["public.payments.card_number"], tag: pci.pan}
"""
POLICY = """\
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {name: support-agents, namespace: shop}
spec:
  databaseRef: {name: shop}
  subjects:
    - serviceAccount: {name: support-agent}
    - identity: {kind: agent, groups: [support]}
  mode: enforce
  allow: [select, insert, update]
  masks:
    - {tags: [pii.email], with: {email: {}}}
    - {tags: [pci.pan], with: {partial: {keepLast: 4}}}
    - {columns: ["public.customers.ssn"], with: {redact: {}}}
    - {columns: ['public."Users".name'], with: {"null": {}}}
    - {columns: ["public.users.token"], with: {hash: {}}}
    - {columns: ["public.users.country"], with: {constant: {value: EU}}}
  guardrails:
    requireWhere: [update, delete]
    denyFunctions: [pg_sleep, public.report]
  audit: {sqlText: normalized, onFailure: block}
  allowFunctions: [app.slugify]
"""
REQUEST = """\
apiVersion: penstock.dev/v1alpha1
kind: AccessRequest
metadata: {name: r-1, namespace: shop}
spec:
  databaseRef: {name: shop}
  heldBy: {policy: support-agents, approval: schema-change, policyGeneration: 3, approvers: [dba]}
  statement: {sql: DROP TABLE t}
  requester: {workload: {namespace: shop, serviceAccount: web}}
  expiresAt: 2030-01-31T12:00:00Z
  nonce: 00112233445566778899aabbccddeeff
"""


def complaints(text: str) -> list[str]:
    with pytest.raises(ResourceError) as caught:
        load(textwrap.dedent(text), "policy.yaml")
    return str(caught.value).splitlines()


def test_the_designs_example_is_read_in_whole() -> None:
    database, policy = load(f"{DATABASE}---\n{POLICY}", "shop.yaml")

    assert isinstance(database, Database)
    assert database.title == "Database shop/shop"
    assert (database.spec.host, database.spec.port, database.spec.tls.mode) == ("shop-db.shop.svc", 5432, "verify-full")
    assert database.tags == ("pci.pan", "pii.email")
    assert database.columns_tagged("pii.email") == ("public.customers.email", "*.*.email")
    assert isinstance(policy, DatabaseAccessPolicy)
    assert [subject.chosen() for subject in policy.spec.subjects] == [("serviceAccount",), ("identity",)]
    assert [mask.with_.chosen()[0] for mask in policy.spec.masks] == [
        "email", "partial", "redact", "null", "hash", "constant",
    ]  # fmt: skip
    assert policy.governs(database)


def test_what_is_left_out_takes_the_safe_value() -> None:
    database, policy = load(
        textwrap.dedent("""\
        apiVersion: penstock.dev/v1alpha1
        kind: Database
        metadata: {name: shop}
        spec: {host: db, dbname: shop, credentialsSecretRef: {name: shop-db}}
        ---
        apiVersion: penstock.dev/v1alpha1
        kind: DatabaseAccessPolicy
        metadata: {name: web}
        spec:
          databaseRef: {name: shop}
          subjects: [{serviceAccount: {name: web}}]
        """),
        "shop.yaml",
        namespace="sales",
    )

    assert isinstance(database, Database)
    assert isinstance(policy, DatabaseAccessPolicy)
    assert {database.namespace, policy.namespace} == {"sales"}
    assert database.spec.tls.mode == "verify-full"
    assert policy.spec.mode == "enforce"
    assert policy.spec.allow == ("select",)
    assert (policy.spec.audit.sql_text, policy.spec.audit.on_failure) == ("normalized", "block")


def test_an_object_of_the_api_server_is_read_with_all_that_it_adds() -> None:
    document = yaml.safe_load(POLICY)
    document["metadata"] |= {
        "uid": "4f", "resourceVersion": "12", "generation": 3, "creationTimestamp": "2030-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl"}], "labels": {"a": "b"}, "finalizers": ["x"],
    }  # fmt: skip
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2030-01-01T00:00:00Z"}
    document["status"] = {"observedGeneration": 3, "pods": 2, "conditions": [ready], "ofALaterVersion": {"x": 1}}

    policy = parse(document)

    assert isinstance(policy, DatabaseAccessPolicy)
    assert policy.metadata.generation == 3
    assert policy.status is not None
    assert policy.status.conditions[0].type == "Ready"


def test_an_object_of_the_api_server_is_refused_by_its_name() -> None:
    document = yaml.safe_load(POLICY)
    document["spec"]["mode"] = "audit"

    with pytest.raises(ResourceError) as caught:
        parse(document)

    assert str(caught.value) == (
        "DatabaseAccessPolicy shop/support-agents: spec.mode: audit is not known: "
        "must be one of enforce, observe, revoke"
    )


def test_an_access_request_is_read_as_the_others_are() -> None:
    (request,) = load(REQUEST, "request.yaml")
    assert isinstance(request, AccessRequest)
    assert request.name == "r-1"


# Each: the changed line of POLICY (or DATABASE), and all that is said about it.
POLICY_MISTAKES = [
    (
        "  mode: enforce",
        "  mode: observ",
        ["9: spec.mode: observ is not known: must be one of enforce, observe, revoke; did you mean observe?"],
    ),
    (
        "{partial: {keepLast: 4}}",
        "{partial: {keepLst: 4}}",
        ["13: spec.masks[1].with.partial.keepLst: unknown field; did you mean keepLast?"],
    ),
    (
        "{partial: {keepLast: 4}}",
        "{partial: {keepLast: 4.5}}",
        ["13: spec.masks[1].with.partial.keepLast: must be a whole number, without quotes"],
    ),
    (
        "{partial: {keepLast: 4}}",
        "{partial: {keepLast: -1}}",
        ["13: spec.masks[1].with.partial.keepLast: must be at least 0"],
    ),
    (
        "{partial: {keepLast: 4}}",
        "{partial: {keepLast: 4, fill: '**'}}",
        ["13: spec.masks[1].with.partial.fill: must have at most 1 character"],
    ),
    (
        "with: {email: {}}",
        "with: {email: {}, hash: {}}",
        [
            "12: spec.masks[0].with: give exactly one of null, redact, constant, hash, partial, email, year, month, "
            "bucket; found hash and email"
        ],
    ),
    (
        "tags: [pii.email], with",
        "tags: [pii.email], columns: [a.b.c], with",
        ["12: spec.masks[0]: give exactly one of tags, columns; found tags and columns"],
    ),
    ("tags: [pii.email], with", "with", ["12: spec.masks[0]: give exactly one of tags, columns; found none"]),
    ("tags: [pii.email], with: {email: {}}", "tags: [pii.email]", ["12: spec.masks[0].with: is missing"]),
    (
        '"null": {}',
        "null: {}",
        ['15: spec.masks[3].with: the key null is not text; write "null" in quotes'],
    ),
    (
        "constant: {value: EU}",
        "constant: {value: 1}",
        [
            "17: spec.masks[5].with.constant.value: must be text; put it in quotes if YAML takes it for something else",
        ],
    ),
    (
        '["public.customers.ssn"]',
        '["public.Customers.ssn"]',
        [
            "14: spec.masks[2].columns[0]: must be schema.table.column, each part a name or *; a name that is not all "
            'lower-case letters, digits and _ must be in double quotes, as in public."Users".email'
        ],
    ),
    ('["public.customers.ssn"]', "[]", ["14: spec.masks[2].columns: must not be an empty list"]),
    (
        "allow: [select, insert, update]",
        "allow: [select, insert, select]",
        ["10: spec.allow: select is in the list twice"],
    ),
    (
        "allow: [select, insert, update]",
        "allow: select",
        ["10: spec.allow: must be a list; leave the field out if there is nothing to say"],
    ),
    (
        "allow: [select, insert, update]",
        "allow:",
        ["10: spec.allow: must be a list; leave the field out if there is nothing to say"],
    ),
    (
        "requireWhere: [update, delete]",
        "statementTimeout: 0s",
        ["18: spec.guardrails: statementTimeout must be between 1ms and 576h"],
    ),
    (
        "requireWhere: [update, delete]",
        "statementTimeout: 576h1ms",
        ["18: spec.guardrails: statementTimeout must be between 1ms and 576h"],
    ),
    (
        "identity: {kind: agent, groups: [support]}",
        "identity: {}",
        [
            "8: spec.subjects[1].identity: give at least one of kind, groups, subject, issuer: an identity without any "
            "would match everybody"
        ],
    ),
    (
        "identity: {kind: agent, groups: [support]}",
        "everybody: {}",
        [
            "8: spec.subjects[1].everybody: unknown field; known here: serviceAccount, pod, identity",
        ],
    ),
    (
        "serviceAccount: {name: support-agent}",
        "serviceAccount: support-agent",
        ["7: spec.subjects[0].serviceAccount: must hold named fields, or {} where there are none to give"],
    ),
    (
        "[pg_sleep, public.report]",
        '["pg_sleep()"]',
        [
            "20: spec.guardrails.denyFunctions[0]: must be a function's name in lower case, such as pg_sleep or "
            "public.report, without parentheses"
        ],
    ),
    (
        "[app.slugify]",
        "[slugify]",
        [
            "22: spec.allowFunctions[0]: must be a function's name in lower case with its schema, such as app.slugify, "
            "without parentheses"
        ],
    ),
    (
        "requireWhere: [update, delete]",
        "requireWhere: [select]",
        ["19: spec.guardrails.requireWhere[0]: select is not known: must be one of update, delete"],
    ),
    (
        "metadata: {name: support-agents, namespace: shop}",
        "metadata: {name: support_agents, namespace: Shop}",
        [
            "3: metadata.name: must be a name of lower-case letters, digits, - and . such as shop-db",
            "3: metadata.namespace: must be a namespace's name: lower-case letters, digits and -",
        ],
    ),
    (
        "kind: DatabaseAccessPolicy",
        "kind: DatabaseAcessPolicy",
        ["2: kind: DatabaseAcessPolicy is not known; did you mean DatabaseAccessPolicy?"],
    ),
    (
        "kind: DatabaseAccessPolicy",
        "kind: ConfigMap",
        ["2: kind: ConfigMap is not known; it must be Database or DatabaseAccessPolicy or AccessRequest"],
    ),
    (
        "apiVersion: penstock.dev/v1alpha1",
        "apiVersion: penstock.dev/v1",
        ["1: apiVersion: penstock.dev/v1 is not known; did you mean penstock.dev/v1alpha1?"],
    ),
    (
        "apiVersion: penstock.dev/v1alpha1\nkind: DatabaseAccessPolicy\n",
        "",
        [
            "1: apiVersion: is missing; it must be penstock.dev/v1alpha1",
            "1: kind: is missing; it must be Database or DatabaseAccessPolicy or AccessRequest",
        ],
    ),
    (
        "  mode: enforce\n",
        "  mode: enforce\n  mode: observe\n",
        ["10: spec.mode: stands here twice, first in line 9"],
    ),
]


@pytest.mark.parametrize(("written", "mistake", "said"), POLICY_MISTAKES)
def test_a_mistake_in_a_policy(written: str, mistake: str, said: list[str]) -> None:
    assert written in POLICY
    assert complaints(POLICY.replace(written, mistake, 1)) == [f"policy.yaml:{line}" for line in said]


DATABASE_MISTAKES = [
    (
        "host: shop-db.shop.svc",
        "host: postgres://shop-db",
        ["5: spec.host: must be a host name or an IP address, without a port or a scheme"],
    ),
    ("port: 5432", 'port: "5432"', ["6: spec.port: must be a whole number, without quotes"]),
    ("port: 5432", "port: 65536", ["6: spec.port: must be at most 65535"]),
    ("  dbname: shop\n", "", ["4: spec.dbname: is missing"]),
    (
        "mode: verify-full,",
        "mode: prefer,",
        ["8: spec.tls.mode: prefer is not known: must be one of disable, require, verify-ca, verify-full"],
    ),
    (
        "mode: verify-full,",
        "mode: require,",
        [
            "8: spec.tls: caSecretRef is only used by the modes verify-ca and verify-full; choose one of them or leave "
            "it out"
        ],
    ),
    (
        "tag: pci.pan",
        "tag: PCI",
        [
            "12: spec.classification[1].tag: must be a tag of lower-case letters, digits, . _ and - such as pii.email",
        ],
    ),
]


@pytest.mark.parametrize(("written", "mistake", "said"), DATABASE_MISTAKES)
def test_a_mistake_in_a_database(written: str, mistake: str, said: list[str]) -> None:
    assert written in DATABASE
    assert complaints(DATABASE.replace(written, mistake, 1)) == [f"policy.yaml:{line}" for line in said]


def test_all_mistakes_of_all_documents_come_at_once_in_the_order_of_lines() -> None:
    assert complaints(DATABASE.replace("5432", "0") + "---\n" + POLICY.replace("mode: enforce", "mde: x")) == [
        "policy.yaml:6: spec.port: must be at least 1",
        "policy.yaml:22: spec.mde: unknown field; did you mean mode?",
    ]


def test_a_document_that_is_no_resource() -> None:
    assert complaints("- a\n- b\n") == ["policy.yaml:1: must be a resource with apiVersion, kind, metadata and spec"]


def test_what_somebody_wrote_cannot_break_a_message_into_lines() -> None:
    (line,) = complaints(POLICY.replace("mode: enforce", f'"mo\\nde\\u001b[31m{"x" * 200}": y'))
    assert "\x1b" not in line
    assert len(line) < 280


# ── Whatever is in a file, what comes out is resources or plain words ──

JARGON = ("pydantic", "Input should", "Traceback", "validation error", "value_error", "not possible here", "type=")
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=300), st.just([]), st.just({}),
    st.just([{}]), st.just({"x": 1}), st.just([1, "a", None]), st.just("a" * 100_000), st.just(["*.*.*"] * 300),
)  # fmt: skip


def _places(value: Any, location: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [location, *(place for key, item in inner for place in _places(item, (*location, key)))]


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """One of the valid documents with something else in one or two places."""
    document: Any = copy.deepcopy(draw(st.sampled_from([yaml.safe_load(text) for text in (DATABASE, POLICY)])))
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from([place for place in _places(document) if place]))
        holder = document
        for step in way:
            holder = holder[step]
        holder[draw(st.sampled_from([last, "unknown"])) if isinstance(holder, dict) else last] = copy.deepcopy(
            draw(LEAVES)
        )
    return dict(document)


def refusal(read: Callable[[], object]) -> str:
    """What is said in refusing it; "" if it is read."""
    try:
        read()
    except ResourceError as error:
        return str(error)
    return ""


@given(damaged())
def test_a_damaged_document_is_read_or_refused_in_plain_words(document: dict[str, Any]) -> None:
    said = refusal(lambda: parse(document))

    assert not any(jargon in said for jargon in JARGON), said
    if not said:
        resource = parse(document)
        assert parse(json.loads(resource.model_dump_json(exclude_none=True))) == resource


@given(
    st.text(alphabet=st.characters(exclude_categories=[]), max_size=200)
    | st.text("-:{}[]&*!|>'\"\n #%@,?ab0", max_size=60)
)
def test_any_text_is_read_or_refused_in_plain_words(text: str) -> None:
    said = refusal(lambda: load(text, "any.yaml"))

    assert not any(jargon in said for jargon in JARGON), said
    assert all(line.startswith("any.yaml:") for line in said.splitlines())
