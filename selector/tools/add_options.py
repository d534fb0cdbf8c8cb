"""Add options: what the user says of a model that is added, from texts to values."""

from __future__ import annotations

import math
from pathlib import Path
import re
from typing import NamedTuple

from selector.cards.input_card import LARGEST_PX
from selector.errors import ConfigError
from selector.errors import did_you_mean
from selector.errors import InputError
from selector.newcomer.inspection import DEFAULT
from selector.newcomer.inspection import Limits
from selector.newcomer.proposed_input import Asked
from selector.newcomer.proposed_input import NORMALISATIONS
from selector.tools.new_model import Wanted
import yaml

_MOST_GB, _MOST_S = 1000.0, 3600.0
TASKS = ('classification', 'detection', 'regression')


class Options(NamedTuple):
    """The options of `selector models add`, as they are typed.

    Attributes:
        name: of the model, '' for that of the file.
        task: one of TASKS, '' unknown.
        labels: names with commas between them, or a file with one a line; '' unknown.
        size: a side or HEIGHTxWIDTH [px], '' unknown.
        normalise: one of NORMALISATIONS, '' unknown.
        lines: KEY=VALUE, VALUE in YAML, for other keys of the card.
        image: JPEG or PNG that the model is shown, None for a drawn one.
        folder: models folder, None for that of the parameters.
        dry_run: nothing is written.
        memory_gb: most memory that the check may use [GB].
        seconds: longest that one step of the check may take [s].
    """

    name: str = ''
    task: str = ''
    labels: str = ''
    size: str = ''
    normalise: str = ''
    lines: tuple[str, ...] = ()
    image: Path | None = None
    folder: Path | None = None
    dry_run: bool = False
    memory_gb: float = DEFAULT.memory_bytes / 1e9
    seconds: float = DEFAULT.wall_s


def parsed(file: Path, options: Options) -> Wanted:
    """Return what is wanted.

    Raises:
        SelectorError: an option is none; the text says what it may be.
    """
    asked = Asked(
        _one_of('--task', options.task, TASKS),
        _labels(options.labels),
        _size(options.size),
        _one_of('--normalise', options.normalise, tuple(NORMALISATIONS)),
        _lines(options.lines),
    )
    return Wanted(
        file,
        options.name,
        asked,
        options.image,
        options.folder,
        options.dry_run,
        _limits(options),
    )


def _limits(options: Options) -> Limits:
    for option, value, most in (
        ('--memory-gb', options.memory_gb, _MOST_GB),
        ('--seconds', options.seconds, _MOST_S),
    ):
        if not 1.0 <= value <= most:
            raise ConfigError(f'{option} {value:g}: give a number of 1 to {most:g}')
    return DEFAULT._replace(
        memory_bytes=round(options.memory_gb * 1e9),
        cpu_s=math.ceil(options.seconds),
        wall_s=options.seconds,
    )


def _one_of(option: str, given: str, allowed: tuple[str, ...]) -> str:
    if given and given not in allowed:
        raise ConfigError(
            f'{option} {given!r}: one of {", ".join(allowed)}{did_you_mean(given, allowed)}'
        )
    return given


def _size(text: str) -> tuple[int, int] | None:
    """Return (height, width) of `640` or `HEIGHTxWIDTH`, None for an empty text.

    Raises:
        ConfigError: it is neither.
    """
    if not text:
        return None
    found = re.fullmatch(r'(\d{1,4})(?:x(\d{1,4}))?', text.strip().lower())
    sides = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not all(1 <= side <= LARGEST_PX for side in sides):
        raise ConfigError(
            f'--size {text!r}: give one side or HEIGHTxWIDTH in pixels of 1 to 4096, such as 640 '
            'or 480x640'
        )
    return sides


def _labels(text: str) -> tuple[str, ...]:
    """Return labels of a file with one a line, or of a list with commas.

    Raises:
        InputError: the file holds none.
    """
    if not text:
        return ()
    path = Path(text).expanduser()
    if ',' not in text and (path.is_file() or path.suffix):
        try:
            lines = path.read_text(encoding='utf-8-sig').splitlines()
        except (OSError, ValueError) as err:
            why = getattr(err, 'strerror', None) or 'it is no text in UTF-8'
            raise InputError(
                f'--labels {text}: {why}; give a text file with a label a line'
            ) from err
        labels = tuple(line.strip() for line in lines if line.strip())
    else:
        labels = tuple(part.strip() for part in text.split(','))
    if not labels or not all(labels):
        raise InputError(f'--labels {text}: there is an empty label, or none')
    return labels


def _lines(settings: tuple[str, ...]) -> dict[str, object]:
    """Return values by the dotted path of their key, of texts KEY=VALUE with VALUE in YAML.

    Raises:
        ConfigError: one has no `=`, or no YAML behind it.
    """
    lines: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition('=')
        if not equals or not key.strip():
            raise ConfigError(f'--card {setting!r}: give KEY=VALUE, such as input.colour=bgr')
        try:
            lines[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as err:
            raise ConfigError(f'--card {setting!r}: the value is no YAML') from err
    return lines
