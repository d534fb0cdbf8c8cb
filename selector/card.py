"""Card: what is declared about a model file, and the check that the file is the declared one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from typing import Literal

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from pydantic import ValidationError
from selector.errors import did_you_mean
from selector.errors import ModelError
import yaml


class _Part(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


class InputCard(_Part):
    """How a frame becomes the model's input tensor (N, 3, size, size) float32 RGB.

    Attributes:
        name: name of the graph's input.
        crop: part of the frame that is looked at.
        size_px: side of the square the crop is resized to (bilinear, antialiased) [px].
        scale: factor from uint8 to the input's range.
    """

    name: str
    crop: Literal['centre_square', 'none']
    size_px: int = Field(ge=1, le=4096)
    scale: float = Field(gt=0)


class FigureCard(_Part):
    """One figure with where it comes from.

    Attributes:
        value: the figure, None when unknown.
        kind: measured | profiled | default | unknown.
        source: how it was obtained.
    """

    value: float | None = Field(ge=0)
    kind: Literal['measured', 'profiled', 'default', 'unknown']
    source: str


class Card(_Part):
    """The card of one model, `models/<name>/card.yaml`."""

    name: str
    task: Literal['classification']
    file: str
    sha256: str = Field(pattern='^[0-9a-f]{64}$')
    labels: list[str] = Field(min_length=2)
    input: InputCard
    output: str
    training_data: str
    licence: str
    accuracy: FigureCard
    multiply_adds: int = Field(ge=0)
    latency_p50_s: FigureCard
    latency_p99_s: FigureCard
    energy_j: FigureCard


def read_card(folder: Path) -> Card:
    """Return the checked card in `folder`.

    Raises:
        ModelError: the card is missing, is no YAML, has unknown, missing or bad fields (all
            named), or has another name than its folder.
    """
    path = folder / 'card.yaml'
    try:
        tree = yaml.safe_load(path.read_text())
    except OSError as err:
        near = sorted(p.parent.name for p in folder.parent.glob('*/card.yaml'))
        raise ModelError(
            f'no model {folder.name!r} in {folder.parent}: {path.name} is not there; '
            f'models found: {", ".join(near) or "none"}{did_you_mean(folder.name, near)}',
            path=str(path),
        ) from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise ModelError(f'{path} is no YAML: {" ".join(str(err).split())}') from err
    try:
        card = Card.model_validate(tree)
    except ValidationError as err:
        problems = '; '.join(_problem(error) for error in err.errors())
        raise ModelError(f'{path}: {problems}', path=str(path)) from err
    if card.name != folder.name:
        raise ModelError(
            f'{path}: name is {card.name!r}; it must be that of its folder, {folder.name!r}',
            path=str(path),
        )
    if len(set(card.labels)) != len(card.labels):
        raise ModelError(f'{path}: labels repeat', path=str(path))
    return card


def _problem(error: Any) -> str:
    name = '.'.join(str(part) for part in error['loc'])
    if error['type'] == 'extra_forbidden':
        return f'unknown key {name!r}{did_you_mean(name, Card.model_fields)}'
    return f'{name}: {error["msg"]}'


def checked_file(card: Card, folder: Path) -> Path:
    """Return the path of the card's model file after comparing its digest.

    Raises:
        ModelError: the file is missing or its SHA-256 is another than the card's.
    """
    path = folder / card.file
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as err:
        raise ModelError(
            f'model file {path} cannot be read: {err.strerror}', path=str(path)
        ) from err
    if found != card.sha256:
        raise ModelError(
            f'model file {path} is not the one its card names: expected sha256 {card.sha256}, '
            f'found {found}; restore the file, or correct the card if the change was meant',
            path=str(path),
            expected=card.sha256,
            found=found,
        )
    return path
