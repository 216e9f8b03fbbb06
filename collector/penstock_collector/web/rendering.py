"""Templates: the environment (everything is escaped), and how values look to people.

What doesn't belong: what is shown (`pages.py`), how it looks (`static/style.css`).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from datetime import UTC, datetime
from importlib.resources import files

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from penstock_collector.approvals import wording
from penstock_collector.auth.roles import Right
from penstock_collector.auth.viewer import Viewer
from penstock_collector.store import room

_NOT_PLAIN = re.compile(r"[^ -~\n\t]")
_STATIC = files("penstock_collector.web").joinpath("static")


def static_url(name: str) -> str:
    """The URL of a static file, which changes with its content, so that browsers may keep it."""
    return f"/static/{name}?v={_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(_STATIC.joinpath(name).read_bytes()).hexdigest()[:12]


def duration(microseconds: int | None) -> str:
    """A statement's time, in the unit that people think of it in."""
    if microseconds is None:
        return ""
    if microseconds < 1_000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1_000:.1f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def ago(moment: float) -> str:
    """How long ago a Unix time is."""
    seconds = max(0, int(time.time() - moment))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def moment(value: float) -> str:
    """A Unix time as RFC 3339, to the second."""
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc(value: float) -> str:
    """A Unix time as it is read, to the second."""
    return moment(value).replace("T", " ").replace("Z", " UTC")


def pretty(document: str) -> str:
    """A JSON document for people."""
    return json.dumps(json.loads(document), indent=2, ensure_ascii=False)


def acts_for(document: str) -> list[str]:
    """For whom an event's agent acts, nearest first, each in a few words; whatever else stands there is left out."""
    identity = json.loads(document).get("identity")
    chain = identity.get("actsFor") if isinstance(identity, dict) else None
    named = [one for one in chain if isinstance(one, dict)] if isinstance(chain, list) else []
    return [f"{one.get('kind', '?')}:{one.get('subject', '?')} ({one.get('assurance', '?')})" for one in named]


def breakable(value: str) -> Markup:
    """A dotted path that may go on in the next line behind its dots."""
    return escape(value).replace(".", Markup(".<wbr>"))


def thousands(value: int | None) -> str:
    """A count with thin spaces between thousands."""
    return "" if value is None else f"{value:,}".replace(",", "\u202f")


def revealed(text: str) -> Markup:
    """A text with everything marked that would not show, or would move what stands around it."""
    return Markup(_NOT_PLAIN.sub(_marked, str(escape(text))))  # noqa: S704 # escaped, and then our own marks added


def _marked(found: re.Match[str]) -> str:
    letter = found.group()
    if letter.isprintable():
        return letter
    return f'<span class="odd" title="a character that does not show">{wording.escaped(letter)}</span>'


def until(then: float) -> str:
    """How long it is to a Unix time."""
    seconds = int(then - time.time())
    if seconds <= 0:
        return "over"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} left"
    return f"{seconds} s left"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("penstock_collector.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": duration,
        "ago": ago,
        "moment": moment,
        "pretty": pretty,
        "parsed": json.loads,
        "acts_for": acts_for,
        "breakable": breakable,
        "thousands": thousands,
        "revealed": revealed,
        "until": until,
        "utc": utc,
        "room": room.words,
        "bytes": room.in_units,
        "visible": wording.visible,
        "people": wording.people,
        "pod": wording.pod,
        "deed": wording.deed,
        "rows": wording.rows,
        "asked_for": wording.what,
    }
    files_ = ("style.css", "stream.js", "tail.js", "requests.js", "mark.svg")
    environment.globals["Right"] = Right
    environment.globals["static"] = {name: static_url(name) for name in files_}
    return environment


_TEMPLATES = _environment()


def fragment(template: str, **values: object) -> str:
    """A piece of a page."""
    return _TEMPLATES.get_template(template).render(values)


def render(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A whole page. `me` is who is signed in, None if nobody is."""
    me: Viewer | None = getattr(request.state, "viewer", None)
    return HTMLResponse(fragment(template, me=me, path=request.url.path, **values), status)


def problem(request: Request, status: int, message: str) -> Response:
    """A page that says what is wrong."""
    return render(request, "problem.html", status, number=status, message=message)
