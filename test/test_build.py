"""Build: parts that do not belong together are refused before anything runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
import shutil
from typing import Any

import numpy as np
import pair
import pytest
from selector.audit import digest
from selector.audit import encode
from selector.build import audit_key
from selector.build import build_controller
from selector.build import build_model
from selector.build import FAST
from selector.build import header
from selector.build import Latency
from selector.build import learned
from selector.build import needs_scene
from selector.build import plan
from selector.build import SLOW
from selector.config import flat
from selector.config import from_flat
from selector.config import public
from selector.correlation_file import write_correlation
from selector.errors import ConfigError
from selector.errors import ModelError
from selector.errors import SelectorError
from selector.evidence import Evidence
from selector.evidence import Scene
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.settings import Settings
import yaml


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder of the test's own, with the fast model copied so that it can be altered."""
    folder = pair.models_folder(tmp_path / 'models')
    fast = folder / pair.NAMES[FAST]
    fast.unlink()
    shutil.copytree(pair.MODELS / pair.NAMES[FAST], fast)
    return folder


def change_card(models: Path, **changes: Any) -> None:
    """Change top-level fields of the fast model's card."""
    path = models / pair.NAMES[FAST] / 'card.yaml'
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def test_a_plan_says_what_the_cards_and_parameters_say(models: Path) -> None:
    """Settings come from parameters, latencies from the card, the correlation from its file."""
    made = pair.made_plan(models, {'budget.slow_calls.rate_hz': 3.0, 'decision.shadow': True})
    (tier,), (resource,) = made.settings.tiers, made.settings.resources
    assert (tier.name, tier.model, tier.cost, tier.cost_cap) == (
        SLOW, pair.NAMES[SLOW], (1.0,), (1.0,)
    )  # fmt: skip
    assert tier.latency_p50_s == made.cards[SLOW].latency_p50_s.value
    assert (resource.name, resource.rate, resource.cost_max) == ('slow_calls', 3.0, 1.0)
    assert made.settings.shadow
    assert made.correlation is not None
    assert made.correlation.models[FAST] == made.cards[FAST].sha256


def test_measured_latencies_win_over_the_card(models: Path) -> None:
    """A latency measured on this machine replaces the card's."""
    config = from_flat({'models.folder': str(models)})
    (tier,) = plan(config, {SLOW: Latency(0.2, 0.3)}).settings.tiers
    assert (tier.latency_p50_s, tier.latency_p99_s) == (0.2, 0.3)


def test_both_models_answer(models: Path) -> None:
    """The two built models give the ten probabilities that their cards promise."""
    made = pair.made_plan(models)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for tier in (FAST, SLOW):
        answer = build_model(made, tier).predict(image)
        assert answer.model == pair.NAMES[tier]
        assert len(answer.scores) == len(made.cards[tier].labels)
    build_controller(made)


def test_an_altered_model_is_refused(models: Path) -> None:
    """One byte more in the weights: file, expected and found digest are named."""
    made = pair.made_plan(models)
    path = models / pair.NAMES[FAST] / 'model.onnx'
    path.write_bytes(path.read_bytes() + b'\x00')
    with pytest.raises(ModelError) as caught:
        build_model(made, FAST)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    for part in (str(path), made.cards[FAST].sha256, found):
        assert part in str(caught.value)


def test_a_missing_model_is_refused(models: Path) -> None:
    """Weights or a whole model that are not there are named."""
    made = pair.made_plan(models)
    path = models / pair.NAMES[FAST] / 'model.onnx'
    path.unlink()
    with pytest.raises(ModelError, match=str(path)):
        build_model(made, FAST)
    with pytest.raises(ModelError, match="did you mean 'cifar10_slow'"):
        pair.made_plan(models, {'models.slow': 'cifar_slow'})


@pytest.mark.parametrize('change', ['order', 'fewer', 'other'])
def test_a_pair_shares_its_labels(models: Path, change: str) -> None:
    """Other labels, fewer, or the same in another order are refused with both names."""
    labels = list(pair.made_plan(models).cards[FAST].labels)
    given = {
        'order': labels[::-1],
        'fewer': labels[:-1],
        'other': [*labels[:-1], 'lorry'],
    }[change]
    change_card(models, labels=given)
    with pytest.raises(ConfigError, match='cifar10_fast.*cifar10_slow'):
        pair.made_plan(models)


@pytest.mark.parametrize('tier', [FAST, SLOW])
@pytest.mark.parametrize('given', ['0' * 64, None])
def test_a_correlation_of_another_model_is_refused(
    models: Path, tier: str, given: str | None
) -> None:
    """A correlation fitted with another file, or that does not say with which, is refused."""
    tree = pair.correlation()
    known = {**tree['models'], tier: given}
    named = {k: v for k, v in known.items() if v is not None}
    write_correlation(models / pair.CORRELATION, {**tree, 'models': named})
    with pytest.raises(ConfigError, match=f'{pair.CORRELATION} was fitted with another {tier}'):
        pair.made_plan(models)


