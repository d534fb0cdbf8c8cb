"""Build: from the configuration to the parts; the only place that knows every part."""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
import os
from pathlib import Path
import sys
from typing import NamedTuple

from selector import __version__
from selector.audit import digest
from selector.audit import Header
from selector.audit import ModelIdentity
from selector.audit import SCHEMA_VERSION
from selector.backends.onnx_model import OnnxModel
from selector.budget import checked
from selector.budget import Resource
from selector.card import Card
from selector.card import checked_file
from selector.card import read_card
from selector.config import Config
from selector.config import flat
from selector.controller import Controller
from selector.correlation_file import Correlation
from selector.correlation_file import read_correlation
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.errors import ConfigError
from selector.errors import MissingError
from selector.evidence import EVIDENCE_NAMES
from selector.gain import FittedGain
from selector.learned_gain import LearnedGain
from selector.settings import Settings

FAST, SLOW = 'fast', 'slow'


class Latency(NamedTuple):
    """Two quantiles of the time from invoking a tier to its answer [s]."""

    p50_s: float
    p99_s: float


class Plan(NamedTuple):
    """Everything declared for a mission, before any model is loaded.

    Attributes:
        config: the parameters.
        folder: the models folder.
        cards: card of each tier's model, by tier.
        correlation: the fitted correlation.
        settings: what the controller is made with.
    """

    config: Config
    folder: Path
    cards: Mapping[str, Card]
    correlation: Correlation
    settings: Settings


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


def plan(config: Config, latencies: Mapping[str, Latency] | None = None) -> Plan:
    """Return the plan of a mission.

    Args:
        config: the parameters.
        latencies: measured latency by tier; the card's figures where a tier is not named.

    Raises:
        SelectorError: a card, the correlation or the budget is bad.
    """
    folder = (
        Path(config.models.folder).expanduser() if config.models.folder else share() / 'models'
    )
    cards = {
        FAST: read_card(folder / config.models.fast),
        SLOW: read_card(folder / config.models.slow),
    }
    if cards[FAST].labels != cards[SLOW].labels:
        raise ConfigError(
            f'{cards[FAST].name} has {len(cards[FAST].labels)} labels and {cards[SLOW].name} '
            f'{len(cards[SLOW].labels)}, or in another order; a pair shares its labels'
        )
    correlation = read_correlation(folder / config.models.correlation)
    _check_pair(cards, correlation, config.models.correlation)
    budget = tuple(checked(r) for r in resources(config))
    spec = _tier(cards[SLOW], (latencies or {}).get(SLOW))
    settings = Settings(
        fast=FAST,
        tiers=(spec,),
        resources=budget,
        value_clip=config.decision.value_clip,
        gap_max_s=config.budget.gap_max_s,
        shadow=config.decision.shadow,
    )
    return Plan(config, folder, cards, correlation, settings)


def resources(config: Config) -> tuple[Resource, ...]:
    """Return the budgeted resources that the parameters declare."""
    calls = config.budget.slow_calls
    return (
        Resource(
            name='slow_calls',
            rate=calls.rate_hz,
            burst=calls.burst,
            price_ceiling=calls.price_ceiling,
            exchange_rate=calls.exchange_rate,
            cost_max=1.0,
        ),
    )


def build_controller(made: Plan) -> Controller:
    """Return the controller of a plan; it needs no model.

    Raises:
        ConfigError: the budget's settings do not fit together.
    """
    rule = made.config.decision.gain_rule
    fitted = FittedGain(made.correlation.tables, rule)
    return Controller(made.settings, LearnedGain(fitted) if rule == 'learned' else fitted)


def build_model(made: Plan, tier: str) -> OnnxModel:
    """Return the model of one tier, its file checked against its card.

    Raises:
        ModelError: the file is missing, altered, unreadable or contradicts its card.
    """
    card = made.cards[tier]
    path = checked_file(card, made.folder / card.name)
    return OnnxModel(card, path, made.config.models.threads)


def header(made: Plan, mission_id: str, clock: str) -> Header:
    """Return the log header of a plan; `clock` is `ros` or `virtual`."""
    values = flat(made.config)
    return Header(
        schema_version=SCHEMA_VERSION,
        mission_id=mission_id,
        segment=0,
        software=__version__,
        clock=clock,
        settings=made.settings,
        config=values,
        config_digest=digest(values),
        models=tuple(ModelIdentity(t, c.name, c.sha256) for t, c in made.cards.items()),
        correlation_digest=made.correlation.digest,
        reference=made.correlation.reference,
        evidence_names=EVIDENCE_NAMES,
        labels=tuple(made.cards[FAST].labels),
    )


def _check_pair(cards: Mapping[str, Card], correlation: Correlation, name: str) -> None:
    if SLOW not in correlation.tables:
        raise ConfigError(f'{name} has no tables for the tier {SLOW!r}')
    for tier, card in cards.items():
        if correlation.models.get(tier) != card.sha256:
            raise ConfigError(
                f'{name} was fitted with another {tier} model than {card.name}; fit again with '
                f'`selector fit`',
                expected=correlation.models.get(tier),
                found=card.sha256,
            )


def _tier(card: Card, measured: Latency | None) -> TierSpec:
    p50_s, p99_s = card.latency_p50_s.value, card.latency_p99_s.value
    if measured is not None:
        p50_s, p99_s = measured
    if p50_s is None or p99_s is None or p99_s < p50_s:
        raise ConfigError(f'{card.name}: the card must state latency_p50_s <= latency_p99_s')
    return TierSpec(
        name=SLOW,
        kind=TierKind.SLOW,
        model=card.name,
        cost=(1.0,),
        cost_cap=(1.0,),
        latency_p50_s=p50_s,
        latency_p99_s=p99_s,
        energy_j=card.energy_j.value,
        energy_kind=card.energy_j.kind,
    )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
