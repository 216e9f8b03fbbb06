"""`penstock operator`: checks the resources, writes their status and keeps certificates.

What doesn't belong: all of it but starting (`penstock_operator.main`).
"""

from __future__ import annotations

import asyncio

import click
from pydantic import ValidationError

from penstock_operator.cluster.access import AccessError
from penstock_operator.controllers.handlers import WatchingEnded
from penstock_operator.main import run
from penstock_operator.serving import ServingError
from penstock_operator.settings import OperatorSettings, SettingsError, wrong_settings


@click.command()
def command() -> None:
    """Run the operator; its settings are environment variables PENSTOCK_OPERATOR_…, as the chart sets them."""
    try:
        settings = OperatorSettings()
        asyncio.run(run(settings))
    except (ValidationError, SettingsError) as error:
        raise click.ClickException(wrong_settings(error)) from None
    except (AccessError, ServingError, WatchingEnded) as problem:
        raise click.ClickException(str(problem)) from None