def test_a_correlation_for_another_tier_is_refused(models: Path) -> None:
    """Tables are needed for the tier that is invoked."""
    tree = pair.correlation()
    pairs = {'cloud': tree['pairs']['slow']}
    write_correlation(models / pair.CORRELATION, {**tree, 'pairs': pairs})
    with pytest.raises(ConfigError, match="no tables for the tier 'slow'"):
        pair.made_plan(models)


@pytest.mark.parametrize('figure', [None, 1.0])
def test_latencies_must_be_stated_and_ordered(models: Path, figure: float | None) -> None:
    """A card without p50, or with p50 > p99, is refused where it is the slow model's."""
    slow = models / pair.NAMES[SLOW]
    slow.unlink()
    shutil.copytree(pair.MODELS / pair.NAMES[SLOW], slow)
    tree = yaml.safe_load((slow / 'card.yaml').read_text())
    tree['latency_p50_s']['value'] = figure
    (slow / 'card.yaml').write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError, match='latency_p50_s <= latency_p99_s'):
        pair.made_plan(models)


def test_a_budget_that_covers_no_call_is_refused(models: Path) -> None:
    """A burst below one call is refused with the burst that would fit, before any model runs."""
    with pytest.raises(ConfigError, match=r'at least 2\.0'):
        pair.made_plan(models, {'budget.slow_calls.burst': 0.5})


def words(models: Path, **allowances: str | float) -> Settings:
    """Return the settings of a budget in words; `a__b` stands for `budget.a.b`."""
    values = {f'budget.{name.replace("__", ".")}': value for name, value in allowances.items()}
    return pair.made_plan(models, values).settings


def test_a_budget_in_words(models: Path) -> None:
    """120 calls a minute are 2 a second; 0.05 W less the base load are the tier's joules."""
    made = words(
        models, slow_calls__allowance='120 calls/min', slow_calls__burst=0.0,
        energy__allowance='50 mW', base_load_w=0.02,
    )  # fmt: skip
    calls, energy = made.resources
    (tier,) = made.tiers
    assert (calls.name, calls.rate, calls.burst) == ('slow_calls', 2.0, 20.0)
    assert (energy.name, energy.rate) == ('energy_j', pytest.approx(0.03))
    assert tier.energy_j is not None
    assert tier.cost == tier.cost_cap == (1.0, tier.energy_j)
    assert energy.burst == pytest.approx(20.0 * tier.energy_j)
    assert energy.price_ceiling * energy.cost_max == pytest.approx(1.0)
    assert energy.exchange_rate == 0.0


def test_an_allowance_of_the_battery_or_the_mission(models: Path) -> None:
    """A share of the battery needs its capacity, an allowance a mission its length."""
    share = words(models, energy__allowance='36 % of battery per hour', battery_wh=10.0)
    assert share.resources[1].rate == pytest.approx(3.6)
    total = words(models, slow_calls__allowance='1020 calls/mission', mission_s=500.0)
    assert total.resources[0].rate == pytest.approx(2.0)
    for text, missing in (('1 %/h', 'battery_wh'), ('5 J/mission', 'mission_s')):
        with pytest.raises(ConfigError, match=missing):
            words(models, energy__allowance=text)


def test_what_no_tier_uses_needs_a_burst(models: Path) -> None:
    """The slow model on board costs no money and sends nothing: the default burst would be 0."""
    with pytest.raises(ConfigError, match='state a burst > 0'):
        words(models, money__allowance='2 EUR/day')
    made = words(models, money__allowance='2 EUR/day', money__burst=1.0, sent__allowance='1 kB/s',
                 sent__burst=1e6)  # fmt: skip
    assert [r.name for r in made.resources] == ['slow_calls', 'money_eur', 'sent_bytes']
    assert made.tiers[0].cost == (1.0, 0.0, 0.0)


def test_energy_without_a_figure_is_refused(models: Path) -> None:
    """A card that does not state the energy of a call cannot keep a budget of energy."""
    slow = models / pair.NAMES[SLOW]
    slow.unlink()
    shutil.copytree(pair.MODELS / pair.NAMES[SLOW], slow)
    tree = yaml.safe_load((slow / 'card.yaml').read_text())
    tree['energy_j'] = {'value': None, 'kind': 'unknown', 'source': 'no sensor'}
    (slow / 'card.yaml').write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError, match='energy_j in the card of cifar10_slow'):
        words(models, energy__allowance='1 W')


def test_a_reserve_that_covers_no_call_is_refused(models: Path) -> None:
    """Of 5 calls a tenth is no call: refused with what would fit, or no audits at all."""
    with pytest.raises(ConfigError, match='audit reserve'):
        pair.made_plan(models, {'budget.slow_calls.burst': 5.0})
    made = pair.made_plan(models, {'budget.slow_calls.burst': 5.0, 'budget.audit_share': 0.0})
    assert made.settings.audit_share == 0.0


