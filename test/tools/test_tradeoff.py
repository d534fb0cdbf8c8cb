"""Tradeoff: the table beside a run is arithmetic on the profile, checked by hand."""

from __future__ import annotations

from pathlib import Path
import warnings

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pair
import pytest
from selector.build import Plan
from selector.table import ProfileTable
from selector.tools.profile import Profile
from selector.tools.replay import replay
from selector.tools.tradeoff import advantage
from selector.tools.tradeoff import render
from selector.tools.tradeoff import Row
from selector.tools.tradeoff import rows


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan, for the energy figures."""
    return pair.made_plan(pair.models_folder(tmp_path_factory.mktemp('tradeoff') / 'models'))


def answers(classes: list[int]) -> NDArray[np.float64]:
    """Return scores (N, 10) that name these classes; -1 is a failed model."""
    out = np.full((len(classes), 10), 0.01)
    for k, number in enumerate(classes):
        out[k, number] = 0.91
        if number < 0:
            out[k] = np.nan
    return out


def profile(
    label: list[int], fast: list[int], slow: list[int], times: tuple[float, float] = (0.001, 0.01)
) -> Profile:
    """Return the profile of these answers; each model takes the same time on every frame."""
    count = len(label)
    table: ProfileTable = pair.table(
        count, label=np.array(label), fast_scores=answers(fast), slow_scores=answers(slow)
    )
    return Profile(table, np.full(count, times[0]), np.full(count, times[1]))


def told(seen: Profile, made: Plan, invoked: list[bool], answer: list[int]) -> dict[str, Row]:
    """Return the rows by name."""
    found = rows(seen, made, np.array(invoked), np.array(answer))
    return {row.name: row for row in found}


def test_a_small_case_by_hand(made: Plan) -> None:
    """Four frames: fast right on 2, slow on 3; one call, on a frame that only slow gets right."""
    seen = profile([1, 1, 1, 1], fast=[1, 1, 2, 2], slow=[1, 2, 1, 1])
    found = told(seen, made, [False, False, True, False], [1, 1, 1, 2])
    assert {name: (row.accuracy, row.slow_share) for name, row in found.items()} == {
        'fast only': (0.5, 0.0),
        'slow only': (0.75, 1.0),
        'random, same spend': (0.75 * 0.5 + 0.25 * 0.75, 0.25),
        'ours': (0.75, 0.25),
        'oracle, same spend': (0.75, 0.25),
    }
    times = {name: row.latency_s for name, row in found.items()}
    assert times == pytest.approx(
        {'fast only': 0.001, 'slow only': 0.01, 'random, same spend': 0.0035, 'ours': 0.0035,
         'oracle, same spend': 0.0035}
    )  # fmt: skip
    fast_j, slow_j = (made.cards[t].energy_j.value for t in ('fast', 'slow'))
    assert fast_j is not None
    assert slow_j is not None
    assert found['fast only'].energy_j == pytest.approx(fast_j)
    assert found['slow only'].energy_j == pytest.approx(slow_j)
    assert found['ours'].energy_j == pytest.approx(fast_j + 0.25 * slow_j)


def test_the_oracle_buys_only_what_pays(made: Plan) -> None:
    """With more calls than frames where only slow is right, the oracle keeps fast on the rest."""
    seen = profile([1, 1, 1], fast=[1, 2, 1], slow=[2, 1, 2])
    found = told(seen, made, [True, True, True], [2, 1, 2])
    assert found['oracle, same spend'].accuracy == 1.0
    assert found['ours'].accuracy == pytest.approx(1.0 / 3.0)


def test_unlabelled_frames_do_not_count(made: Plan) -> None:
    """Accuracy is over labelled frames, the share of calls over all."""
    seen = profile([1, -1, -1, 1], fast=[2, 1, 1, 1], slow=[1, 1, 1, 1])
    found = told(seen, made, [False, True, True, False], [2, 1, 1, 1])
    assert found['fast only'].accuracy == 0.5
    assert found['ours'] == found['ours']._replace(accuracy=0.5, slow_share=0.5)
    assert found['oracle, same spend'].accuracy == 0.5


def test_without_labels_accuracy_is_unknown(made: Plan) -> None:
    """No label at all: unknown, not 0 and not NaN, and no warning on the way."""
    seen = profile([-1, -1], fast=[1, 1], slow=[1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = told(seen, made, [False, True], [1, 1])
    assert {row.accuracy for row in found.values()} == {None}
    assert 'unknown' in render(list(found.values()), 'default')


def test_failed_models_are_wrong(made: Plan) -> None:
    """No answer is a wrong answer, also where the label is 0 (the first class)."""
    seen = profile([0, 0], fast=[-1, 0], slow=[-1, -1])
    found = told(seen, made, [False, True], [-1, 0])
    assert (found['fast only'].accuracy, found['slow only'].accuracy) == (0.5, 0.0)
    assert found['ours'].accuracy == 0.5


def test_times_that_are_unknown_are_no_numbers(made: Plan) -> None:
    """Where no frame could be decoded no time is known: no warning, and no NaN in the text."""
    nothing = float('nan')
    seen = profile([1, 1], fast=[-1, -1], slow=[-1, -1], times=(nothing, nothing))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = told(seen, made, [False, False], [-1, -1])
    assert {row.latency_s for row in found.values()} == {None}
    assert 'nan' not in render(list(found.values()), 'default')


def test_the_advantage_by_hand(made: Plan) -> None:
    """Ours minus random at the same spend, with the interval clustered by object.

    Eight frames of four objects; fast is wrong on the last two objects, slow is right everywhere,
    and slow is invoked on those two: ours 1, random 0.75, so +0.25 a frame on average, made of
    +0.5 where fast is wrong and 0 elsewhere.
    """
    seen = profile([1] * 8, fast=[1, 1, 1, 1, 2, 2, 2, 2], slow=[1] * 8)
    tracks = np.repeat(np.arange(4), 2)
    seen = seen._replace(table=seen.table._replace(track=tracks))
    invoked, answer = np.arange(8) >= 4, np.ones(8, np.int64)
    half = 1.96 * (4 * 0.5**2) ** 0.5 / 8
    wanted = (
        'ours - random: +25.0 points of accuracy, 95 % interval '
        f'{100 * (0.25 - half):+.1f} to {100 * (0.25 + half):+.1f} (4 objects)'
    )
    assert advantage(seen, invoked, answer) == wanted
    unknown = seen._replace(table=seen.table._replace(track=np.full(8, -1)))
    assert '(8 objects)' in advantage(unknown, invoked, answer)
    one = seen._replace(table=seen.table._replace(track=np.zeros(8, np.int64)))
    assert advantage(one, invoked, answer).endswith('interval unknown (1 object)')
    bare = seen._replace(table=seen.table._replace(label=np.full(8, -1)))
    assert advantage(bare, invoked, answer) == ''


CASE = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.integers(-1, 3), min_size=n, max_size=n) for _ in range(3)],
        st.lists(st.booleans(), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n),
    )
)


@settings(deadline=None)
@given(CASE)
def test_bounds(
    made: Plan, case: tuple[list[int], list[int], list[int], list[bool], list[bool]]
) -> None:
    """For any answers and any commits: worst <= ours <= oracle, and random lies on its line."""
    label, fast, slow, invoked, took_slow = case
    committed = [
        s if i and t else f for f, s, i, t in zip(fast, slow, invoked, took_slow, strict=True)
    ]
    found = told(profile(label, fast, slow), made, invoked, committed)
    by_name = {name: row.accuracy for name, row in found.items()}
    if None in by_name.values():
        assert set(by_name.values()) == {None}
        assert all(n < 0 for n in label)
        return
    plain: dict[str, float] = {name: value or 0.0 for name, value in by_name.items()}
    oracle, ours = plain['oracle, same spend'], plain['ours']
    share = sum(invoked) / len(invoked)
    assert 0.0 <= ours <= oracle + 1e-12 <= 1.0 + 1e-9
    assert oracle >= plain['fast only'] - 1e-12
    line = (1.0 - share) * plain['fast only'] + share * plain['slow only']
    assert plain['random, same spend'] == pytest.approx(line)
    assert {found[n].slow_share for n in ('ours', 'random, same spend')} == {share}


def test_a_run_is_worth_more_than_chance(made: Plan, tmp_path: Path) -> None:
    """On data like those of the fit: oracle > ours > random at the same spend, and ours > fast."""
    table = pair.table(800, seed=21)
    done = replay(table, made, tmp_path / 'run')
    times = np.full(800, 0.001)
    found = rows(Profile(table, times, times), made, done.invoked, done.answer)
    fast, _, chance, ours, oracle = (row.accuracy or 0.0 for row in found)
    assert 0.05 < found[3].slow_share < 0.95
    assert oracle > ours > chance + 0.01
    assert ours > fast


def test_the_text_has_a_line_a_row(made: Plan) -> None:
    """Every row stands in the text with its numbers and units."""
    seen = profile([1, 1, 1, 1], fast=[1, 1, 2, 2], slow=[1, 2, 1, 1])
    found = told(seen, made, [False, False, True, False], [1, 1, 1, 2])
    text = render(list(found.values()), 'default')
    lines = text.splitlines()
    assert len(lines) == 1 + 5 + 2
    (ours,) = (line for line in lines if line.startswith('ours'))
    assert '0.750' in ours
    assert '25.0%' in ours
    assert '3.50 ms' in ours
    assert 'default' in lines[-1]
