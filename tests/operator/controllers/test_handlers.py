"""What kopf is asked to do, and with which credentials."""

from __future__ import annotations

from pathlib import Path

import kopf

from penstock_operator.cluster.access import Access
from penstock_operator.controllers.handlers import connection, registry


def test_kopf_only_watches() -> None:
    """Handlers of any other kind would have it write annotations and finalizers into objects."""
    handlers = registry(Access("https://cluster.test", ""), lambda _: None)
    assert {handler.id for handler in handlers._watching._handlers} == {"databases", "databaseaccesspolicies", "pods"}
    for others in (handlers._changing, handlers._spawning, handlers._webhooks, handlers._indexing):
        assert not others._handlers


def test_pods_are_chosen_by_the_api_server() -> None:
    handlers = registry(Access("https://cluster.test", ""), lambda _: None)
    settings = kopf.OperatorSettings()
    startup = next(one for one in handlers._activities._handlers if one.id.endswith("configure"))
    startup.fn(settings=settings)
    assert settings.posting.enabled is False
    assert settings.watching.label_selectors["pods"] == "penstock.dev/injected=true"
    assert isinstance(settings.watching.server_timeout, int), "the API server takes no fractions"


def test_the_namespace_of_what_changed_is_touched() -> None:
    touched: list[str] = []
    handlers = registry(Access("https://cluster.test", ""), touched.append)
    for handler in handlers._watching._handlers:
        handler.fn(namespace="shop", name="x")
    assert touched == ["shop"] * 3


def test_a_renewed_token_is_read_when_kopf_asks_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    access = Access("https://cluster.test", "CA", token_file=tmp_path / "token")
    assert connection(access).token == "one"
    (tmp_path / "token").write_text("two")
    assert connection(access).token == "two"
    assert connection(access).ca_data == "Q0E="