def test_decision_settings_reach_the_controller(models: Path, tmp_path: Path) -> None:
    """Reserves, reuse, labels, reference and the table of stakes stand in the settings."""
    path = tmp_path / 'stakes.yaml'
    path.write_text('stakes: [{name: birds, classes: [bird], stake: 3}]')
    values = {
        'budget.safety_share': 0.2,
        'decision.reuse_max_age_s': 1.5,
        'decision.stakes_file': str(path),
    }
    made = pair.made_plan(models, values).settings
    assert (made.audit_share, made.safety_share, made.reuse_max_age_s) == (0.1, 0.2, 1.5)
    assert (made.reference, made.labels[2]) == (SLOW, 'bird')
    assert [rule.name for rule in made.stakes.rules] == ['birds']
    forcing = 'stakes: [{name: birds, classes: [bird], force_slow: true}]'
    path.write_text(forcing)
    with pytest.raises(ConfigError, match='safety_share'):
        pair.made_plan(models, {'decision.stakes_file': str(path)})
    with pytest.raises(ConfigError, match='cannot read'):
        pair.made_plan(models, {'decision.stakes_file': str(tmp_path / 'none.yaml')})


def test_without_a_correlation_it_starts_cold(models: Path) -> None:
    """No fit: everything is learned, nothing is claimed, and the seed rule is refused."""
    made = pair.made_plan(models, {'models.correlation': '', 'decision.learning_pairs': 7})
    forecast = build_controller(made)._predictor.forecast(View(Evidence(0.6, 0.3, 0.5)), (SLOW,))
    assert (forecast.missing, forecast.reference) == (7, 'SLOWEST_ASSUMED')
    head = header(made, 'm', 'virtual')
    assert (head.correlation_digest, head.reference) == ('', 'SLOWEST_ASSUMED')
    with pytest.raises(ConfigError, match='needs a fitted correlation'):
        pair.made_plan(models, {'models.correlation': '', 'decision.gain_rule': 'seed'})


def test_the_audit_key_stays_out_of_the_log(models: Path) -> None:
    """The header has the digest of the key and not its text, nor has the configuration."""
    made = pair.made_plan(models, {'audit.key': 'a secret'})
    head = header(made, 'm', 'virtual')
    key = audit_key(made.config, 'm')
    assert head.audit_key_digest == hashlib.sha256(key).hexdigest()
    assert b'a secret' not in encode(head)
    assert head.audit_key_digest != header(pair.made_plan(models), 'm', 'virtual').audit_key_digest
    assert flat(public(made.config)) == flat(pair.made_plan(models).config)


def test_the_header_names_every_input(models: Path) -> None:
    """Configuration, models and correlation stand in the header with their digests."""
    made = pair.made_plan(models)
    head = header(made, 'm', 'virtual')
    assert head.config == flat(made.config)
    assert head.config_digest == digest(flat(made.config))
    assert {m.tier: m.sha256 for m in head.models} == pair.correlation()['models']
    assert made.correlation is not None
    assert head.correlation_digest == made.correlation.digest
    assert head.evidence_names == (*Evidence._fields, *Scene._fields)
    assert (head.segment, head.mission_id, head.clock) == (0, 'm', 'virtual')


def test_an_empty_models_folder_is_a_sentence(tmp_path: Path) -> None:
    """A models folder with nothing in it says which model is not there."""
    with pytest.raises(SelectorError, match='models found: none'):
        pair.made_plan(tmp_path)


@pytest.mark.parametrize(
    ('values', 'needed'),
    [
        ({}, False),
        ({'decision.gain_rule': 'seed'}, False),
        ({'decision.gain_rule': 'learned'}, True),
        ({'models.correlation': ''}, True),
        ({'decision.reuse_max_age_s': 1.0}, True),
    ],
)
def test_images_are_looked_at_only_where_it_matters(
    models: Path, values: dict[str, Any], needed: bool
) -> None:
    """Learning and carrying on read the scene; the fitted rules alone do not."""
    assert needs_scene(pair.made_plan(models, values)) == needed


def test_what_was_learned_is_told_in_numbers(models: Path) -> None:
    """After a replay that learns, each tier and context has counts and a disagreement."""
    assert learned(build_controller(pair.made_plan(models))) == []
    made = pair.made_plan(models, {'decision.gain_rule': 'learned', 'models.correlation': ''})
    controller = build_controller(made)
    predictor = controller.predictor
    view = View(Evidence(0.6, 0.3, 0.5))
    for k in range(10):
        predictor.observe(Observation(SLOW, view, float(k < 4), None, 0.5))
        predictor.label(Truth(view, 1.0, SLOW, float(k >= 4), float(k < 4), 0.5))
    (row,) = learned(controller)
    assert (row['tier'], row['observed'], row['disagreement']) == (SLOW, 10, 0.4)
    assert (row['labelled_disagreeing'], row['pairs']) == (4, 10)
    assert (row['mean_fast'], row['mean_slow']) == (1.0, pytest.approx(0.6))
