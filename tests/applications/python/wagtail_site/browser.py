"""What a person sees of a page, in the admin and on the site: its title and text, without times."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client

_TAG = re.compile(r"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")
_LEFT_OUT = re.compile(r"<(script|style|svg|template|dialog|aside|head)\b.*?</\1>", re.DOTALL)
_TIMES = re.compile(
    r"(?:Just now|\d+\s+(?:second|minute|hour)s?(?:\s+ago)?|\w+\.?\s\d+,\s\d{4}(?:,\s[\d:]+\s[ap]\.m\.)?"
    r"|\d{4}-\d\d-\d\d(?:[ T][\d:.]+(?:\+00:00)?)?|\d\d:\d\d)"
)
_MOST = 3000


class Browser:
    """A browser with its cookies; a page that is not there is an error."""

    def __init__(self) -> None:
        self._client = Client()

    def get(self, path: str, **query: object) -> str:
        return shown(self._client.get(path, query, follow=True))

    def post(self, path: str, fields: dict[str, Any]) -> str:
        """Send a form and see where it leads."""
        return shown(self._client.post(path, fields, follow=True))

    def read(self, path: str, **query: object) -> bytes:
        """A file, as it comes."""
        response = self._client.get(path, query, follow=True)
        return b"".join(response.streaming_content) if response.streaming else bytes(response.content)


def shown(response: Any) -> str:
    """The words of a page."""
    page = response.content.decode()
    if response.status_code != 200:
        raise LookupError(f"it was answered {response.status_code}: {_text(page)[:200]}")
    title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    body = re.search(r"<main.*?</main>", page, re.DOTALL)
    fields = re.findall(r'<input type="(?:text|email)" name="([\w-]+)" value="([^"]*)"', page)
    words = [_text(title[1]) if title else "", _text(body[0] if body else page)]
    return _TIMES.sub("(when)", "\n".join(words + [f"{name}={html.unescape(value)}" for name, value in fields]))[:_MOST]


def _text(page: str) -> str:
    return html.unescape(" ".join(_TAG.sub(" ", _LEFT_OUT.sub(" ", page)).split()))
