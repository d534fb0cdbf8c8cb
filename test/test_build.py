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
from selector.build import build_controller
from selector.build import build_model
from selector.build import FAST
from selector.build import header
from selector.build import Latency
from selector.build import plan
from selector.build import share
from selector.build import SLOW
from selector.config import flat
from selector.config import from_flat
from selector.correlation_file import write_correlation
from selector.errors import ConfigError
from selector.errors import MissingError
from selector.errors import ModelError
from selector.errors import SelectorError
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


def test_the_header_names_every_input(models: Path) -> None:
    """Configuration, models and correlation stand in the header with their digests."""
    made = pair.made_plan(models)
    head = header(made, 'm', 'virtual')
    assert head.config == flat(made.config)
    assert head.config_digest == digest(flat(made.config))
    assert {m.tier: m.sha256 for m in head.models} == pair.correlation()['models']
    assert head.correlation_digest == made.correlation.digest
    assert (head.segment, head.mission_id, head.clock) == (0, 'm', 'virtual')


def test_share_is_the_checkout_or_an_error_with_the_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The checkout is found; where there is none, the error names where it looked, exit 3."""
    assert share() == pair.MODELS.parent
    monkeypatch.setattr('selector.build.__file__', str(tmp_path / 'site' / 'selector' / 'b.py'))
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path / 'prefix'))
    monkeypatch.setattr('sys.prefix', str(tmp_path / 'venv'))
    with pytest.raises(MissingError, match=str(tmp_path / 'prefix')) as caught:
        share()
    assert caught.value.exit_code == 3
    for name in ('models', 'config'):
        (tmp_path / 'prefix' / 'share' / 'model_selector' / name).mkdir(parents=True)
    assert share() == tmp_path / 'prefix' / 'share' / 'model_selector'


def test_an_empty_models_folder_is_a_sentence(tmp_path: Path) -> None:
    """A models folder with nothing in it says which model is not there."""
    with pytest.raises(SelectorError, match='models found: none'):
        pair.made_plan(tmp_path)
