"""Build: from the configuration to the parts; the only place that knows every part."""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
import os
from pathlib import Path
import sys
from typing import NamedTuple

from selector import __version__
from selector.allowance import Allowance
from selector.allowance import parse
from selector.allowance import resource_of
from selector.audit import digest
from selector.audit import Header
from selector.audit import ModelIdentity
from selector.audit import SCHEMA_VERSION
from selector.backends.onnx_model import OnnxModel
from selector.budget import Resource
from selector.card import Card
from selector.card import checked_file
from selector.card import read_card
from selector.config import Config
from selector.config import flat
from selector.config import public
from selector.controller import Controller
from selector.correlation_file import Correlation
from selector.correlation_file import read_correlation
from selector.cost import Cost
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.draw import key_of
from selector.errors import ConfigError
from selector.errors import MissingError
from selector.evidence import EVIDENCE_NAMES
from selector.evidence import SCENE_NAMES
from selector.fitted_gain import FittedGain
from selector.fitted_gain import NoFit
from selector.fitted_gain import SLOWEST_ASSUMED
from selector.learned_gain import LearnedGain
from selector.purses import split
from selector.settings import Settings
from selector.stakes import NO_STAKES
from selector.stakes import StakesTable
from selector.stakes_file import read_stakes

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
        correlation: the fitted correlation, None where everything is learned online.
        settings: what the controller is made with.
    """

    config: Config
    folder: Path
    cards: Mapping[str, Card]
    correlation: Correlation | None
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
        SelectorError: a card, the correlation, the budget or the table of stakes is bad.
    """
    folder = models_folder(config)
    cards = {
        FAST: read_card(folder / config.models.fast),
        SLOW: read_card(folder / config.models.slow),
    }
    if cards[FAST].labels != cards[SLOW].labels:
        raise ConfigError(
            f'{cards[FAST].name} has {len(cards[FAST].labels)} labels and {cards[SLOW].name} '
            f'{len(cards[SLOW].labels)}, or in another order; a pair shares its labels'
        )
    correlation = _correlation(config, folder, cards)
    budget = checked_budget(config)
    cost = tuple(call_cost(config, resource.name) for resource in budget)
    settings = Settings(
        fast=FAST,
        tiers=(_tier(cards[SLOW], (latencies or {}).get(SLOW), cost),),
        resources=budget,
        value_clip=config.decision.value_clip,
        gap_max_s=config.budget.gap_max_s,
        shadow=config.decision.shadow,
        audit_share=config.budget.audit_share,
        safety_share=config.budget.safety_share,
        reference=SLOW,
        reuse_max_age_s=config.decision.reuse_max_age_s,
        stakes=_stakes(config),
        labels=tuple(cards[FAST].labels),
    )
    made = Plan(config, folder, cards, correlation, settings)
    build_controller(made)  # refuses what does not fit together, before any model is loaded
    return made


def models_folder(config: Config) -> Path:
    """Return the folder that holds the models and the correlation."""
    named = config.models.folder
    return Path(named).expanduser() if named else share() / 'models'


def resources(config: Config) -> tuple[Resource, ...]:
    """Return the budgeted resources that the parameters declare, slow calls first.

    Raises:
        SelectorError: an allowance cannot be read or kept, or the card lacks the energy of a call.
    """
    budget = config.budget
    made = []
    for name, part in budget.parts().items():
        cost = call_cost(config, name)
        made.append(
            resource_of(
                _allowance(config, name, part.allowance),
                burst=part.burst or None,
                price_ceiling=part.price_ceiling or (1.0 / cost if cost > 0.0 else 1.0),
                exchange_rate=part.exchange_rate,
                cost_max=cost,
                base_rate=budget.base_load_w if name == 'energy_j' else 0.0,
                mission_s=budget.mission_s or None,
            )
        )
    return tuple(made)


def checked_budget(config: Config) -> tuple[Resource, ...]:
    """Return the budgeted resources where each part of them covers an invocation.

    Raises:
        SelectorError: see `resources` and `purses.split`.
    """
    found = resources(config)
    split(found, config.budget.audit_share, config.budget.safety_share)
    return found


def call_cost(config: Config, resource: str) -> float:
    """Return what one call of the slow model uses of a resource, in its unit.

    Raises:
        SelectorError: energy is budgeted and the card does not state it.
    """
    if resource == 'slow_calls':
        return 1.0
    if resource != 'energy_j':
        return 0.0  # the model on board costs no money and sends nothing
    card = read_card(models_folder(config) / config.models.slow)
    if card.energy_j.value is None:
        raise ConfigError(
            f'budget.energy.allowance needs energy_j in the card of {card.name}: state it, or '
            f'leave the allowance empty',
            model=card.name,
        )
    return card.energy_j.value


def _allowance(config: Config, resource: str, text: str) -> Allowance:
    if text:
        return parse(text, resource, config.budget.battery_wh or None)
    rate_hz = config.budget.slow_calls.rate_hz
    return Allowance(resource, rate_hz, None, f'{rate_hz:g} calls/s')


def _stakes(config: Config) -> StakesTable:
    path = config.decision.stakes_file
    return read_stakes(Path(path).expanduser()) if path else NO_STAKES


def _correlation(config: Config, folder: Path, cards: Mapping[str, Card]) -> Correlation | None:
    name = config.models.correlation
    if name:
        found = read_correlation(folder / name)
        _check_pair(cards, found, name)
        return found
    if config.decision.gain_rule == 'seed':
        raise ConfigError(
            'decision.gain_rule = seed needs a fitted correlation; name one in '
            'models.correlation, or use the rule `learned`'
        )
    return None


def build_controller(made: Plan) -> Controller:
    """Return the controller of a plan; it needs no model.

    Raises:
        ConfigError: the budget's settings do not fit together.
    """
    decision, fit = made.config.decision, made.correlation
    if fit is None:
        cold = LearnedGain(NoFit(), decision.optimism, decision.learning_pairs)
        return Controller(made.settings, cold)
    fitted = FittedGain(fit.tables, decision.gain_rule, fit.reference)
    if decision.gain_rule == 'learned':
        return Controller(made.settings, LearnedGain(fitted, decision.optimism))
    return Controller(made.settings, fitted)


def audit_key(config: Config, mission_id: str) -> bytes:
    """Return the key that the audits of a mission are drawn with."""
    return key_of(config.audit.key, mission_id)


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
    values = flat(public(made.config))
    fit = made.correlation
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
        correlation_digest=fit.digest if fit else '',
        reference=fit.reference if fit else SLOWEST_ASSUMED,
        evidence_names=(*EVIDENCE_NAMES, *SCENE_NAMES),
        labels=made.settings.labels,
        audit_key_digest=hashlib.sha256(audit_key(made.config, mission_id)).hexdigest(),
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


def _tier(card: Card, measured: Latency | None, cost: Cost) -> TierSpec:
    p50_s, p99_s = card.latency_p50_s.value, card.latency_p99_s.value
    if measured is not None:
        p50_s, p99_s = measured
    if p50_s is None or p99_s is None or p99_s < p50_s:
        raise ConfigError(f'{card.name}: the card must state latency_p50_s <= latency_p99_s')
    return TierSpec(
        name=SLOW,
        kind=TierKind.SLOW,
        model=card.name,
        cost=cost,
        cost_cap=cost,
        latency_p50_s=p50_s,
        latency_p99_s=p99_s,
        energy_j=card.energy_j.value,
        energy_kind=card.energy_j.kind,
    )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
