"""`penstock demo`: plays the script on the stage, says what is seen, and checks that it is as it should be.

What doesn't belong: the script itself (`scenes.py`, `approval.py`), starting what it needs (`stage.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.markup import escape

from penstock_cli.demo import approval, trail_scenes
from penstock_cli.demo.approval import Waiting
from penstock_cli.demo.folder import FolderError, demo_folder, neighbours
from penstock_cli.demo.scenes import AGENT, APPROVER, CARD, EMAIL, OFFICER, OPENING, REST
from penstock_cli.demo.stage import SHIPPING_SECONDS, Stage, StageError, stage
from penstock_cli.demo.telling import Telling

# How often the agent looks whether its request was decided.
_LOOKING_SECONDS = 1.0
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WHY_PARAMETERS = "$1: the agent's policy keeps SQL normalized, the officer's in full (sqlText)."


@click.command(name="demo")
@click.option("--once", is_flag=True, help="Play the scenes, check them and end; status 1 if a check fails.")
@click.option("--database-url", metavar="URL", help="A PostgreSQL superuser's URL, in place of the embedded server.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept until the next demo there.  [default: a temporary one, removed at the end]",
)
def command(once: bool, database_url: str | None, directory: Path | None) -> None:
    """Run a gate, a collector and a small shop on this machine, and play a session through them.

    With --database-url, a database `shop` and a role `penstock_gate` are made on that server, replacing those of an
    earlier demo that has ended.
    """
    # Nothing of it is for other accounts; what the server's account needs is opened for it.
    os.umask(0o077)
    for ending in _ENDINGS:
        signal.signal(ending, _end)
    console = Console(highlight=False)
    try:
        with demo_folder(directory) as place, contextlib.ExitStack() as running:
            for other in neighbours(place):
                console.print(f"Beside this one, {escape(str(other))}.", soft_wrap=True)
            with console.status("starting a PostgreSQL, a collector and a gate"):
                on_stage = running.enter_context(stage(place, database_url, (AGENT, OFFICER), APPROVER))
            telling = Telling(console, on_stage)
            request = _play(telling)
            if telling.failures:
                console.print(f"[bold red]not as it should be:[/] {', '.join(telling.failures)}")
            else:
                console.print(f"[green]{telling.told} scenes, each as it should be[/]")
            if not once:
                _leave_running(console, on_stage, request)
    except (FolderError, StageError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(130)
    if telling.failures:
        sys.exit(1)


def _end(_number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C, whatever ends the demo, so that it also ends what it started; undisturbed by a second one."""
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


def _play(telling: Telling) -> str:
    """Every scene in turn; the request that waits at the end."""
    for scene in OPENING:
        telling.scene(scene)
    approval.play(telling)
    for scene in REST:
        telling.scene(scene)
    trail_scenes.observe(telling)
    trail_scenes.refuse_login(telling)
    for title, check in (("The trail of it all", _trail), ("The trail verified", _verified)):
        telling.heading(title)
        telling.checked(title, check(telling))
    trail_scenes.lose(telling)
    return approval.play_again(telling)


def _trail(telling: Telling) -> bool:
    """Every statement that went through the gate is in the collector with its outcome, and nothing raw."""
    console, on_stage = telling.console, telling.on_stage
    end = time.monotonic() + SHIPPING_SECONDS
    while True:
        counted = on_stage.audit("search", "--json", "--limit", "100")
        complete = sum(bool(json.loads(line)["result"]) for line in counted.stdout.splitlines())
        if complete >= telling.through_gate or time.monotonic() > end:
            break
        time.sleep(0.3)
    shown = on_stage.audit("search", "--limit", "100")
    console.print(escape((shown.stdout + shown.stderr).rstrip()))
    console.print(_WHY_PARAMETERS, style="italic", markup=False)
    exported = on_stage.audit("export").stdout
    # The officer's policy keeps the full text, and no scene of the officer's names a card or an address.
    return complete == telling.through_gate and CARD not in exported and EMAIL not in exported


def _verified(telling: Telling) -> bool:
    """The exported chains verify; with one character changed they don't."""
    console, on_stage = telling.console, telling.on_stage
    exported = on_stage.audit("export").stdout
    good, forged = on_stage.directory / "export.jsonl", on_stage.directory / "forged.jsonl"
    good.write_text(exported)
    forged.write_text(exported.replace("support-bot", "support-bat", 1))
    verified, caught = on_stage.audit("verify", str(good)), on_stage.audit("verify", str(forged))
    console.print(f"penstock audit verify {good.name}: {escape((verified.stdout + verified.stderr).strip())}")
    console.print(f"penstock audit verify {forged.name}: {escape((caught.stdout + caught.stderr).strip())}\n")
    return verified.returncode == 0 and caught.returncode == 1


def _leave_running(console: Console, on_stage: Stage, request: str) -> None:
    """Until somebody ends it. What is needed next comes last, in lines that fit 80 columns."""
    place = on_stage.directory
    lines = [
        "",
        f"It all runs in {place}",
        "Edit support.yaml there: the running gate takes it over.",
        f"psql is for the support agent; with {OFFICER.subject} after it, for the officer.",
        f"On the page, the agent's DELETE waits ({request}). Sign in as {APPROVER.subject} and",
        "approve it: the agent runs it again, and it shows under Statements.",
        "An MCP client of yours takes the agent's place with the line mcp (mcpServers).",
        "",
        f"mcp    {json.dumps({'command': 'sh', 'args': [str(on_stage.mcp_script)]})}",
        f"psql   sh {shlex.quote(str(on_stage.psql_script))}",
        f"page   {on_stage.collector_url}/requests",
        f"token  {on_stage.page_token} (of {APPROVER.subject}, for the page)",
        f"end    Ctrl-C, or kill {os.getpid()}",
    ]
    # One that comes while they are printed waits: in the midst of it, they would be printed twice.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    console.print("\n".join(map(escape, lines)), soft_wrap=True)
    waiting = Waiting(on_stage, request)
    while signal.sigtimedwait(_ENDINGS, _LOOKING_SECONDS) is None:
        if came := waiting.look():
            console.print(escape(came), soft_wrap=True)
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    # Off the line on which the terminal shows ^C.
    console.print("\nending it")
