"""`penstock control`: the service that injects sidecars and streams policies to them.

What doesn't belong: all of it but starting (`penstock_operator.control`).
"""

from __future__ import annotations

import click
import uvloop
from pydantic import ValidationError

from penstock_operator.cluster.access import AccessError
from penstock_operator.cluster.api import ApiError
from penstock_operator.control.main import run
from penstock_operator.serving import ServingError
from penstock_operator.settings import ControlSettings, SettingsError, wrong_settings


@click.command()
def command() -> None:
    """Run the control service; its settings are environment variables PENSTOCK_CONTROL_…, as the chart sets them."""
    try:
        settings = ControlSettings()
        # Thousands of streams, each with writes of its own.
        uvloop.run(run(settings))
    except (ValidationError, SettingsError) as error:
        raise click.ClickException(wrong_settings(error)) from None
    except (AccessError, ApiError, ServingError) as problem:
        raise click.ClickException(str(problem)) from None
