"""`penstock demo`: plays the script on the stage, says what is seen, and checks that it is as it should be.

What doesn't belong: the script itself (`scenes.py`), starting what it needs (`stage.py`).
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
from rich.panel import Panel
from rich.syntax import Syntax

from penstock_cli.demo.folder import FolderError, demo_folder, neighbours
from penstock_cli.demo.scenes import AGENT, CARD, EMAIL, OFFICER, SCENES, Scene
from penstock_cli.demo.stage import Stage, StageError, stage

_SHIPPING_SECONDS = 15
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
                on_stage = running.enter_context(stage(place, database_url, (AGENT, OFFICER)))
            failures = _play(console, on_stage)
            if failures:
                console.print(f"[bold red]not as it should be:[/] {', '.join(failures)}")
            else:
                console.print(f"[green]{len(SCENES) + 2} scenes, each as it should be[/]")
            if not once:
                _leave_running(console, on_stage)
    except (FolderError, StageError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(130)
    if failures:
        sys.exit(1)


def _end(_number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C, whatever ends the demo, so that it also ends what it started; undisturbed by a second one."""
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


def _play(console: Console, on_stage: Stage) -> list[str]:
    """Every scene in turn; the titles of those that did not come out right."""
    failures = [scene.title for number, scene in enumerate(SCENES, 1) if not _scene(console, on_stage, scene, number)]
    for title, check in (("The trail of it all", _trail), ("The trail verified", _verified)):
        console.rule(f"[bold]{title}", align="left")
        if not check(console, on_stage):
            failures.append(title)
    return failures


def _scene(console: Console, on_stage: Stage, scene: Scene, number: int) -> bool:
    who = "superuser, straight to the database" if scene.actor is None else f"{scene.actor.kind} {scene.actor.subject}"
    console.rule(f"[bold]{number}. {escape(scene.title)}[/] [dim]({escape(who)})", align="left")
    console.print(Syntax(scene.sql, "sql", background_color="default", word_wrap=True))
    output = on_stage.query(scene.actor, scene.sql)
    right = scene.expected(output)
    console.print(Panel.fit(escape(output), border_style="dim" if right else "red"))
    console.print(f"[italic]{escape(scene.remark)}[/]\n" if right else "[bold red]this is not as it should be[/]\n")
    return right


def _trail(console: Console, on_stage: Stage) -> bool:
    """Every statement that went through the gate is in the collector with its outcome, and nothing raw."""
    through_gate = sum(scene.actor is not None for scene in SCENES)
    end = time.monotonic() + _SHIPPING_SECONDS
    while True:
        counted = on_stage.audit("search", "--json", "--limit", "100")
        complete = sum(bool(json.loads(line)["result"]) for line in counted.stdout.splitlines())
        if complete >= through_gate or time.monotonic() > end:
            break
        time.sleep(0.3)
    shown = on_stage.audit("search", "--limit", "100")
    console.print(escape((shown.stdout + shown.stderr).rstrip()))
    console.print(_WHY_PARAMETERS, style="italic", markup=False)
    exported = on_stage.audit("export").stdout
    # The officer's policy keeps the full text, and no scene of the officer's names a card or an address.
    return complete == through_gate and CARD not in exported and EMAIL not in exported


def _verified(console: Console, on_stage: Stage) -> bool:
    """The exported chains verify; with one character changed they don't."""
    exported = on_stage.audit("export").stdout
    good, forged = on_stage.directory / "export.jsonl", on_stage.directory / "forged.jsonl"
    good.write_text(exported)
    forged.write_text(exported.replace("support-bot", "support-bat", 1))
    verified, caught = on_stage.audit("verify", str(good)), on_stage.audit("verify", str(forged))
    console.print(f"penstock audit verify {good.name}: {escape((verified.stdout + verified.stderr).strip())}")
    console.print(f"penstock audit verify {forged.name}: {escape((caught.stdout + caught.stderr).strip())}\n")
    return verified.returncode == 0 and caught.returncode == 1


def _leave_running(console: Console, on_stage: Stage) -> None:
    """Until somebody ends it. What is needed next comes last, in lines that fit 80 columns."""
    place = on_stage.directory
    lines = [
        "",
        f"It all runs in {place}",
        "Edit support-agents.yaml there: the running gate takes it over.",
        f"psql is for the support agent; with {OFFICER.subject} after it, for the officer.",
        "The page's link logs in once, within ten minutes; later use viewer.token there.",
        "",
        f"psql  sh {shlex.quote(str(on_stage.psql_script))}",
        f"page  {on_stage.login_link}",
        f"end   Ctrl-C, or kill {os.getpid()}",
    ]
    # One that comes while they are printed waits: in the midst of it, they would be printed twice.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    console.print("\n".join(map(escape, lines)), soft_wrap=True)
    signal.sigwait(_ENDINGS)
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    # Off the line on which the terminal shows ^C.
    console.print("\nending it")
