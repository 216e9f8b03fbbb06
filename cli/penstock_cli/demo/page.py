"""The collector's page as a person uses it: signing in, reading a request, sending the form that decides it.

What doesn't belong: when that happens (`approval.py`).
"""

from __future__ import annotations

from html.parser import HTMLParser
from types import TracebackType

import httpx2

_SECONDS = 30


class PageError(RuntimeError):
    """The page is not as a person would need it; the message says what is wrong."""


class Page:
    """One person's browser."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, timeout=_SECONDS, trust_env=False, headers={"origin": url})

    def __enter__(self) -> Page:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def sign_in(self, token: str) -> None:
        """By the form of the page. Raises PageError."""
        self._redirected(self._http.post("/login", data={"token": token, "next": "/requests"}), "/requests")

    def decide(self, request: str, decision: str, comment: str = "") -> str:
        """By the second step of a request, which is returned as it was shown. Raises PageError."""
        step = self._http.get(f"/requests/{request}", params={"decide": decision})
        form = _Form(step.text)
        if step.status_code != 200 or form.action != f"/requests/{request}" or form.fields.get("decision") != decision:
            raise PageError(f"{step.url} answers {step.status_code}, and asks for no decision")
        self._redirected(self._http.post(form.action, data=form.fields | {"comment": comment}), form.action)
        return step.text

    @staticmethod
    def _redirected(answer: httpx2.Response, where: str) -> None:
        if answer.status_code != 303 or answer.headers.get("location") != where:
            raise PageError(f"{answer.url} answers {answer.status_code}, and leads to no {where}")


def standing(url: str, token: str, request: str) -> str:
    """How a request stands, as a viewer reads it; empty while the collector does not tell."""
    try:
        answer = httpx2.get(
            f"{url}/v1/requests/{request}", headers={"authorization": f"Bearer {token}"}, timeout=_SECONDS
        )
        return str(answer.json()["standing"])
    except (httpx2.HTTPError, ValueError, LookupError, TypeError):
        return ""


class _Form(HTMLParser):
    """The form of a page that decides, with the fields that it has filled in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._within = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and given.get("id") == "confirm":
            self._within, self.action = True, given.get("action") or ""
        elif tag == "input" and self._within:
            self.fields[given.get("name") or ""] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._within = False
