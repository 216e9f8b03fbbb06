"""What a gate hears of access for a time: from the collector, asked again and again; and how long ago it heard.

Gates that `control` streams policies to have it with these. What a grant is worth is `penstock_core.policy.access`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx2
import structlog
from pydantic import ValidationError

from penstock_core.approvals.access_news import MOST_NEWS_BYTES, AskingNews, News
from penstock_core.backoff import Backoff
from penstock_core.resources import Bundle
from penstock_core.resources.grant import Grant, Offer
from penstock_sidecar.shipping import access

_log = structlog.get_logger(__name__)

# How long an answer is waited for while nothing happens: what changes in the policies is told no later.
_WAIT_SECONDS = 5
_ANSWER_SECONDS = 5.0
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0


class AccessNews:
    """Asks one collector, with the token and the CA that the audit trail is shipped with."""

    def __init__(
        self, url: str, owner: str, bundle: Callable[[], Bundle | None], tell: Callable[[tuple[Grant, ...]], None],
        *, token_file: Path | None = None, ca_file: Path | None = None, issuers: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._host = url.rstrip("/")
        self._url = f"{self._host}/v1/streams/{quote(owner, safe='')}/access?wait={_WAIT_SECONDS}"
        self._bundle = bundle
        self._tell = tell
        self._token_file = token_file
        self._ca_file = ca_file
        self._issuers = tuple(sorted(set(issuers)))
        self._client: httpx2.AsyncClient | None = None
        self._known = ""
        self._heard = 0.0
        self._trouble = ""

    @property
    def age(self) -> float:
        """Seconds since it was last heard what lasts; infinite before the first time."""
        return time.monotonic() - self._heard if self._heard else float("inf")

    async def run(self) -> None:
        """Ask until cancelled."""
        backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
        while True:
            asking = self._asking()
            if asking is None:
                # Nothing can be asked for, so nobody is asked.
                await asyncio.sleep(1.0)
                continue
            try:
                news = await self._exchange(asking)
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, access.NoTokenError) as error:
                await self.close()
                self._say(" ".join(str(error).split()) or type(error).__name__)
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            self._hear(news)

    def _hear(self, news: News) -> None:
        self._heard, self._known = time.monotonic(), news.digest
        if self._trouble:
            _log.info("what access lasts is known again")
        self._trouble = ""
        self._tell(news.grants)

    def _asking(self) -> AskingNews | None:
        bundle = self._bundle()
        policies = [] if bundle is None else [policy for policy in bundle.policies if policy.spec.by_request]
        if bundle is None or not policies:
            return None
        database = bundle.database
        return AskingNews.model_validate(
            {
                "databaseRef": {"name": database.name},
                "namespace": database.namespace,
                "offers": [Offer.of(policy) for policy in policies],
                "issuers": self._issuers,
                "known": self._known if self._heard else "",
            }
        )

    async def _exchange(self, asking: AskingNews) -> News:
        """Raises what `run` catches."""
        body = asking.model_dump_json(by_alias=True, exclude_none=True).encode()
        headers = {"content-type": "application/json", **access.authorization(self._token_file)}
        client = self._client = self._client or access.client(self._host, self._ca_file, timeout=None)
        said = b""
        async with asyncio.timeout(_WAIT_SECONDS + _ANSWER_SECONDS):
            async with client.stream("POST", self._url, content=body, headers=headers) as response:
                async for part in response.aiter_bytes():
                    said += part
                    if len(said) > MOST_NEWS_BYTES:
                        raise ValueError("it does not answer as a collector does")
                if response.status_code != 200:
                    raise ValueError(f"it answers {response.status_code}")
        try:
            return News.model_validate_json(said)
        except ValidationError:
            raise ValueError("it does not answer as a collector of this version does") from None

    async def close(self) -> None:
        """Nothing is asked any more."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _say(self, trouble: str) -> None:
        """Log when trouble begins, or becomes another one."""
        if trouble != self._trouble:
            _log.warning("what access lasts can't be asked", holder=self._host, why=trouble)
        self._trouble = trouble
