"""The one error of this package: what is asked for cannot be measured here. The message says which file and why."""

import click


class CannotMeasure(click.ClickException):
    """Data absent, unreadable, or not of this evaluation: exit 2."""

    exit_code = 2
