"""The reference of policies has every field, and its examples are what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from docs import policies
from penstock_core.resources import Database, DatabaseAccessPolicy, ResourceError, load
from penstock_core.resources.schema import structural
from penstock_core.resources.unsupported import unsupported_in

DOCUMENTS = tuple(policies.documents())


@pytest.mark.parametrize(("kind", "path", "document"), DOCUMENTS, ids=lambda one: str(one)[:60])
def test_each_example_of_a_field_is_valid(kind: str, path: str, document: dict[str, Any]) -> None:
    """Fields that nothing carries out yet are refused for that reason alone."""
    problems = [message for _, message in unsupported_in(document)]
    if problems:
        with pytest.raises(ResourceError) as caught:
            load(yaml.safe_dump(document), path)
        assert len(caught.value.problems) == len(problems)
        document = _without(document, [location for location, _ in unsupported_in(document)])
    assert len(load(yaml.safe_dump(document), path)) == 1


def _without(document: dict[str, Any], locations: list[tuple[str | int, ...]]) -> dict[str, Any]:
    """The resource without what is at these places."""
    for *above, name in locations:
        inner: Any = document
        for step in above:
            inner = inner[step]
        del inner[name]
    return document


def test_the_page_of_policies_has_every_field_and_each_link_leads_somewhere() -> None:
    page = policies.PAGE.read_text()
    headings = {
        re.sub(r"[^a-z -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in re.findall("^#.*$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings
    for name, model in (("Database", Database), ("DatabaseAccessPolicy", DatabaseAccessPolicy)):
        told = {path for kind, path, _ in DOCUMENTS if kind == name}
        written = {path.replace("[]", "") for path in told}
        assert set(_paths(structural(model)["properties"]["spec"], "spec")) == {
            path for path in written if path.startswith("spec")
        }
    for row in re.findall(r"^\| `(\w+)` \|.*\| `(.*?)` \|$", page, re.MULTILINE):
        assert list(yaml.safe_load(row[1])) == [row[0]]


def _paths(schema: dict[str, Any], path: str) -> Iterator[str]:
    yield path
    for name, inner in schema.get("items", schema).get("properties", {}).items():
        yield from _paths(inner, f"{path}.{name}")


def test_a_field_without_an_example_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(policies.EXAMPLES["DatabaseAccessPolicy"], "spec.rowOrder")
    with pytest.raises(policies.ExampleMissing, match=r"EXAMPLES has none for spec\.rowOrder of DatabaseAccessPolicy"):
        policies.page()
