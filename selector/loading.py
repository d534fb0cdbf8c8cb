"""Loading: from a card to the model it describes, its files checked first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from selector.backends.ensemble_model import EnsembleModel
from selector.backends.onnx_model import OnnxModel
from selector.backends.torch_model import TorchModel
from selector.cards.card import Card
from selector.cards.card import checked_file
from selector.cards.card import read_card
from selector.cards.pairing import check_pair
from selector.errors import MissingError
from selector.errors import ModelError
from selector.prediction import Model
from selector.tasks.known import task_named

FromTopic = Callable[[Card], Model]


def _no_topics(card: Card) -> Model:
    raise MissingError(
        f'{card.name} answers on a ROS topic: only the node can ask it (ros2 launch, or selector '
        'demo); a bag is profiled with a model that has a file'
    )


class Means(NamedTuple):
    """What loading a model takes beside its card.

    Attributes:
        folder: the models folder.
        threads: of each model whose card does not say.
        trusted: the `module:Class` that a card of runtime torch may name.
    """

    folder: Path
    threads: int
    trusted: tuple[str, ...] = ()


def load_model(card: Card, means: Means, from_topic: FromTopic = _no_topics) -> Model:
    """Return the model of a card.

    Args:
        card: the card.
        means: what it takes beside.
        from_topic: makes a model of runtime `topic`; only the ROS node can.

    Raises:
        ModelError: a file is missing, altered, unreadable or contradicts its card.
        MissingError: a package that the runtime needs is not installed.
    """
    if card.runtime == 'topic':
        return from_topic(card)
    if card.runtime == 'ensemble':
        return _ensemble(card, means, from_topic)
    folder = means.folder / card.name
    if card.runtime == 'onnx':
        threads = means.threads if card.threads is None else card.threads
        return OnnxModel(card, checked_file(card, folder), threads)
    device = 'cpu' if card.torch is None else card.torch.device
    return TorchModel(card, folder, means.threads, device, means.trusted)


def _ensemble(card: Card, means: Means, from_topic: FromTopic) -> Model:
    assert card.ensemble is not None  # the card is checked
    cards = [read_card(means.folder / name) for name in card.ensemble.members]
    for member in cards:
        if member.runtime == 'ensemble':
            raise ModelError(f'{card.name}: its member {member.name} is an ensemble itself')
        check_pair(card, member)
    members = [load_model(member, means, from_topic) for member in cards]
    task = task_named(card.task, card.task_spec)
    return EnsembleModel(card, members, task, card.ensemble.khat)
