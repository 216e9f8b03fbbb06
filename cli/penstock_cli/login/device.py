"""The device flow (RFC 8628): a person says yes on any device, and the issuer is asked until they have.

What doesn't belong: what becomes of the tokens (`kept.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from penstock_cli.failures import Unusable
from penstock_cli.login.issuer import Granted, Issuer, RefusedError
from penstock_cli.terminal_text import printable

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_SECONDS = 5
_LONGEST_SECONDS = 1800


def logged_in(issuer: Issuer, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> Granted:
    """What the issuer gives once somebody has said yes. `tell` shows a line to the person. Raises Unusable."""
    begun = issuer.post("device_authorization_endpoint", issuer.wanted())
    code, user_code, place = (_text(begun, name) for name in ("device_code", "user_code", "verification_uri"))
    complete = begun.get("verification_uri_complete")
    for url in (place, complete):
        if url is not None and not str(url).startswith("https://"):
            raise Unusable("the issuer sends people to what is no https:// URL")
    if complete:
        tell(
            f"open {printable(str(complete))} in a browser, on any device, and compare the code: {printable(user_code)}"
        )
    else:
        tell(f"open {printable(place)} in a browser, on any device, and type the code {printable(user_code)}")
    interval = _seconds(begun.get("interval", 5), 1)
    until = time.monotonic() + min(_LONGEST_SECONDS, _seconds(begun.get("expires_in"), 1))
    while time.monotonic() < until:
        sleep(interval)
        try:
            return issuer.tokens({"grant_type": GRANT, "device_code": code})
        except RefusedError as error:
            if error.code == "slow_down":
                interval += _SLOWER_SECONDS
            elif error.code == "access_denied":
                raise Unusable("the login was refused in the browser") from None
            elif error.code == "expired_token":
                break
            elif error.code != "authorization_pending":
                raise
    raise Unusable("nobody has said yes in time; try again")


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise Unusable(f"the issuer's answer has no {name}")
    return value


def _seconds(value: object, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise Unusable("the issuer does not say in seconds how long a person may take")
    return max(float(value), least)
