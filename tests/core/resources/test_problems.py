"""How a problem reads: place first, then what to do, always on one line."""

from __future__ import annotations

import pytest

from penstock_core.resources import Problem, ResourceError, parse
from penstock_core.resources.problems import MOST_FINDINGS, path, shown, suggestion


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("is missing", "spec.host", "db.yaml", 4, "Database shop/shop"), "db.yaml:4: spec.host: is missing"),
        (Problem("not valid YAML", file="db.yaml", line=4), "db.yaml:4: not valid YAML"),
        (
            Problem("is missing", "spec.host", resource="Database shop/shop"),
            "Database shop/shop: spec.host: is missing",
        ),
        (Problem("is not there", resource="Database shop/shop"), "Database shop/shop: is not there"),
    ],
)
def test_a_problem_names_its_place(problem: Problem, line: str) -> None:
    assert str(problem) == line


def test_an_error_is_a_line_for_each_problem() -> None:
    error = ResourceError([Problem("one"), Problem("two")])
    assert [problem.message for problem in error.problems] == str(error).splitlines() == ["one", "two"]


def test_a_path_reads_as_people_write_it() -> None:
    assert path(("spec", "masks", 0, "with")) == "spec.masks[0].with"
    assert path(()) == ""
    assert path((0, "a")) == "[0].a"


def test_what_somebody_wrote_is_cut_and_cleaned() -> None:
    assert (
        shown("a\nb\x1b[0m\u202e") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[0m\N{REPLACEMENT CHARACTER}"
    )
    assert shown("x" * 100) == "x" * 60 + "…"


@pytest.mark.parametrize(
    ("word", "said"),
    [("keepLst", "; did you mean keepLast?"), ("KEEPLAST", "; did you mean keepLast?"), ("zebra", ""), (None, "")],
)
def test_only_what_is_close_is_suggested(word: object, said: str) -> None:
    assert suggestion(word, ["keepLast", "keepFirst", "fill"]) == said


def test_of_very_many_the_first_are_put_into_words_and_the_rest_counted() -> None:
    spec = {
        "databaseRef": {"name": "shop"},
        "subjects": [{"user": "x"}],
        **{f"key{number}": 1 for number in range(2_000)},
    }
    metadata = {"name": "x", "namespace": "shop"}
    with pytest.raises(ResourceError) as error:
        parse(
            {"apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy", "metadata": metadata, "spec": spec}
        )
    assert len(error.value.problems) == MOST_FINDINGS + 1
    assert "more; mend these first" in str(error.value.problems[-1])
