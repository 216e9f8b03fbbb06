"""Startup packets: what is let through to the server, what is refused and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.allowlists import settings as core_settings
from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor
from penstock_sidecar.session.commands import ProxyConfig
from penstock_sidecar.session.opening import PINNED, AcceptedStartup, accept, limited, loosened, permitted
from penstock_sidecar.wire.messages import ErrorFields
from penstock_sidecar.wire.startup import Startup

TERMS = ProxyConfig("shop", "shopdb")


def opened(version: int = 3 << 16, **parameters: str) -> AcceptedStartup | ErrorFields:
    return accept(Startup(version, {"user": "app", "database": "shop", **parameters}), TERMS)


def test_harmless_settings_reach_the_server() -> None:
    one = opened(datestyle="ISO", TimeZone="UTC", options=r"-c statement_timeout=5s --lock-timeout=1s -cjit=off")
    assert isinstance(one, AcceptedStartup)
    assert one.parameters == {
        "datestyle": "ISO", "timezone": "UTC", "statement_timeout": "5s", "lock_timeout": "1s", "jit": "off",
        "client_min_messages": "notice", **PINNED,
    }  # fmt: skip


def test_fewer_messages_may_be_asked_for_and_a_roles_own_default_never_shows_more() -> None:
    quiet, silent = opened(client_min_messages="WARNING"), opened()
    assert isinstance(quiet, AcceptedStartup)
    assert isinstance(silent, AcceptedStartup)
    assert quiet.parameters["client_min_messages"] == "WARNING"
    assert silent.parameters["client_min_messages"] == "notice"


def test_both_names_of_the_database_are_understood() -> None:
    assert isinstance(opened(database="shopdb"), AcceptedStartup)
    assert isinstance(opened(database="shop"), AcceptedStartup)
    assert isinstance(accept(Startup(3 << 16, {"user": "shop"}), TERMS), AcceptedStartup)


@pytest.mark.parametrize("encoding", ["UTF8", "utf-8", "'utf8'", "unicode", "utf_8"])
def test_utf8_by_its_names(encoding: str) -> None:
    one = opened(client_encoding=encoding)
    assert isinstance(one, AcceptedStartup)
    assert one.parameters["client_encoding"] == "UTF8"


@pytest.mark.parametrize(
    ("parameters", "sqlstate"),
    [
        ({"options": "-B 100"}, "42501"),
        ({"options": "-c jit=off -P"}, "42501"),
        ({"options": "-c"}, "42501"),
        ({"session_authorization": "postgres"}, "42501"),
        ({"role": "postgres"}, "42501"),
        ({"options": "-c plpgsql.check_asserts=off"}, "42501"),
        ({"transform_null_equals": "on"}, "42501"),
        ({"standard_conforming_strings": "off"}, "22023"),
        ({"client_encoding": "SJIS"}, "22023"),
        ({"database": "template1"}, "3D000"),
        ({"replication": "true"}, "0A000"),
        ({"replication": "database"}, "0A000"),
        ({"user": ""}, "28000"),
    ],
)
def test_others_are_refused(parameters: dict[str, str], sqlstate: str) -> None:
    refused = opened(**parameters)
    assert isinstance(refused, ErrorFields)
    assert (refused.severity, refused.sqlstate) == ("FATAL", sqlstate)


def test_versions() -> None:
    for version, spoken, negotiated in (((3, 0), (3, 0), False), ((3, 2), (3, 2), False), ((3, 9), (3, 2), True)):
        one = opened((version[0] << 16) | version[1])
        assert isinstance(one, AcceptedStartup)
        assert one.version == (spoken[0] << 16) | spoken[1]
        assert bool(one.negotiation) == negotiated
    for major in (1, 2, 4):
        assert isinstance(opened(major << 16), ErrorFields)


def test_a_search_path_of_plain_names() -> None:
    one = opened(options=r'-c search_path=Shop,\ "Till"')
    assert isinstance(one, AcceptedStartup)
    assert one.search_path == 'Shop, "Till"'
    assert one.parameters["search_path"] == 'Shop, "Till"'
    other = opened()
    assert isinstance(other, AcceptedStartup)
    assert other.search_path is None


MASKS = (MaskRule(("*.*.email",), Mask("redact", Rule("p", "masks[0]"))),)
MASKED = EffectivePolicy("shop", PolicySet(("p",), frozenset({"select"}), MASKS), None)
UNMASKED = replace(MASKED, enforced=PolicySet(("p",), frozenset({"select"})))
EMAIL = Column("email", "pg_catalog.text", "pg_catalog.text", "pg_catalog.text", "S")
PEOPLE = Relation("app", "people", "r", (EMAIL,))
CATALOG = Catalog({PEOPLE.key: PEOPLE}, setting_prefixes=frozenset({"loaded"}))
# By the settings that a session of that name and value may not be opened with: whom it is refused to.
DEPENDING = [
    ("geqo", "off", "nobody"), ("geqo_threshold", "2", "masked"), ("enable_seqscan", "off", "masked"),
    ("plan_cache_mode", "force_custom_plan", "masked"), ("row_security", "off", "nobody"),
    ("array_nulls", "off", "masked"),
    # The server would tell of the rewritten statement, and with it of the key of its hash masks.
    ("client_min_messages", "debug5", "masked"), ("client_min_messages", "log", "masked"),
    ("client_min_messages", "Info", "masked"), ("client_min_messages", "Warning", "nobody"),
    ("app.tenant", "it's 5", "nobody"), ("loaded.option", "x", "everybody"), ("bytea_output", "escape", "nobody"),
    ("extra_float_digits", "0", "nobody"), ("search_path", '"$user", public', "nobody"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "refused_to"), DEPENDING)
def test_a_session_begins_with_what_it_may_set_and_with_nothing_else(name: str, value: str, refused_to: str) -> None:
    one = opened(**{name: value})
    assert isinstance(one, AcceptedStartup)
    assert one.parameters[name] == value
    for who, policy in (("masked", MASKED), ("unmasked", UNMASKED)):
        governor = Governor(policy, CATALOG, bytes(32))
        error = permitted(one.parameters, governor)
        assert (error is not None) == (refused_to in (who, "everybody")), who
        literal = value.replace("'", "''")
        if name != "search_path":
            assert (governor.decide(f"SET {name} = '{literal}'").action is Action.DENY) == (error is not None)
        if error is not None:
            assert (error.severity, error.sqlstate) == ("FATAL", "42501")
            assert name in error.message


def test_every_setting_is_decided_about_by_one_list() -> None:
    names = {*core_settings.ANY, *core_settings.UNMASKED, *core_settings.ONLY}
    special = {"client_encoding", "standard_conforming_strings"}
    for name in sorted(names - special):
        assert isinstance(opened(**{name: "1"}), AcceptedStartup), name
    for name in ("role", "session_authorization", "log_statement", "local_preload_libraries", "debug_print_plan"):
        assert isinstance(opened(**{name: "1"}), ErrorFields), name


@pytest.mark.parametrize(
    ("asked", "default", "begins_with"),
    [
        (None, 0, "30000"), (None, 5000, "5000"), (None, 60_000, "30000"),
        ("5s", 0, "5000"), ("5s", 1000, "5000"), ("1min", 0, "30000"), ("0", 0, "30000"), ("0", 1000, "30000"),
    ],
)  # fmt: skip
def test_a_session_begins_with_the_limit_of_statement_timeout_or_less(
    asked: str | None, default: int, begins_with: str
) -> None:
    parameters = {"application_name": "x"} | ({} if asked is None else {"statement_timeout": asked})
    assert limited(parameters, 30_000, default) == parameters | {"statement_timeout": begins_with}
    assert limited(parameters, None, default) == parameters


@pytest.mark.parametrize("asked", ["soon", "1.5s", "100us", "-1", ""])
def test_where_it_is_limited_a_timeout_has_to_be_understood(asked: str) -> None:
    refused = limited({"statement_timeout": asked}, 30_000, 0)
    assert isinstance(refused, ErrorFields)
    assert refused.message == f"penstock: statement_timeout {asked} is not understood"
    assert limited({"statement_timeout": asked}, None, 0) == {"statement_timeout": asked}


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, False),
        (PINNED, False),
        ({"application_name": "a", "timezone": "UTC", "statement_timeout": "5s", "my.own": "x"}, False),
        ({"client_min_messages": "notice"}, False),
        ({"client_min_messages": "debug5"}, True),
        ({"timezone": "UTC", "enable_seqscan": "off"}, True),
    ],
)
def test_settings_that_only_sessions_without_masks_may_have(parameters: dict[str, str], found: bool) -> None:
    assert loosened(parameters) is found
