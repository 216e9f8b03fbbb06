"""`penstock proxy`: runs the gate in front of PostgreSQL. What it does is `penstock_sidecar`'s."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--config",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PENSTOCK_CONFIG",
    help="A directory with proxy.yaml; without it, all settings come from environment variables PENSTOCK_…",
)
def command(directory: Path | None) -> None:
    """Run the gate in front of PostgreSQL, as a sidecar or stand-alone, until SIGTERM."""
    # Here, so that the command's help does not load all of it.
    from penstock_sidecar.main import StartError, run  # noqa: PLC0415
    from penstock_sidecar.settings import SettingsError, read  # noqa: PLC0415

    try:
        run(read(directory))
    except (SettingsError, StartError) as error:
        for line in str(error).splitlines():
            click.echo(f"penstock proxy: {line}", err=True)
        raise SystemExit(1) from None
