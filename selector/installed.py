"""Installed: where the models, the parameters and the demo stream lie."""

from __future__ import annotations

import os
from pathlib import Path
import sys

from selector.config import Config
from selector.errors import MissingError


def share() -> Path:
    """Return the folder that holds `models/`, `config/`, `launch/` and `bags/`.

    The checkout this package stands in, else the installed share folder.

    Raises:
        MissingError: neither is there.
    """
    checkout = Path(__file__).resolve().parent.parent
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    installed = [Path(p) / 'share' / 'model_selector' for p in prefixes if p]
    for folder in (checkout, *installed):
        if (folder / 'models').is_dir() and (folder / 'config').is_dir():
            return folder
    raise MissingError(
        f'the installed models are not found (looked in {checkout} and '
        f'{", ".join(map(str, installed))}); install the package again, or set models.folder'
    )


def models_folder(config: Config) -> Path:
    """Return the folder that holds the models and the correlation."""
    named = config.models.folder
    return Path(named).expanduser() if named else share() / 'models'
