"""How the long-running programs log: structlog for our own lines, and the libraries' stdlib records the same way.

What doesn't belong: what is logged. A user's mistake is one line; only a bug of ours may show a traceback.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor


def configure(level: str, *, json: bool) -> None:
    """Send everything to standard error as JSON lines or as text for people; level as in `logging`, lower case."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # The prettier traceback shows the values of variables: tokens, statements.
    text = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    last: Processor = structlog.processors.JSONRenderer() if json else text
    # JSON escapes by itself what could forge a line or steer a terminal.
    ending: list[Processor] = [structlog.processors.format_exc_info, last] if json else [_plain, last]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These say at `info` what is of use to nobody but their own developers.
    for chatty in ("httpx2", "httpcore2", "uvicorn.access", "asyncio", "urllib3"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def _plain(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Texts in which nothing begins another line or commands the terminal; tracebacks stay as they are."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = "".join(letter if letter.isprintable() else _escaped(letter) for letter in value)
    return event


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
