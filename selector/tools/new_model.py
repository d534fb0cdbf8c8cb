"""New model: from a file nobody has vouched for to a folder with a card, or to nothing at all."""

from __future__ import annotations

import contextlib
from pathlib import Path
import re
import shutil
import tempfile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from selector.cards.card import checked_card
from selector.cards.card_file import CARD
from selector.config import Config
from selector.errors import ConfigError
from selector.errors import InputError
from selector.errors import ModelError
from selector.errors import PredictionError
from selector.image import decode_compressed
from selector.installed import models_folder
from selector.newcomer.card_text import card_text
from selector.newcomer.graph import Graph
from selector.newcomer.inspection import DEFAULT
from selector.newcomer.inspection import Inspector
from selector.newcomer.inspection import Limits
from selector.newcomer.inspection import Verdict
from selector.newcomer.inspection_message import Answer
from selector.newcomer.proposal import Proposal
from selector.newcomer.proposal import propose
from selector.newcomer.proposed_input import Asked
from selector.newcomer.sample_picture import sample_picture
from selector.overlay import overlay
from selector.prediction import Prediction
from selector.tasks.known import task_named

MODEL, PREVIEW = 'model.onnx', 'preview.png'
NOTHING = Asked()
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]{0,63}')
_ADVICE = (
    'that is with the proposed card, which --dry-run shows; correct it with --card KEY=VALUE. '
    'Nothing was written'
)


class Wanted(NamedTuple):
    """What is to be added, and where.

    Attributes:
        file: the ONNX file.
        name: of the model, '' for that of the file.
        asked: what the user says of it.
        image: JPEG or PNG that it is shown, None for a drawn one.
        folder: models folder, None for that of the parameters.
        dry_run: nothing is written.
        limits: of the check.
    """

    file: Path
    name: str = ''
    asked: Asked = NOTHING
    image: Path | None = None
    folder: Path | None = None
    dry_run: bool = False
    limits: Limits = DEFAULT


class Added(NamedTuple):
    """What was found and made.

    Attributes:
        name: of the model.
        folder: its folder.
        graph: what the file shows.
        proposal: its card.
        text: the card as it is written.
        answer: what the model said of the picture.
        labels: of its answers.
        preview: the picture with the answer, PNG.
    """

    name: str
    folder: Path
    graph: Graph
    proposal: Proposal
    text: str
    answer: Prediction
    labels: tuple[str, ...]
    preview: bytes


def add_model(config: Config, wanted: Wanted) -> Added:
    """Return what was made of a file; it is in the models folder unless it was a dry run.

    Raises:
        SelectorError: the file cannot be used, contradicts what is said of it, or its name is
            taken; nothing has been written then. Where the proposed card does not fit, its text
            is the value `card`.
    """
    models = wanted.folder or models_folder(config)
    folder = _new_folder(models, wanted)
    picture = _picture(wanted.image)
    with contextlib.ExitStack() as stack:
        aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='selector_')))
        shown = aside / 'picture.png'
        Image.fromarray(picture).save(shown, compress_level=1)
        inspector = stack.enter_context(Inspector(wanted.limits))
        graph = _graph(inspector.inspect(wanted.file, shown, wanted.asked.size_px), wanted.file)
        proposal = _proposed(graph, folder.name, wanted)
        text = card_text(proposal.tree, f'made by selector models add {wanted.file.name}')
        where = aside if wanted.dry_run else _made(models)
        part = stack.enter_context(tempfile.TemporaryDirectory(prefix='.adding_', dir=where))
        draft = Path(part) / folder.name
        _write(draft, wanted.file, graph, text)
        verdict = inspector.answer(draft, shown, config.models.threads)
        try:
            answer, labels = _checked(_said(verdict, draft), proposal, folder.name)
        except ModelError as err:
            raise ModelError(f'{wanted.file}: {err}; {_ADVICE}', **err.values, card=text) from err
        preview = overlay(picture, answer, labels)
        (draft / PREVIEW).write_bytes(preview)
        if not wanted.dry_run:
            _into_place(draft, folder)
    return Added(folder.name, folder, graph, proposal, text, answer, labels, preview)


def _new_folder(models: Path, wanted: Wanted) -> Path:
    """Return the folder of the model, which is not there yet.

    Raises:
        ConfigError: the name is none, or taken.
    """
    name = wanted.name or re.sub(r'[^a-z0-9]+', '_', wanted.file.stem.lower()).strip('_')[:64]
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f'--name {name!r}: give up to 64 letters, digits, `_`, `-` or `.`, a letter or digit '
            'first'
        )
    folder = models / name
    if folder.exists() or folder.is_symlink():
        raise ConfigError(
            f'{folder} is there already and is never overwritten: choose another --name, or '
            'remove it first'
        )
    return folder


def _picture(path: Path | None) -> NDArray[np.uint8]:
    if path is None:
        return sample_picture()
    try:
        return decode_compressed(path.read_bytes())
    except OSError as err:
        raise InputError(f'--image {path}: {err.strerror}', path=str(path)) from err
    except InputError as err:
        raise InputError(f'--image {path}: {err}', path=str(path)) from err


def _graph(verdict: Verdict, file: Path) -> Graph:
    if verdict.graph is None:
        raise ModelError(f'{file}: {verdict.why}', path=str(file), state=verdict.state)
    return verdict.graph


def _said(verdict: Verdict, draft: Path) -> Answer:
    if verdict.answer is None:
        raise ModelError(verdict.why.replace(f'{draft.resolve()}/', ''), state=verdict.state)
    return verdict.answer


def _proposed(graph: Graph, name: str, wanted: Wanted) -> Proposal:
    try:
        return propose(graph, name, MODEL, wanted.asked)
    except ModelError as err:
        raise ModelError(f'{wanted.file}: {err}', path=str(wanted.file)) from err


def _checked(said: Answer, proposal: Proposal, name: str) -> tuple[Prediction, tuple[str, ...]]:
    """Return the answer and the labels of answers.

    Raises:
        ModelError: the answer is none of its task.
    """
    card = checked_card(proposal.card, 'the proposed card')
    answer = Prediction(name, said.scores, said.class_id, said.wall_s, said.boxes or said.values)
    try:
        task_named(card.task, card.task_spec).check(answer)
    except PredictionError as err:
        raise ModelError(f'it {err}') from err
    return answer, card.answer_labels


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(
            f'{folder} cannot be made: {err.strerror}; name another --folder'
        ) from err
    return folder


def _write(draft: Path, file: Path, graph: Graph, text: str) -> None:
    draft.mkdir()
    shutil.copyfile(file, draft / MODEL)
    for name in graph.beside:
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.parent / name, draft / name)
    (draft / CARD).write_text(text)


def _into_place(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError as err:
        raise ConfigError(
            f'{folder} cannot be made: {err.strerror}; choose another --name or --folder'
        ) from err
