"""Arguments that several commands take."""

import click

Day = click.DateTime(["%Y-%m-%d"])
