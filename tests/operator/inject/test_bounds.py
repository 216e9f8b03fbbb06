"""How much an object may hold: more than any in use, and no more than can be looked at in no time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from penstock_operator.inject.annotations import Refusal
from penstock_operator.inject.bounds import MOST, MOST_CONTAINERS, MOST_TOGETHER, refuse_crowded_pod, refuse_crowds


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {}}, "spec": {"containers": [{"name": "app"}], **spec}}


def test_what_is_in_use_passes() -> None:
    variables = [
        {"name": f"V{number}", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}} for number in range(200)
    ]
    refuse_crowded_pod(pod(containers=[{"name": f"c{number}", "env": variables} for number in range(25)]))
    # What the API server writes about it is not the pod's.
    managed = {"managedFields": [{"fieldsV1": {f"f:{number}": {} for number in range(5_000)}}]}
    refuse_crowded_pod({"metadata": managed, "spec": {"containers": []}})


@pytest.mark.parametrize(
    ("crowded", "words"),
    [
        (pod(containers=[{}] * (MOST_CONTAINERS + 1)), "the pod has 251 containers; 250 are possible"),
        (
            pod(containers=[{}] * 100, initContainers=[{}] * 100, ephemeralContainers=[{}] * 51),
            "the pod has 251 containers; 250 are possible",
        ),
        (pod(volumes=[{}] * (MOST_TOGETHER + 1)), "there are 1,001 items of one list; 1,000 are possible"),
        (pod(containers=[{"env": [{}] * 120_000}]), "there are 120,000 items of one list; 1,000 are possible"),
        (pod(nodeSelector={str(n): "" for n in range(MOST_TOGETHER + 1)}), "1,001 fields of one object"),
        ({"metadata": {"annotations": {str(n): "" for n in range(1_001)}}, "spec": {}}, "1,001 fields of one object"),
        (pod(volumes=[{"x": [0] * 100}] * 400), "there are more than 40,000 fields and items in all"),
    ],
)
def test_more_is_refused(crowded: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        refuse_crowded_pod(crowded)


def test_it_ends_soon_whatever_the_form() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    wide = [[0] * 1_000] * 1_000
    began = time.monotonic()
    for crowd in (deep, wide):
        with pytest.raises(Refusal, match=f"more than {MOST:,}"):
            refuse_crowds(crowd)
    assert time.monotonic() - began < 1
    # Python takes such a one apart one frame a level, unless it is done by hand.
    while deep:
        deep = deep[0]
