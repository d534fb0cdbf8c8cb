"""Models verbs: `selector models list|show|add` and `selector profile-model`."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click
from selector.config_file import load
from selector.tools.options import CONFIG
from selector.tools.options import JSON
from selector.tools.options import QUIET
from selector.tools.options import SET
from selector.tools.options import told


@click.group()
def models() -> None:
    """The installed models."""


@models.command('list')
@CONFIG
@SET
@JSON
@told
def models_list(config_file: Path | None, settings: tuple[str, ...], as_json: bool) -> int:
    """List the models and whether their files are the ones their cards name."""
    from selector.tools.report import models_report

    return models_report(load(config_file, settings), as_json)


@models.command('show')
@click.argument('name')
@CONFIG
@SET
@told
def models_show(name: str, config_file: Path | None, settings: tuple[str, ...]) -> int:
    """Show a model's card after checking it."""
    from selector.tools.report import model_card

    click.echo(model_card(load(config_file, settings), name))
    return 0


@models.command('add')
@click.argument('file', type=click.Path(path_type=Path))
@CONFIG
@SET
@JSON
@click.option('--name', default='', help='Name of the model. Default: that of the file.')
@click.option('--task', default='', help='classification, detection or regression.')
@click.option(
    '--labels', default='', metavar='A,B|FILE', help='Class names, or a file, one a line.'
)
@click.option('--size', default='', metavar='PX|HxW', help='Input size, where the file is open.')
@click.option('--normalise', default='', help='01, symmetric (-1..1), imagenet or none (0..255).')
@click.option(
    '--card', 'lines', multiple=True, metavar='KEY=VALUE', help='A line of the card; repeatable.'
)
@click.option(
    '--image',
    type=click.Path(path_type=Path),
    help='Picture to show it. Default: a drawn one.',
)
@click.option(
    '--folder', type=click.Path(path_type=Path), help='Models folder. Default: models.folder.'
)
@click.option('--memory-gb', default=4.0, show_default=True, help='Most memory of the check.')
@click.option('--seconds', default=60.0, show_default=True, help='Longest step of the check.')
@click.option('--dry-run', is_flag=True, help='Show the card; write nothing.')
@told
def models_add(
    *, file: Path, config_file: Path | None, settings: tuple[str, ...], as_json: bool, **given: Any
) -> int:
    """Make a model of an ONNX file: check it, write its card, show its answer on a picture."""
    from selector.tools.add_options import Options
    from selector.tools.models_add import models_add_report

    return models_add_report(load(config_file, settings), file, Options(**given), as_json=as_json)


@click.command('profile-model')
@click.argument('names', nargs=-1)
@CONFIG
@SET
@JSON
@click.option('--image', type=click.Path(path_type=Path), help='Picture to call with; else noise.')
@click.option(
    '--out', type=click.Path(path_type=Path), help='Folder for profile.json, card lines.'
)
@click.option('--threads', multiple=True, type=click.IntRange(1, 64), help='Count; repeatable.')
@click.option(
    '--sizes', multiple=True, type=click.IntRange(1, 4096), help='Input side; repeatable.'
)
@click.option('--runs', default=300, show_default=True, help='Calls of each distribution.')
@click.option('--machine', default='', help='Name of this machine, for the cards.')
@QUIET
@told
def profile_model(
    *, names: tuple[str, ...], config_file: Path | None, settings: tuple[str, ...], **given: Any
) -> int:
    """Measure latency, memory and energy of models on this machine; default: the pair."""
    from selector.tools.model_profile import Asked
    from selector.tools.profile_model import profile_model_report

    asked = Asked(
        threads=given['threads'],
        sizes_px=given['sizes'],
        runs=given['runs'],
        machine=given['machine'],
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    )
    return profile_model_report(
        load(config_file, settings),
        names,
        given['image'],
        given['out'],
        asked=asked,
        as_json=given['as_json'],
        quiet=given['quiet'],
    )
