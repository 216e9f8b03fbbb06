"""Each statement of a text has the references and verbs that were bound for it; the last one those behind it, too."""

from __future__ import annotations

from penstock_core.sql.bind.references import Bound, ParameterType, VerbUse
from penstock_core.sql.bind.text_parts import begin_part, within


def test_what_was_bound_for_a_statement_is_its_own() -> None:
    bound = Bound()
    for verb in ("begin", "delete"):
        begin_part(bound, ends=False)
        bound.verbs.append(verb)
        bound.add(VerbUse(verb))
        bound.concerns({("public", verb)})
    bound.add(ParameterType(25, None))
    first, second = bound.parts
    assert within(bound, first) == (["begin"], bound.references[:1])
    assert within(bound, second) == (["delete"], bound.references[1:])
    assert (first.relations, second.relations) == ({("public", "begin")}, {("public", "delete")})
    assert bound.relations == first.relations | second.relations


def test_statements_that_look_alike_are_told_apart() -> None:
    bound = Bound()
    for _ in range(2):
        begin_part(bound, ends=True)
    bound.verbs.append("commit")
    assert [within(bound, part) for part in bound.parts] == [([], []), (["commit"], [])]
