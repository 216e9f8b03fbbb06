"""Where bundles of policies come from: files that are watched, or the stream of `control`.

Either keeps the last good bundle when something goes wrong, and says so once. What a bundle means is the core's.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2
import structlog

from penstock_core.backoff import Backoff
from penstock_core.resources import Bundle, Problem, ResourceError, check, load
from penstock_core.resources.loading import AnyResource
from penstock_sidecar.proxy.kept_policy import KeptPolicy, KeptPolicyError
from penstock_sidecar.proxy.upstream import UpstreamError

_log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
# `control` sends a blank line each 15 s; a stream silent for three of them is dead.
_SILENCE_SECONDS = 45.0
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 10.0
# No bundle is anywhere near as large.
_LONGEST_LINE = 8 << 20
# How often it is kept anew that a policy was confirmed.
_KEEP_SECONDS = 60.0

Receive = Callable[[Bundle], None]


class BundleSource:
    """What both kinds have in common: how old the policy is, and what is wrong."""

    def __init__(self, database: str, receive: Receive) -> None:
        self._database = database
        self._receive = receive
        self._confirmed: float | None = None
        # What keeps the policy from being brought up to date, in one line; empty while nothing does.
        self.trouble = ""
        # Whether the Database is known not to be there.
        self.absent = False
        # What who asks is told while there is no policy.
        self.nothing_yet = "no policy has been loaded yet"
        # How often whoever sends policies was reached anew.
        self.connected = 0

    @property
    def age(self) -> float:
        """Seconds since the policy was last known to be the current one; infinite before the first."""
        return float("inf") if self._confirmed is None else time.monotonic() - self._confirmed

    async def run(self) -> None:
        """Deliver bundles until cancelled."""
        raise NotImplementedError

    def _confirm(self) -> None:
        self._confirmed = time.monotonic()
        if self.trouble:
            _log.info("the policy is up to date again", database=self._database)
        self.trouble = ""

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            _log.warning(trouble, database=self._database, kept=self._kept())
        self.trouble = trouble

    def _kept(self) -> str:
        return "the last good policy" if self._confirmed is not None else "none, so every statement is refused"


@dataclass(frozen=True, slots=True)
class BundleKey:
    """Which bundle it is: a Database by name and namespace, and the key of its hash masks."""

    database: str
    namespace: str
    mask_key: bytes


class FileSource(BundleSource):
    """Resources in YAML files, read again when one of them changes."""

    def __init__(
        self, patterns: Sequence[str], directory: Path, wanted: BundleKey, receive: Receive, *, tells: bool = True
    ) -> None:
        """`tells`: whether to say what of the files does not fit together; one of those who read them does."""
        super().__init__(wanted.database, receive)
        self._tells = tells
        self._patterns = patterns
        self._directory = directory
        self._wanted = wanted
        self._seen: list[tuple[Path, int, int]] = []
        self._generation = 0

    def start(self) -> None:
        """Deliver the first bundle. Raises ResourceError and OSError: to start with, there is nothing to keep."""
        self._seen = self._stamps()
        bundle = self.load()
        self._confirm()
        self._receive(bundle)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            # Many policies take a while to read; sessions go on meanwhile.
            self._take(await asyncio.to_thread(self._look))

    def _stamps(self) -> list[tuple[Path, int, int]]:
        states = [(path, path.stat()) for path in self.files()]
        return [(path, state.st_mtime_ns, state.st_size) for path, state in states]

    def poll(self) -> None:
        """Deliver a bundle if the files changed and are good."""
        self._take(self._look())

    def _look(self) -> Bundle | str | None:
        """The bundle if the files changed, why they are not good, or nothing."""
        try:
            stamps = self._stamps()
            if stamps == self._seen:
                return None
            self._seen = stamps
            return self.load()
        except ResourceError as error:
            return "; ".join(str(error).splitlines())
        except OSError as error:
            return f"{error.filename}: {error.strerror}"

    def _take(self, found: Bundle | str | None) -> None:
        if isinstance(found, str):
            self._say(found)
        elif found is not None:
            self._confirm()
            self._receive(found)
        elif not self.trouble:
            self._confirm()

    def files(self) -> list[Path]:
        """The files that the patterns name, each once, sorted within a pattern."""
        found: dict[Path, None] = {}
        for pattern in self._patterns:
            root = Path(Path(pattern).anchor) if Path(pattern).is_absolute() else self._directory
            inner = Path(pattern).relative_to(root) if Path(pattern).is_absolute() else Path(pattern)
            matches = sorted(root.glob(str(inner))) if set("*?[") & set(pattern) else [root / inner]
            found.update(dict.fromkeys(matches))
        return list(found)

    def load(self) -> Bundle:
        """The bundle that the files hold. Raises ResourceError and OSError."""
        resources: list[AnyResource] = []
        for path in self.files():
            resources += load(_text(path), path.name, self._wanted.namespace)
        for problem in check(resources) if self._tells else ():
            # None that makes the bundle unusable; `penstock validate` says the same before a file gets here.
            _log.warning(str(problem))
        self._generation = max(self._generation + 1, time.time_ns() // 1_000_000_000)
        return Bundle.of(
            resources, namespace=self._wanted.namespace, database=self._wanted.database,
            generation=self._generation, mask_key=self._wanted.mask_key,
        )  # fmt: skip


class _Withdrawn(ValueError):
    """`control` says that the Database is gone (`absent`), or not valid any more."""

    def __init__(self, message: str, *, absent: bool) -> None:
        super().__init__(message)
        self.absent = absent


class _Refused(ValueError):
    """`control` is there, and gives this gate nothing."""


class ControlSource(BundleSource):
    """The stream of bundles from `control`, one JSON document a line."""

    def __init__(
        self,
        url: str,
        token_file: Path,
        ca_file: Path | None,
        database: str,
        namespace: str,
        receive: Receive,
        *,
        max_age: float | None = None,
        kept: KeptPolicy | None = None,
    ) -> None:
        """`max_age`: the seconds that a policy counts without being confirmed; None: for as long as it takes. `kept`:
        where the last one is kept for a start while `control` is away.
        """
        super().__init__(database, receive)
        self._url = f"{url.rstrip('/')}/v1/policies/{quote(namespace, safe='')}/{quote(database, safe='')}"
        self._token_file = token_file
        self._ca_file = ca_file
        self._max_age = max_age
        self._kept_policy = kept
        # Of what is kept: which one, and when it was confirmed.
        self._kept_bundle: Bundle | None = None
        self._kept_at = 0.0
        self._last: Bundle | None = None
        # Whether what came last could be used.
        self._usable = True

    async def run(self) -> None:
        backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
        while True:
            began = time.monotonic()
            try:
                await self._follow()
            except _Withdrawn as error:
                self.absent = error.absent
                self._withdraw()
                await self._forget()
                self._say(f"control {self._url}: {error}")
            except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
                words = f"control {self._url}: {' '.join(str(error).split()) or type(error).__name__}"
                # One that does not take the gate's token is there, and has its reasons.
                away = not isinstance(error, _Refused)
                self._say(await self._take_kept(words) if away and self._last is None else words)
            else:
                # It ends with the token it was asked for with, about once an hour.
                if time.monotonic() - began < 2 * _LONGEST_DELAY:
                    self._say(f"control {self._url}: the stream ended")
            self._expire()
            # A stream that lived a while is begun again at once, but not by all sidecars in the same moment.
            if time.monotonic() - began > 2 * _LONGEST_DELAY:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    async def _follow(self) -> None:
        # Read anew at each connect: both files are rotated.
        token = self._token_file.read_text().strip()
        context = ssl.create_default_context(cafile=self._ca_file)
        timeout = httpx2.Timeout(10.0, read=_SILENCE_SECONDS)
        async with httpx2.AsyncClient(verify=context, timeout=timeout, trust_env=False) as client:
            headers = {"Authorization": f"Bearer {token}"}
            async with client.stream("GET", self._url, headers=headers) as response:
                if response.status_code == 404 and (said := _of_control(await response.aread())) is not None:
                    raise _Withdrawn(f"answers 404{_hint(404)}", absent=said.get("absent") is True)
                if 400 <= response.status_code < 500:
                    raise _Refused(f"answers {response.status_code}{_hint(response.status_code)}")
                if response.status_code != 200:
                    raise ValueError(f"answers {response.status_code}{_hint(response.status_code)}")
                self.connected += 1
                async for line in _lines(response.aiter_bytes()):
                    self._take(line)
                    await self._keep()

    async def _take_kept(self, trouble: str) -> str:
        """Go on by what was kept before this start, where it may be; what is to be said."""
        if self._kept_policy is None:
            return trouble
        try:
            bundle, age = await asyncio.to_thread(self._kept_policy.read, time.time(), self._max_age)
        except (KeptPolicyError, UpstreamError) as error:
            self.nothing_yet = f"no policy has been loaded yet: control can't be reached, and {error}"
            return f"{trouble}; {error}"
        self._confirmed = time.monotonic() - age
        self._last = self._kept_bundle = bundle
        self._kept_at = time.time() - age
        self._receive(bundle)
        return f"{trouble}; going on by the policy that was kept from before, confirmed {age:.0f} s ago"

    async def _keep(self) -> None:
        """Keep what is in force, with when it was confirmed: that, only now and then."""
        often = _KEEP_SECONDS if self._max_age is None else min(_KEEP_SECONDS, self._max_age / 4)
        known = self._last is self._kept_bundle and time.time() - self._kept_at < often
        if self._kept_policy is None or self._last is None or not self._usable or known:
            return
        try:
            await asyncio.to_thread(self._kept_policy.keep, self._last, time.time())
            self._kept_bundle, self._kept_at = self._last, time.time()
        except (OSError, UpstreamError, KeptPolicyError) as error:
            _log.warning("the policy could not be kept for a start", database=self._database, problem=str(error))
            # What is kept is not what is in force.
            await self._forget()
            self._kept_bundle, self._kept_at = self._last, time.time()

    async def _forget(self) -> None:
        if self._kept_policy is None:
            return
        self._kept_bundle = None
        try:
            await asyncio.to_thread(self._kept_policy.forget)
        except OSError as error:
            _log.error("a policy that does not count any more could not be removed", problem=str(error))

    def _expire(self) -> None:
        if self._max_age is not None and self.age > self._max_age:
            self._withdraw()

    def _withdraw(self) -> None:
        """Who followed when the Database went was sent a bundle without policies; who comes later gets no more."""
        if self._last is not None and self._last.policies:
            self._last = self._last.model_copy(update={"policies": ()})
            self._receive(self._last)

    def _kept(self) -> str:
        return (
            super()._kept() if self._last is None or self._last.policies else "no policy, so every statement is refused"
        )

    def _take(self, line: bytes) -> None:
        if not line.strip():
            # A sign of life, and that nothing changed since what came last.
            if self._last is not None and self._usable:
                self._confirm()
            self._expire()
            return
        try:
            bundle = Bundle.from_json(line)
            self._usable = True
        except ResourceError as error:
            self._usable = False
            self._say(f"control {self._url} sent a policy that can't be used: {error.problems[0]}")
            return
        self._confirm()
        self.absent = False
        # Not by its number alone: two replicas may give the next one to different changes for a moment.
        if bundle != self._last:
            self._last = bundle
            self._receive(bundle)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ResourceError([Problem("is not UTF-8 text", file=path.name, line=1)]) from None


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > _LONGEST_LINE:
            raise ValueError(f"sent a line of more than {_LONGEST_LINE} bytes")


def _of_control(body: bytes) -> dict[str, object] | None:
    """An answer about the Database; None where it is one of a server that knows no such path."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and "error" in said else None


def _hint(status: int) -> str:
    return {
        401: ": it does not accept this pod's token",
        403: ": this pod may not read the policies of that Database",
        404: ": it knows no such Database, or none that is valid",
    }.get(status, "")
