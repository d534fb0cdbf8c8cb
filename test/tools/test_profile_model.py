"""Profile model: the verb on the shipped models, with and without a meter."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import json
from pathlib import Path
import threading
import time
from typing import Any

from fake_sysfs import write
from fake_sysfs import zones
import pair
import pytest
from selector.cards.card import Card
from selector.config import Config
from selector.config import from_flat
from selector.errors import InputError
from selector.errors import ModelError
from selector.tools.model_profile import Asked
from selector.tools.profile_model import profile_model_report
from test_one_model import any_size
from test_one_model import copied
import yaml

FAST, SLOW = pair.NAMES['fast'], pair.NAMES['slow']
KINDS = {'measured', 'profiled', 'default', 'unknown'}


def asked(root: Path, **values: Any) -> Asked:
    """Return a short measurement below a tree without meters."""
    made = Asked(
        threads=(1,), runs=6, children=1, repeats=3, block_s=0.05, machine='bench',
        date='2026-01-02', root=root,
    )  # fmt: skip
    return made._replace(**values)


def config(**values: Any) -> Config:
    """Return the configuration of the shipped models."""
    return from_flat({'models.folder': str(pair.MODELS), **values})


def figures(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every figure in a tree."""
    if isinstance(node, dict) and {'value', 'unit', 'source', 'age_s', 'kind'} == set(node):
        yield node
        return
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in parts:
        yield from figures(part)


@contextlib.contextmanager
def running_counter(root: Path) -> Iterator[None]:
    """Keep a package's counter running at 20 W while the block lasts."""
    zones(root, {'intel-rapl:0': ('package-0', 1)})
    end = threading.Event()

    def run() -> None:
        begin = time.monotonic()
        counter = 'sys/class/powercap/intel-rapl:0/energy_uj'
        while not end.wait(0.002):
            write(root, {counter: int(2e7 * (time.monotonic() - begin)) + 1})

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.fixture(scope='module')
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Path]]:
    """Measure the shipped pair once, without a meter; yield the JSON and the folder."""
    base = tmp_path_factory.mktemp('profile')
    out = base / 'out'
    assert profile_model_report(config(), (), None, out, asked=asked(base), as_json=True) == 0
    yield json.loads((out / 'profile.json').read_text()), out


def test_every_figure_says_what_it_is(told: tuple[dict[str, Any], Path]) -> None:
    """Value, unit, source, age and kind; one without a value is unknown, and none is 0 J."""
    found = list(figures(told[0]))
    assert len(found) > 20
    for figure in found:
        assert figure['kind'] in KINDS
        assert figure['source']
        assert (figure['value'] is None) == (figure['kind'] == 'unknown')
        assert figure['unit'] != 'J' or figure['value'] != 0.0


def test_latencies_are_measured_and_in_order(told: tuple[dict[str, Any], Path]) -> None:
    """Each model alone and under load: p50 <= p90 <= p99, with machine and date."""
    for model in told[0]['models']:
        conditions = [row['condition'] for row in model['latency']]
        assert conditions[0] == 'alone'
        assert conditions[1].endswith('busy processes')
        for row in model['latency']:
            assert row['calls'] == 6
            assert (row['threads'], row['size_px']) == (1, 32)
            times = [row[q]['value'] for q in ('p50', 'p90', 'p99')]
            assert times == sorted(times)
            assert times[0] > 0.0
            assert row['p50']['kind'] == 'measured'
            assert 'bench, load average' in row['p50']['source']
            assert '2026-01-02' in row['p50']['source']


def test_fast_is_told_while_slow_runs(told: tuple[dict[str, Any], Path]) -> None:
    """Alone and beside, from one run, with the number of slow calls that it met."""
    pair_told = told[0]['fast_beside_slow']
    assert pair_told['slow_calls'] >= 1
    for condition in ('alone', 'while_slow_runs'):
        assert pair_told[condition]['calls'] >= 6
        assert pair_told[condition]['p99']['value'] >= pair_told[condition]['p50']['value'] > 0.0


def test_cold_times_and_memory_stand_apart(told: tuple[dict[str, Any], Path]) -> None:
    """Load, first call and memory are figures of their own."""
    for model in told[0]['models']:
        for name in ('load', 'first', 'rise', 'process'):
            assert model[name]['kind'] == 'measured'
            assert model[name]['value'] > 0.0
        assert model['rise']['value'] < model['process']['value']


def test_without_a_meter_energy_is_unknown(told: tuple[dict[str, Any], Path]) -> None:
    """Never 0 J and never the card's assumption in its place; that is shown beside."""
    tree = told[0]
    assert {meter['usable'] for meter in tree['meters']} == {False}
    assert tree['base_load']['value'] is None
    for model in tree['models']:
        assert model['energy']['per_call']['value'] is None
        assert 'no energy meter' in model['energy']['per_call']['source']
        assert model['card_energy']['kind'] == 'default'


