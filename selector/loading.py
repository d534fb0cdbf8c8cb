"""Loading: from a card to the model it describes, its files checked first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from selector.backends.ensemble_model import EnsembleModel
from selector.backends.onnx_model import OnnxModel
from selector.backends.torch_model import TorchModel
from selector.card import Card
from selector.card import checked_file
from selector.card import read_card
from selector.errors import MissingError
from selector.errors import ModelError
from selector.pairing import check_pair
from selector.prediction import Model
from selector.tasks.known import task_named

FromTopic = Callable[[Card], Model]


def _no_topics(card: Card) -> Model:
    raise MissingError(
        f'{card.name} answers on a ROS topic: only the node can ask it (ros2 launch, or selector '
        'demo); a bag is profiled with a model that has a file'
    )


def load_model(
    card: Card, folder: Path, threads: int, from_topic: FromTopic = _no_topics
) -> Model:
    """Return the model of a card.

    Args:
        card: the card.
        folder: the models folder.
        threads: of each model whose card does not say.
        from_topic: makes a model of runtime `topic`; only the ROS node can.

    Raises:
        ModelError: a file is missing, altered, unreadable or contradicts its card.
        MissingError: a package that the runtime needs is not installed.
    """
    if card.runtime == 'topic':
        return from_topic(card)
    if card.runtime == 'ensemble':
        return _ensemble(card, folder, threads, from_topic)
    if card.runtime == 'onnx':
        path = checked_file(card, folder / card.name)
        return OnnxModel(card, path, threads if card.threads is None else card.threads)
    return TorchModel(card, folder / card.name, threads)


def _ensemble(card: Card, folder: Path, threads: int, from_topic: FromTopic) -> Model:
    assert card.ensemble is not None  # the card is checked
    cards = [read_card(folder / name) for name in card.ensemble.members]
    for member in cards:
        if member.runtime == 'ensemble':
            raise ModelError(f'{card.name}: its member {member.name} is an ensemble itself')
        check_pair(card, member)
    members = [load_model(member, folder, threads, from_topic) for member in cards]
    return EnsembleModel(card, members, task_named(card.task, card.task_spec))
