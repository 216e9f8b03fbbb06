"""Certificates, their authority and the database's login are replaced while an application queries: nothing fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeAlias

import pytest
from cryptography import x509

from e2e.load import rotations
from e2e.load.place import Load, seconds_until
from e2e.people.gateway import superuser
from e2e.test_8_under_load import nothing_failed

PATIENCE_SECONDS = 120.0
# The kubelet of this cluster looks every few seconds; elsewhere it takes a minute or two, of the hour that there is.
OVERLAP = timedelta(seconds=30)


Announced: TypeAlias = tuple[x509.Certificate, datetime]


@pytest.fixture(scope="module")
def announced(load: Load) -> Announced:
    """The next authority, and when it became known."""
    return rotations.announce_authority(load, OVERLAP), datetime.now(UTC)


def _serves_another(load: Load, server: str, serial: int) -> bool:
    return rotations.served(load, server).serial_number != serial


@pytest.mark.usefixtures("announced")
def test_certificates_are_deleted_and_renewed(load: Load) -> None:
    """Meanwhile the next authority is known already, and signs nothing yet."""
    former = {server: rotations.served(load, server).serial_number for server in rotations.SERVERS}
    with load.case("certificates deleted and renewed") as row:
        rotations.delete_certificates(load)
        for server, serial in former.items():
            row.effects[f"served by {server}"] = seconds_until(
                partial(_serves_another, load, server, serial),
                PATIENCE_SECONDS, f"{server} serves another certificate",
            )  # fmt: skip
        still_well(load, row.effects)
    nothing_failed(row)


def test_the_database_has_another_login(load: Load) -> None:
    with load.case("the database's login and password replaced") as row:
        changed = rotations.now(load)
        rotations.replace_login(load)
        row.effects["new sessions by it"] = seconds_until(
            lambda: rotations.logins(load, "load_gate_2", changed) > 0, PATIENCE_SECONDS, "a session by the new login"
        )
        settled = rotations.now(load)
        seconds_until(lambda: rotations.logins(load, "load_gate_2", settled) > 2, PATIENCE_SECONDS, "more of them")
        # What runs by the former one runs on; what would begin by it would fail.
        superuser(load.kubectl, "ALTER ROLE load_gate NOLOGIN")
        still_well(load, row.effects)
        assert rotations.logins(load, "load_gate") > 0, "sessions that last"
    nothing_failed(row)


def test_the_next_authority_takes_over(load: Load, announced: Announced) -> None:
    authority, when = announced
    with load.case("the authority replaced") as row:
        seconds_until(
            lambda: rotations.is_served_by(load, authority), PATIENCE_SECONDS + OVERLAP.seconds, "the next authority"
        )
        effect = f"signs and is served (after {OVERLAP.seconds} s of overlap)"
        row.effects[effect] = (datetime.now(UTC) - when).total_seconds()
        still_well(load, row.effects)
    nothing_failed(row)


def still_well(load: Load, effects: dict[str, float]) -> None:
    """Both programs are trusted: pods get gates, and what is asked now is in the trail."""
    effects["pods admitted"] = seconds_until(load.admits, PATIENCE_SECONDS, "a pod is admitted")
    mark = load.latest()
    effects["found in the trail"] = seconds_until(lambda: load.recorded(mark), PATIENCE_SECONDS, mark)
