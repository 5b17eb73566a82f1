"""`earshot init`: makes a folder for a library where Earshot was installed from a wheel."""

from pathlib import Path

import click

from earshot.config.settings import DEVICES
from earshot.library.upkeep.project import write_project


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--device", type=click.Choice(DEVICES), default=DEVICES[0], show_default=True, help="What the models run on.")
def init_command(folder: Path, device: str) -> None:
    """Make a folder for a library, without a clone.

    Writes earshot.toml, sources.yaml, people.yaml, dagster.yaml and workspace.yaml into FOLDER, and overwrites nothing. The
    library itself will be in FOLDER/.earshot.
    """
    written = write_project(folder, device)
    folder = written[0].parent
    click.echo(f"Wrote {', '.join(file.name for file in written)} in {folder}. The device is {device} (earshot.toml).\n\nNext:")
    for command in (f"cd {folder}", "earshot doctor", "earshot ingest SOURCE", "earshot search 'WORDS'", "earshot up"):
        click.echo(f"  {command}")
