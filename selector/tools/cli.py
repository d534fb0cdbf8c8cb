"""Command line: `selector VERB`; results on stdout, progress on stderr."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import click
from selector import __version__
from selector.config import Config
from selector.config import flat
from selector.config_file import load
from selector.tools.models_verbs import models
from selector.tools.models_verbs import profile_model
from selector.tools.options import CONFIG
from selector.tools.options import JSON
from selector.tools.options import QUIET
from selector.tools.options import SET
from selector.tools.options import told


@click.group(context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(__version__, prog_name='selector')
def main() -> None:
    """Decide online when the slow perception model is worth its cost, and show why."""


@main.command()
@CONFIG
@SET
@click.option('--bag', type=click.Path(path_type=Path), help='Default: the patrol stream.')
@click.option('--rate', type=click.FloatRange(0.1, 100.0), default=3.0, show_default=True)
@click.option(
    '--out', type=click.Path(path_type=Path), help='Run folder. Default: runs/<utc>_demo.'
)
@QUIET
@told
def demo(
    *,
    config_file: Path | None,
    settings: tuple[str, ...],
    bag: Path | None,
    rate: float,
    out: Path | None,
    quiet: bool,
) -> int:
    """Run the real node on a recorded stream and show what its decisions were worth.

    Without --config, answers are carried on for up to 3 s: the stream's objects stay that long.
    """
    from selector.tools.demo import demo as run
    from selector.tools.demo import SETTINGS

    shown = settings if config_file else (*SETTINGS, *settings)
    return run(load(config_file, shown), bag, rate, out, quiet=quiet)


@main.command()
@click.argument('source', type=click.Path(path_type=Path))
@CONFIG
@SET
@JSON
@click.option('--topic', default='', help='Image topic, where the bag has several.')
@click.option(
    '--out', type=click.Path(path_type=Path), help='Run folder. Default: runs/<utc>_replay.'
)
@QUIET
@told
def replay(
    *,
    source: Path,
    config_file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
    topic: str,
    out: Path | None,
    quiet: bool,
) -> int:
    """Replay a bag or a profile table through the controller, without ROS."""
    from selector.tools.report import replay_report

    config = load(config_file, settings)
    folder = out or new_run_folder(config, 'replay')
    return replay_report(source, config, topic, folder, as_json=as_json, quiet=quiet)


@main.command()
@click.argument('table', type=click.Path(path_type=Path))
@CONFIG
@SET
@JSON
@click.option(
    '--out', type=click.Path(path_type=Path), required=True, help='Correlation file to write.'
)
@click.option('--date', default='', help='Day of the fit (ISO). Default: today.')
@told
def fit(
    *,
    table: Path,
    config_file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
    out: Path,
    date: str,
) -> int:
    """Fit the accuracy correlation of the two models from a labelled profile table (.npz)."""
    from selector.tools.report import fit_report

    day = date or datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return fit_report(table, load(config_file, settings), out, day, as_json)


@main.command()
@click.argument('log', type=click.Path(path_type=Path))
@JSON
@told
def verify(log: Path, as_json: bool) -> int:
    """Check a log's chain and take every decision in it again, bit for bit."""
    from selector.tools.report import verify_report

    return verify_report(log, as_json)


@main.command()
@click.argument('log', type=click.Path(path_type=Path))
@click.argument('frame', type=click.IntRange(0))
@JSON
@told
def explain(log: Path, frame: int, as_json: bool) -> int:
    """Say in one sentence what was decided about a frame, why, and what would have flipped it."""
    from selector.tools.report import explain_report

    return explain_report(log, frame, as_json)


@main.command()
@CONFIG
@SET
@JSON
@click.option('--format', 'form', type=click.Choice(['text', 'yaml', 'markdown']), default='text')
@click.option('--derived', is_flag=True, help='What follows from the budget: rho, B, kappa, beta.')
@told
def params(
    *,
    config_file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
    form: str,
    derived: bool,
) -> int:
    """List every parameter with its value, range and unit, or write them as a ROS file."""
    from selector.tools.params import as_derived
    from selector.tools.params import as_derived_json
    from selector.tools.params import as_markdown
    from selector.tools.params import as_text
    from selector.tools.params import as_yaml

    config = load(config_file, settings)
    if derived:
        click.echo(json.dumps(as_derived_json(config)) if as_json else as_derived(config))
    elif as_json:
        click.echo(json.dumps(flat(config)))
    elif form == 'markdown':
        click.echo(as_markdown(), nl=False)
    else:
        click.echo(as_yaml(config) if form == 'yaml' else as_text(config), nl=form == 'text')
    return 0


main.add_command(models)
main.add_command(profile_model)


def new_run_folder(config: Config, name: str) -> Path:
    """Return a folder in `audit.folder` that is not there yet, named by the wall clock."""
    now = datetime.datetime.now(datetime.timezone.utc)
    base = Path(config.audit.folder) / f'{now:%Y%m%dT%H%M%SZ}_{name}'
    tries = [base, *(base.with_name(f'{base.name}-{k}') for k in range(2, 1000))]
    return next(folder for folder in tries if not folder.exists())


if __name__ == '__main__':
    main()
