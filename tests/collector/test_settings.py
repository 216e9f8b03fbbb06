"""Settings: what can't be is refused in words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from penstock_collector.settings import CollectorSettings


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("", ""),
        ("https://audit.example", "https://audit.example"),
        ("https://audit.example:8443/penstock/", "https://audit.example:8443/penstock"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_where_the_pages_are(given: str, taken: str) -> None:
    assert CollectorSettings(public_url=given).public_url == taken


@pytest.mark.parametrize(
    "given",
    ["audit.example", "ftp://audit.example", "https://audit.example/<x|y>", "https://a b", "javascript:alert(1)"],
)
def test_where_they_can_not_be(given: str) -> None:
    with pytest.raises(ValidationError, match="must be https://HOST"):
        CollectorSettings(public_url=given)
