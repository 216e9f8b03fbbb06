"""What libpq makes of the variables that injection sets: whatever else comes leads to the sidecar, or nowhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from penstock_operator.inject import environment

_ASK = "import psycopg; psycopg.connect('')"
_SET = environment.variables(port=1, user="web", dbname="shop", url_variable="") | dict.fromkeys(
    environment.EMPTIED, ""
)


def connecting(**others: str) -> str:
    """What is said where nobody listens: to whom libpq turned."""
    # The container's own entries go before what envFrom brings.
    variables = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **others, **_SET}
    done = subprocess.run([sys.executable, "-c", _ASK], env=variables, capture_output=True, text=True, check=False)
    return done.stderr


def test_what_is_empty_is_as_if_it_were_not_there() -> None:
    assert '"127.0.0.1", port 1 failed' in connecting()


@pytest.mark.parametrize("name", ["PGHOSTADDR", "PGPASSWORD", "PGPASSFILE", "PGHOST", "PGPORT"])
def test_what_envfrom_brings_does_not_count(name: str) -> None:
    assert '"127.0.0.1", port 1 failed' in connecting(**{name: "192.0.2.1" if name != "PGPORT" else "2"})


def test_a_service_leads_nowhere() -> None:
    said = connecting(PGSERVICE="past", PGSERVICEFILE="/etc/service.conf", PGSYSCONFDIR="/etc")
    assert "not found" in said
    assert "127.0.0.1" not in said
