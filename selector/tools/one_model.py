"""One model: a model of the models folder by its name, outside of any pair."""

from __future__ import annotations

from pydantic import ValidationError
from selector.build import build_model
from selector.build import FAST
from selector.build import Latency
from selector.build import Plan
from selector.build import plan
from selector.build import SLOW
from selector.cards.card import Card
from selector.config import Config
from selector.errors import InputError
from selector.prediction import Model

# A plan must state a latency. Here it is still to be measured, and nobody decides by it.
_ANY = Latency(1.0, 1.0)


def card_of(config: Config, name: str) -> Card:
    """Return the card of model `name`.

    Raises:
        SelectorError: there is no such model, or its card is bad.
    """
    return _planned(config, name).cards[FAST]


def own_threads(config: Config, name: str) -> int:
    """Return the threads that model `name` has in a mission."""
    return card_of(config, name).threads or config.models.threads


def load_model(config: Config, name: str, threads: int, size_px: int | None = None) -> Model:
    """Return model `name`, loaded, whatever pair, correlation and budget are configured.

    Args:
        config: where the models are.
        name: which one.
        threads: its threads, whatever its card says.
        size_px: side of its input [px]; None: as its card says.

    Raises:
        SelectorError: see `card_of`; the file is missing, altered or unreadable; or the card
            cannot have such a size.
    """
    made = _planned(config, name, threads)
    card = _changed(made.cards[FAST], threads, size_px)
    return build_model(made._replace(cards=dict.fromkeys(made.cards, card)), FAST)


def _planned(config: Config, name: str, threads: int = 1) -> Plan:
    every = {'fast': name, 'slow': name, 'correlation': '', 'threads': threads}
    models = config.models.model_copy(update=every)
    return plan(Config(models=models), {FAST: _ANY, SLOW: _ANY})


def _changed(card: Card, threads: int, size_px: int | None) -> Card:
    changes: dict[str, object] = {} if card.threads is None else {'threads': threads}
    if size_px is not None:
        if card.input is None:
            raise InputError(f'the card of {card.name} states no input; leave --sizes out')
        tree = {**card.input.model_dump(exclude_unset=True), 'size_px': size_px}
        try:
            changes['input'] = type(card.input).model_validate(tree)
        except ValidationError as err:
            told = '; '.join(error['msg'] for error in err.errors())
            raise InputError(f'{card.name} takes no input of {size_px} px: {told}') from err
    return card.model_copy(update=changes)
