"""`earshot people`: who is known, and what was said to be wrong. Each command is a thin layer over functions of the library."""

import click


@click.group("people")
def people_group() -> None:
    """Who is speaking: people, their recordings, and corrections."""
