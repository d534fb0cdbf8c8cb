"""Profile model: the verb that measures what models cost on this machine."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import json
from pathlib import Path
import sys

import click
import numpy as np
from numpy.typing import NDArray
from selector.config import Config
from selector.errors import InputError
from selector.image import decode_compressed
from selector.tools.model_profile import Asked
from selector.tools.model_profile import check
from selector.tools.model_profile import profile_models
from selector.tools.profile_table import card_lines
from selector.tools.profile_table import text
from selector.tools.profile_table import tree

DEFAULT = Asked()
_FRAME_SHAPE = (480, 640, 3)


def profile_model_report(
    config: Config,
    names: Sequence[str],
    image: Path | None,
    out: Path | None,
    *,
    asked: Asked = DEFAULT,
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """Measure models and print what they cost, and the lines for their cards.

    Args:
        config: where the models are, which are fast and slow, and their threads.
        names: the models; empty: the fast and the slow one.
        image: JPEG or PNG they are called with; None: noise of 640x480.
        out: folder that gets `profile.json` and `<model>.card.yaml`; None: no files. A card
            itself is never written: its comments and its other lines are its author's.
        asked: what is measured, and how long.
        as_json: print JSON and no card lines.
        quiet: no progress.

    Raises:
        SelectorError: what is asked for is out of range, or a model cannot be loaded or called.
    """
    check(asked)
    frame = _frame(image)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    made = profile_models(config, names, frame, asked, _progress(quiet))
    told = json.dumps(tree(made), allow_nan=False)
    lines = {model.name: card_lines(model) for model in made.models}
    if out is not None:
        (out / 'profile.json').write_text(f'{told}\n')
        for name, part in lines.items():
            (out / f'{name}.card.yaml').write_text(part)
    if as_json:
        click.echo(told)
        return 0
    click.echo('\n'.join((text(made), '', *lines.values())).rstrip())
    if out is not None:
        click.echo(f'\nfiles: {out}')
    return 0


def _frame(path: Path | None) -> NDArray[np.uint8]:
    if path is None:
        return np.random.default_rng(0).integers(0, 256, _FRAME_SHAPE, np.uint8)
    try:
        return decode_compressed(path.read_bytes())
    except InputError as err:
        raise InputError(f'{path}: {err}', path=str(path)) from err


def _progress(quiet: bool) -> Callable[[str], None]:
    """Return a callback that tells on stderr what is measured; silent when not a terminal."""
    shown = not quiet and sys.stderr.isatty()

    def show(what: str) -> None:
        if shown:
            click.echo(f'measuring {what}', err=True)

    return show
