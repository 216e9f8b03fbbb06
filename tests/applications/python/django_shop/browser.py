"""What a person sees of a page of the admin: its messages, errors, and the rows of its list, as text."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client

# Of a user who was added a moment ago.
_TIMES = ("date_joined_0", "date_joined_1")
_TAGS = re.compile(r"<[^>]*>")


class Browser:
    """A browser at the admin; every page must be answered, or what went wrong is raised."""

    def __init__(self) -> None:
        self._client = Client()

    def get(self, path: str, **query: object) -> Any:
        response = self._client.get(f"/admin/{path}", query)
        if response.status_code != 200:
            raise LookupError(f"GET {path} was answered {response.status_code} {response.headers.get('Location', '')}")
        return response

    def post(self, path: str, fields: dict[str, Any]) -> Any:
        """Send a form and see where it leads."""
        return self._client.post(f"/admin/{path}", fields, follow=True)


def text(page: str) -> str:
    """The words of a piece of HTML, in one line."""
    return html.unescape(" ".join(_TAGS.sub(" ", page).split()))


def shown(response: Any) -> str:
    """Messages, errors, the list's rows, and what the form holds."""
    page = response.content.decode()
    said = [text(one) for one in re.findall(r'<li class="(?:success|warning|error|info)">.*?</li>', page, re.DOTALL)]
    said += [text(one) for one in re.findall(r'<ul class="errorlist.*?</ul>', page, re.DOTALL)]
    table = re.search(r'<table id="(?:result_list|change-history)">(.*?)</table>', page, re.DOTALL)
    lines = re.findall(r"<tr.*?>(.*?)</tr>", table[1], re.DOTALL) if table else []
    return "\n".join(
        [f"{response.status_code} {_title(page)}", *said, *map(_row, lines), *_count(page), *_inputs(page)]
    )


def form(response: Any) -> dict[str, Any]:
    """The fields of a page's form as the browser would send them back, changed or not."""
    admin_form = response.context["adminform"].form
    fields = {name: _sent(admin_form[name].value()) for name in admin_form.fields}
    for formset in (inline.formset for inline in response.context["inline_admin_formsets"]):
        for part in (formset.management_form, *formset.forms):
            fields |= {part.add_prefix(name): _sent(part[name].value()) for name in part.fields}
    return {name: value for name, value in fields.items() if value is not None}


def _sent(value: Any) -> Any:
    if isinstance(value, bool):
        return "on" if value else None
    return ",".join(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value


def _title(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    return text(found[1]).partition(" |")[0] if found else ""


def _row(line: str) -> str:
    return " | ".join(text(cell) or _input(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", line, re.DOTALL))


def _input(cell: str) -> str:
    found = re.search(r'type="number".*?value="(.*?)"|value="(\d+)"', cell)
    return (found[1] or found[2] or "") if found else ""


def _count(page: str) -> list[str]:
    found = re.search(r'<p class="paginator">(.*?)</p>|<nav class="paginator".*?>(.*?)</nav>', page, re.DOTALL)
    return [text(found[1] or found[2])] if found else []


def _inputs(page: str) -> list[str]:
    """Of a form: texts, dates and numbers that stand in it."""
    fields = re.findall(r'<input type="(?:text|email|number)"[^>]*?name="([\w-]+)"[^>]*?value="([^"]*)"', page)
    return [f"{name}={html.unescape(value)}" for name, value in fields if name not in _TIMES]
