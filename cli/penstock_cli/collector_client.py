"""The collector's API over HTTP, for commands: reading, deciding, acknowledging; every failure is one line.

What doesn't belong: showing what comes back.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import click
import httpx2

from penstock_cli.export_lines import split
from penstock_cli.terminal_text import one_line

_PAGE = 500
# Decisions that are not possible.
_NOT_POSSIBLE = frozenset({400, 403, 404, 409, 413, 429})


class CollectorClient:
    """One collector, asked with one viewer token. All methods raise ClickException."""

    def __init__(self, url: str, token_file: Path | None, ca_file: Path | None) -> None:
        self._url = url.rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise click.UsageError(f"the collector's URL begins with http:// or https://, not {url!r}")
        headers = {}
        try:
            if token_file is not None:
                headers["authorization"] = f"Bearer {_token(token_file)}"
            # Reading the system's CAs takes a while, and plain HTTP has no use for them.
            context = ssl.create_default_context(cafile=ca_file) if self._url.startswith("https:") else False
        except OSError as error:
            name = (
                ca_file
                if isinstance(error, ssl.SSLError)
                else getattr(error, "filename", None) or ca_file or token_file
            )
            raise click.ClickException(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from None
        self._http = httpx2.Client(verify=context, headers=headers, timeout=30, trust_env=False)

    def __enter__(self) -> CollectorClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def search(self, query: Mapping[str, str], limit: int) -> Iterator[dict[str, Any]]:
        """Statements that match, latest first, page by page."""
        return self._paged("events", query, limit)

    def logins(self, query: Mapping[str, str], limit: int) -> Iterator[dict[str, Any]]:
        """Logins that match, in the same way."""
        return self._paged("logins", query, limit)

    def readings(self, query: Mapping[str, str], limit: int) -> Iterator[dict[str, Any]]:
        """Who read what, latest first, page by page."""
        return self._paged("readings", query, limit)

    def requests(self, standing: str) -> list[dict[str, Any]]:
        """Requests for approval of these standings ("" is all), latest first: all of them."""
        return list(self._paged("requests", {"standing": standing}))

    def streams(self) -> dict[str, Any]:
        """The collector's answer about its streams, with all of them, by name."""
        found: list[Any] = []
        answer = self._page("streams", {"after": ""})
        with self._failures():
            found += answer["streams"]
            last = answer["next"]
            while last is not None:
                page = self._page("streams", {"after": last})
                found += page["streams"]
                # Or it would never end.
                if page["next"] is not None and page["next"] <= last:
                    raise ValueError("no next page")
                last = page["next"]
        return {**answer, "streams": found, "total": len(found), "next": None}

    def alarm_cards(self) -> dict[str, Any]:
        """The collector's answer about the alarms that stand: `cards`, one for each kind, and its `time`."""
        return self._page("alarms", {"limit": "1"})

    def alarms(self, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The alarms that stand, latest raised first: all of them."""
        return self._paged("alarms", query)

    def past_alarms(self, query: Mapping[str, str], limit: int) -> Iterator[dict[str, Any]]:
        """Those that are over, raised last first."""
        return self._paged("alarms", query, limit, path="alarms/past")

    def acknowledge(self, body: Mapping[str, object]) -> int:
        """Somebody has looked at these alarms; how many it were."""
        with self._failures():
            return int(self._step("/v1/alarms/acknowledged", body)["acknowledged"])

    def holds(self) -> list[dict[str, Any]]:
        """All legal holds that ever were, latest first."""
        return list(self._paged("holds", {}))

    def hold(self, wish: Mapping[str, object]) -> dict[str, Any]:
        """Set a legal hold; what it is."""
        return self._step("/v1/holds", wish)

    def lift(self, number: int) -> None:
        """Release a legal hold."""
        self._step(f"/v1/holds/{number}/release", {})

    def _paged(
        self, what: str, query: Mapping[str, str], limit: int | None = None, path: str = ""
    ) -> Iterator[dict[str, Any]]:
        """What is listed, latest first, page by page: `limit` of them, or all."""
        before: int | None = None
        while limit is None or limit > 0:
            params = {**query, "limit": str(_PAGE if limit is None else min(limit, _PAGE))}
            if before is not None:
                params["before"] = str(before)
            page = self._page(path or what, params)
            with self._failures():
                yield from page[what]
                if limit is not None:
                    limit -= len(page[what])
                if page["next"] is None:
                    return
                if before is not None and page["next"] == before:
                    raise ValueError("no next page")
                before = int(page["next"])

    def _page(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        with self._failures():
            response = self._http.get(f"{self._url}/v1/{path}", params=params)
            self._check(response)
            page: dict[str, Any] = response.json()
            return page

    def request(self, name: str) -> dict[str, Any]:
        """One request."""
        with self._failures():
            response = self._http.get(f"{self._url}/v1/requests/{quote(name, safe='')}")
            return self._one_request(response)

    def decide(self, name: str, decision: str, comment: str, lasts: str = "") -> dict[str, Any]:
        """Approve or deny a request; what it is then."""
        body = {"decision": decision, "comment": comment, **({"lasts": lasts} if lasts else {})}
        return self._step(f"/v1/requests/{quote(name, safe='')}/decision", body)

    def offers(self) -> list[dict[str, Any]]:
        """The policies that can be asked for."""
        with self._failures():
            response = self._http.get(f"{self._url}/v1/access")
            self._check(response)
            found: list[dict[str, Any]] = response.json()["offers"]
            return found

    def ask(self, wish: Mapping[str, object]) -> dict[str, Any]:
        """Ask for access for a time; the request."""
        return self._step("/v1/access", wish)

    def end(self, name: str) -> dict[str, Any]:
        """End access before its time; what the request is then."""
        return self._step(f"/v1/requests/{quote(name, safe='')}/end", {})

    def review(self, name: str, comment: str) -> dict[str, Any]:
        """Review an emergency; what the request is then."""
        return self._step(f"/v1/requests/{quote(name, safe='')}/review", {"comment": comment})

    def _step(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        with self._failures():
            return self._one_request(self._http.post(f"{self._url}{path}", json=body))

    def _one_request(self, response: httpx2.Response) -> dict[str, Any]:
        if response.status_code in _NOT_POSSIBLE:
            # The collector's own words say what and why; where they come from adds nothing.
            raise click.ClickException(one_line(response.json()["error"]))
        self._check(response)
        found: dict[str, Any] = response.json()
        return found

    def export(self, stream: str = "") -> Iterator[bytes]:
        """The record, line by line: bytes as they came, split at line feeds only."""
        with (
            self._failures(),
            self._http.stream("GET", f"{self._url}/v1/export", params={"stream": stream}) as response,
        ):
            self._check(response)
            yield from split(response.iter_bytes())

    def follow(self, query: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and data of each event of the live tail, until the collector ends it."""
        # The collector gives a sign of life every 15 seconds.
        timeout = httpx2.Timeout(30, read=60)
        with self._failures(), self._http.stream("GET", f"{self._url}/tail", params=query, timeout=timeout) as response:
            self._check(response)
            name = ""
            for line in response.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    data = json.loads(value)
                    if name in ("problem", "ended"):
                        raise click.ClickException(f"the collector ended the tail: {one_line(data['error'])}")
                    yield name, data
        raise click.ClickException(f"collector {self._url} has closed the connection")

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, UnicodeEncodeError) as error:
            raise click.ClickException(
                f"collector {self._url} cannot be reached: {one_line(error) or type(error).__name__}"
            ) from None
        except (ValueError, LookupError, TypeError):
            raise click.ClickException(f"{self._url} does not answer as a collector does") from None

    def _check(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if status == 401:
            raise click.ClickException(f"collector {self._url} does not know this viewer token (--token-file)")
        response.read()
        try:
            said = response.json()["error"]
        except (ValueError, LookupError, TypeError):
            said = response.reason_phrase
        raise click.ClickException(f"collector {self._url} answers {status}: {one_line(said)}")


def _token(file: Path) -> str:
    token = file.read_bytes().strip().decode("ascii", "replace")
    if not (token.isascii() and token.isprintable() and token) or " " in token:
        raise click.ClickException(f"{file} holds no token")
    return token
