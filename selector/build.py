"""Build: from the configuration to the parts; the only place that knows every part."""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
from pathlib import Path
from typing import NamedTuple

from selector import __version__
from selector.audit import digest
from selector.audit import Header
from selector.audit import ModelIdentity
from selector.audit import SCHEMA_VERSION
from selector.cards.card import Card
from selector.cards.card import read_card
from selector.cards.pairing import check_pair
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
from selector.evidence import EVIDENCE_NAMES
from selector.evidence import SCENE_NAMES
from selector.fitted_gain import FittedGain
from selector.fitted_gain import NoFit
from selector.fitted_gain import SLOWEST_ASSUMED
from selector.installed import models_folder
from selector.learned_gain import LearnedGain
from selector.loading import FromTopic
from selector.loading import load_model
from selector.loading import Means
from selector.mission_budget import call_cost
from selector.mission_budget import checked_budget
from selector.prediction import Model
from selector.settings import Settings
from selector.stakes import NO_STAKES
from selector.stakes import StakesTable
from selector.stakes_file import read_stakes
from selector.task import Task
from selector.tasks.known import task_named

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
        task: what the models' answers are.
    """

    config: Config
    folder: Path
    cards: Mapping[str, Card]
    correlation: Correlation | None
    settings: Settings
    task: Task


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
    check_pair(cards[FAST], cards[SLOW])
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
        start_share=config.budget.start_share,
        reference=SLOW,
        reuse_max_age_s=config.decision.reuse_max_age_s,
        stakes=_stakes(config),
        labels=cards[FAST].answer_labels,
    )
    task = task_named(cards[FAST].task, cards[FAST].task_spec)
    made = Plan(config, folder, cards, correlation, settings, task)
    build_controller(made)  # refuses what does not fit together, before any model is loaded
    return made


def draft(config: Config) -> Plan:
    """Return a plan before anything was measured: what no card states is taken as the deadline.

    Raises:
        SelectorError: see `plan`.
    """
    card = read_card(models_folder(config) / config.models.slow)
    stated = None not in (card.latency_p50_s.value, card.latency_p99_s.value)
    deadline_s = config.decision.deadline_s
    return plan(config, None if stated else {SLOW: Latency(deadline_s, deadline_s)})


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


def needs_scene(made: Plan) -> bool:
    """Return whether any decision of a plan depends on what the image looks like."""
    learned = made.correlation is None or made.config.decision.gain_rule == 'learned'
    return learned or made.settings.reuse_max_age_s > 0.0


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


def learned(controller: Controller) -> list[dict[str, object]]:
    """Return what a controller learned by tier and context, in numbers a person can read."""
    predictor = controller.predictor
    if not isinstance(predictor, LearnedGain):
        return []
    rows: list[dict[str, object]] = []
    for (tier, context), found in sorted(predictor.summaries().items()):
        statistics = found.statistics
        rows.append(
            {
                'tier': tier,
                'context': context,
                'observed': found.observed,
                'disagreement': found.disagreement,
                'labelled_disagreeing': found.labelled,
                'pairs': statistics.pairs,
                'mean_fast': statistics.mean_fast,
                'mean_slow': statistics.mean_slow,
                'rho': statistics.rho,
                'rho_interval': list(statistics.rho_interval()),
                'slope': statistics.slope,
                'intercept': statistics.intercept,
            }
        )
    return rows


def build_model(made: Plan, tier: str, from_topic: FromTopic | None = None) -> Model:
    """Return the model of one tier, its files checked against its card; see `load_model`."""
    if from_topic is None:
        return load_model(made.cards[tier], means(made))
    return load_model(made.cards[tier], means(made), from_topic)


def means(made: Plan) -> Means:
    """Return what loading a plan's models takes."""
    models = made.config.models
    trusted = (name.strip() for name in models.trusted_code.split(','))
    return Means(made.folder, models.threads, tuple(name for name in trusted if name))


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
        models=tuple(_identity(tier, card) for tier, card in made.cards.items()),
        correlation_digest=fit.digest if fit else '',
        reference=fit.reference if fit else SLOWEST_ASSUMED,
        evidence_names=(*EVIDENCE_NAMES, *SCENE_NAMES),
        labels=made.settings.labels,
        audit_key_digest=hashlib.sha256(audit_key(made.config, mission_id)).hexdigest(),
        task=made.task.name,
    )


def _check_pair(cards: Mapping[str, Card], correlation: Correlation, name: str) -> None:
    if SLOW not in correlation.tables:
        raise ConfigError(f'{name} has no tables for the tier {SLOW!r}')
    for tier, card in cards.items():
        if correlation.models.get(tier) != model_digest(card):
            raise ConfigError(
                f'{name} was fitted with another {tier} model than {card.name}; fit again with '
                f'`selector fit`',
                expected=correlation.models.get(tier),
                found=model_digest(card),
            )


def model_digest(card: Card) -> str:
    """Return the digest of a model's file, or of its card where it has none.

    Two sizes of one file have one here; `card_digest`, beside it in the log, tells them apart.
    """
    return card.sha256 or card_digest(card)


def card_digest(card: Card) -> str:
    """Return the SHA-256 of everything a card declares."""
    return digest(card.model_dump(mode='json'))


def _identity(tier: str, card: Card) -> ModelIdentity:
    return ModelIdentity(tier, card.name, model_digest(card), card_digest(card))


def _tier(card: Card, measured: Latency | None, cost: Cost) -> TierSpec:
    p50_s, p99_s = card.latency_p50_s.value, card.latency_p99_s.value
    if measured is not None:
        p50_s, p99_s = measured
    if p50_s is None or p99_s is None or p99_s < p50_s:
        raise ConfigError(
            f'{card.name}: its card must state latency_p50_s <= latency_p99_s; measure them with '
            f'`selector profile-model {card.name}`'
        )
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