@pytest.mark.parametrize('name', [FAST, SLOW])
def test_the_card_lines_fit_a_card(told: tuple[dict[str, Any], Path], name: str) -> None:
    """Put in place of the same lines they give a valid card; the energy is left alone."""
    lines = yaml.safe_load((told[1] / f'{name}.card.yaml').read_text())
    assert set(lines) == {'latency_p50_s', 'latency_p99_s'}
    tree = yaml.safe_load((pair.MODELS / name / 'card.yaml').read_text())
    card = Card.model_validate({**tree, **lines})
    assert card.latency_p50_s.value is not None
    assert card.latency_p99_s.value is not None
    assert card.latency_p50_s.value <= card.latency_p99_s.value


def test_with_a_meter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A counter that runs evenly: the base load is found, and no call stands out of it."""
    with running_counter(tmp_path):
        code = profile_model_report(
            config(), [FAST], None, None, asked=asked(tmp_path, block_s=0.2), as_json=True
        )
    assert code == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree['fast_beside_slow'] is None
    assert [m['name'] for m in tree['meters'] if m['usable']] == ['powercap']
    (model,) = tree['models']
    energy = model['energy']
    assert energy['calls'] >= 3
    assert energy['base_load']['kind'] == 'measured'
    assert tree['base_load']['value'] > 0.0
    # 20 W with or without calls: whatever is found is small beside the base load of a call.
    assert energy['low_j'] <= energy['high_j']
    found = energy['per_call']
    assert found['value'] is None or found['kind'] in {'measured', 'profiled'}


def test_the_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that was measured, why there is no energy, and lines to paste; no file is written."""
    assert profile_model_report(config(), [SLOW], None, None, asked=asked(tmp_path)) == 0
    shown = capsys.readouterr()
    assert shown.err == ''
    for part in (
        'latency of a warm call', 'first call', 'energy of a call', 'powercap    no ',
        f'# {SLOW}: in place of the same lines', 'latency_p50_s:', 'energy_j stays as it is',
        '9.11 mJ (default)', 'unknown: no energy meter can be used here',
    ):  # fmt: skip
        assert part in shown.out
    assert 'while slow runs' not in shown.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(('load', 'warned'), [(0.4, False), (0.6, True)])
def test_a_machine_that_is_busy_already_is_told(
    load: float,
    warned: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From a quarter of the cores on, the times are said to be not for a card."""
    monkeypatch.setattr('os.getloadavg', lambda: (load, 0.0, 0.0))
    monkeypatch.setattr('selector.tools.model_profile.cores', lambda: 2)
    profile_model_report(config(), [FAST], None, None, asked=asked(tmp_path))
    assert ('other programs were busy' in capsys.readouterr().out) == warned


def test_sizes_of_a_fixed_graph_are_refused(tmp_path: Path) -> None:
    """Which size it has, and what to do."""
    with pytest.raises(
        InputError, match='no input of 64 px, its graph is fixed: leave --sizes out'
    ):
        profile_model_report(
            config(), [FAST], None, None, asked=asked(tmp_path, sizes_px=(64,)), quiet=True
        )


def test_sizes_of_a_free_graph_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row for each size besides the card's."""
    copied(tmp_path / 'models', 'free', any_size())
    made = from_flat({'models.folder': str(tmp_path / 'models'), 'models.fast': 'free'})
    profile_model_report(
        made, ['free'], None, None, asked=asked(tmp_path, sizes_px=(32, 64, 96)), as_json=True
    )
    rows = json.loads(capsys.readouterr().out)['models'][0]['latency']
    assert [row['size_px'] for row in rows if row['condition'] == 'alone'] == [32, 64, 96]


def test_bad_input_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """Ranges are named; an unknown model and an image that is none are told."""
    for change, why in (
        ({'threads': (0,)}, 'threads = 0; it is 1 to 64'),
        ({'sizes_px': (0,)}, 'sizes = 0; it is 1 to 4096'),
        ({'runs': 0}, 'runs = 0'),
        ({'repeats': 1}, 'repeats = 1; it is 2 to 10'),
        ({'block_s': float('nan')}, 'block_s = nan'),
        ({'rate_hz': 0.0}, 'rate_hz = 0'),
    ):
        with pytest.raises(InputError, match=why):
            profile_model_report(config(), (), None, None, asked=asked(tmp_path, **change))
    with pytest.raises(ModelError, match='models found'):
        profile_model_report(config(), ['x'], None, None, asked=asked(tmp_path))
    (tmp_path / 'text.jpg').write_text('no picture')
    with pytest.raises(InputError, match=r'text.jpg: image could not be decoded'):
        profile_model_report(config(), (), tmp_path / 'text.jpg', None, asked=asked(tmp_path))
