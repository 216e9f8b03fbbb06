"""Namespaces whose label has pods get a gate, as control knows them."""

from __future__ import annotations

from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control.labelled_namespaces import LabelledNamespaces

SHOP = {"metadata": {"name": "shop", "labels": {"penstock.dev/inject": "enabled"}}}


def test_they_are_known_by_name_for_as_long_as_they_have_the_label() -> None:
    spaces = LabelledNamespaces()
    assert spaces.of("shop") is None
    spaces.replace({("", "shop"): SHOP}, 1)
    assert spaces.of("shop") == SHOP["metadata"]
    assert spaces.of("other") is None
    required = {"metadata": {**SHOP["metadata"], "labels": {"penstock.dev/inject": "required"}}}
    spaces.change(ObjectChange(("", "shop"), required, 2))
    assert spaces.of("shop") == required["metadata"]
    # So a watch by a label tells that it was taken off.
    spaces.change(ObjectChange(("", "shop"), None, 3))
    assert spaces.of("shop") is None
