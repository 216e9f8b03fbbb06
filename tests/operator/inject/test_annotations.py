"""What a pod may ask for, and what it is told when it asks wrongly."""

from __future__ import annotations

import pytest

from penstock_operator.inject.annotations import (
    InjectionRequest,
    Refusal,
    Resources,
    read,
    refuse_slips,
    unknown,
    wants_sidecar,
)

P = "penstock.dev/"


def test_all_wishes_are_read() -> None:
    assert read(
        {
            P + "database": "shop",
            P + "port": "6432",
            P + "health-port": "9999",
            P + "url-variable": "DATABASE_URL",
            P + "resources": "cpu=50m, memory=96Mi,limits.cpu=1",
            "other.example/port": "1",
        }
    ) == InjectionRequest(
        ("shop",),
        (6432,),
        9999,
        "DATABASE_URL",
        Resources({"cpu": "50m", "memory": "96Mi"}, {"cpu": "1", "memory": "96Mi"}),
    )


def test_several_databases_are_read_in_their_order() -> None:
    found = read(
        {P + "database": " shop , billing", P + "port": "6000, 7000", P + "variable-prefix": "billing=LEDGER_"}
    )
    assert (found.databases, found.ports) == (("shop", "billing"), (6000, 7000))
    assert found.prefixes == {"billing": "LEDGER_"}


def test_defaults_stand_for_what_is_not_said() -> None:
    assert read({P + "database": "shop"}) == InjectionRequest(("shop",), (5432,), 9187, "", None)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("database", "Shop!", "takes the name of a Database in the pod's own namespace, or several"),
        ("database", "", "takes the name of a Database"),
        ("database", ",", "takes the name of a Database"),
        ("database", "shop,,billing", "takes the name of a Database"),
        ("database", "shop,", "takes the name of a Database"),
        ("database", "shop billing", "with commas between them"),
        ("database", "shop,finance/billing", "in the pod's own namespace"),
        ("port", "80", "from 1024 to 65535"),
        ("port", "5432,", "from 1024 to 65535"),
        ("port", "5432,80", "one for each Database with commas"),
        ("variable-prefix", "LEDGER", 'e.g. "billing=LEDGER"'),
        ("variable-prefix", "billing=", 'e.g. "billing=LEDGER"'),
        ("variable-prefix", "billing=1ST", 'e.g. "billing=LEDGER"'),
        ("variable-prefix", "billing=A,billing=B", 'e.g. "billing=LEDGER"'),
        ("port", "65536", "from 1024 to 65535"),
        ("port", "٥٤٣٢", "from 1024 to 65535"),
        ("health-port", "no", "from 1024 to 65535"),
        ("url-variable", "DATABASE-URL", "the name of an environment variable"),
        ("resources", "cpu", "cpu and memory for the sidecar"),
        ("resources", "cpu=much", "cpu and memory for the sidecar"),
        ("resources", "gpu=1", "cpu and memory for the sidecar"),
        ("resources", "limit.cpu=1", "cpu and memory for the sidecar"),
    ],
)
def test_a_slip_is_refused_by_name(name: str, value: str, words: str) -> None:
    with pytest.raises(Refusal, match=f"the annotation {P}{name} is .*{words}"):
        read({P + name: value})


def test_only_true_and_false_mean_something() -> None:
    assert wants_sidecar({P + "inject": "true"})
    assert not wants_sidecar({P + "inject": "false"})
    assert not wants_sidecar({})
    with pytest.raises(Refusal, match='takes "true" or "false"'):
        wants_sidecar({P + "inject": "yes"})


def test_an_unknown_annotation_is_a_warning_with_a_guess() -> None:
    assert unknown({P + "databse": "shop", P + "inject": "true", "other.example/x": ""}) == [
        "unknown annotation penstock.dev/databse: did you mean penstock.dev/database?"
    ]
    assert "known: penstock.dev/inject" in unknown({P + "zzz": ""})[0]


@pytest.mark.parametrize(
    ("annotations", "labels", "words"),
    [
        ({}, {"penstock.dev/inject": "true"}, "is a label here; make it an annotation"),
        ({}, {"penstock.dev/injct": "true"}, "penstock.dev/injct is a label here; .*did you mean penstock.dev/inject?"),
        ({"penstock.dev/database": "shop"}, {}, "has the annotation penstock.dev/database and not penstock.dev/inject"),
        (
            {"penstock.dev/injct": "true"},
            {},
            "has the annotation penstock.dev/injct and not .*mean penstock.dev/inject?",
        ),
        ({"penstock.dev/zzz": "true"}, {}, "has the annotation penstock.dev/zzz and not .*without$"),
        ({"penstock.dev/injct": "true", "penstock.dev/port": "1"}, {}, "has the annotation penstock.dev/port and not"),
        ({}, {"penstock.dev/injected": "true"}, "the label penstock.dev/injected says that a pod has a sidecar, and"),
    ],
)
def test_what_could_be_meant_as_asking_is_refused(
    annotations: dict[str, str], labels: dict[str, str], words: str
) -> None:
    with pytest.raises(Refusal, match=words):
        refuse_slips(annotations, labels)


def test_who_says_no_or_only_bears_our_stamps_passes() -> None:
    refuse_slips({"penstock.dev/inject": "false", "penstock.dev/database": "shop"}, {"penstock.dev/inject": "true"})
    refuse_slips({"penstock.dev/injected-version": "1"}, {})
    refuse_slips({}, {"penstock.dev/gateway": "people"})
