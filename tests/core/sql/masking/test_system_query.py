"""What tools ask the catalogs for passes for masked identities, runs, and looks the same whatever the masked values."""

from __future__ import annotations

import re
import subprocess

import pytest
from tests.core.sql.masking.catalog_queries import PSQL, QUERIES
from tests.core.sql.twins.test_twins import view
from tests.core.sql.twins.world import Twins, see

from penstock_core.sql.decision import Action, Decision

# What differs between the twins and is not masked: their names.
_NAMES = re.compile(rb"twin_(left|right)")


def looks_the_same(twins: Twins, text: str) -> None:
    decision = twins.governor().decide(text, ("public",))
    assert decision.action is not Action.DENY, decision.denial
    left, right = twins.run(decision)
    # What the server does not know, it does not know either way.
    assert left.sqlstate == see(twins.left, Decision(Action.ALLOW, text)).sqlstate, left.message
    if not any(_NAMES.search(value) for row in left.rows for value in row if value):
        assert view(left, ordered=False) == view(right, ordered=False)


@pytest.mark.parametrize("name", QUERIES)
def test_queries_of_tools(twins: Twins, name: str) -> None:
    looks_the_same(twins, QUERIES[name])


@pytest.mark.parametrize("command", PSQL)
@pytest.mark.parametrize("server", ["twins15", "twins18"])
def test_commands_of_psql(request: pytest.FixtureRequest, server: str, command: str) -> None:
    twins: Twins = request.getfixturevalue(server)
    asked = run_psql(twins, command.replace("_", " ", 1) if not command.startswith(r"\lo_") else command)
    assert asked
    for text in asked:
        if server == "twins18" and not see(twins.left, Decision(Action.ALLOW, text)).ok:
            # This psql is older than the server.
            continue
        looks_the_same(twins, text)


def run_psql(twins: Twins, command: str) -> list[str]:
    """The queries that psql makes of a command."""
    ran = subprocess.run(
        ["psql", "-X", "-E", twins.left, "-c", command],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return re.findall(r"\*{8,} QUERY \*{8,}\n(.*?)\n\*{24}", ran.stdout, re.DOTALL)
