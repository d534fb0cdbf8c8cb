"""Replay: the same table and configuration give the same bytes, in the order of virtual time."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

import numpy as np
import pair
import pytest
from selector.audit import Flaw
from selector.audit import Header
from selector.audit import records
from selector.audit import segments
from selector.build import Latency
from selector.build import Plan
from selector.build import plan
from selector.build import SLOW
from selector.config import from_flat
from selector.config_file import load
from selector.errors import ConfigError
from selector.errors import InputError
from selector.errors import LogError
from selector.evidence import UNSEEN
from selector.justification import Justification
from selector.outcome import OutcomeRecord
from selector.redecision import verify
from selector.table import ProfileTable
from selector.table import read_table
import selector.tools.replay
from selector.tools.replay import replay
from selector.tools.replay import Run

MS = 1_000_000


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a fitted correlation."""
    return pair.models_folder(tmp_path_factory.mktemp('replay') / 'models')


def slow_plan(models: Path, p50_s: float, values: Mapping[str, object] | None = None) -> Plan:
    """Return a plan in which slow takes `p50_s`, nothing else binds, and every call pays."""
    free = {
        'models.folder': str(models),
        'budget.slow_calls.burst': 1000.0,
        'budget.slow_calls.exchange_rate': 0.0,
        'budget.audit_share': 0.0,
        **(values or {}),
    }
    return plan(from_flat(free), {SLOW: Latency(p50_s, p50_s)})


def doubtful(count: int) -> ProfileTable:
    """Return a table on whose every frame slow pays."""
    fast = np.full((count, 10), 0.07)
    fast[:, 3] = 0.37
    slow = np.full((count, 10), 0.005)
    slow[:, 4] = 0.955
    return pair.table(count, fast_scores=fast, slow_scores=slow)


def log_bytes(folder: Path) -> list[bytes]:
    """Return the files of a run's log."""
    return [file.read_bytes() for file in segments(folder)]


def events(folder: Path) -> list[tuple[int, str]]:
    """Return (frame, what) of every record in order: a decision's reason or an outcome's kind."""
    out = []
    for found in records(segments(folder)):
        assert not isinstance(found, Flaw)
        if isinstance(found.body, Justification):
            out.append((found.body.offer.sequence, found.body.decision.reason.value))
        elif isinstance(found.body, OutcomeRecord):
            out.append((found.body.outcome.sequence, found.body.outcome.kind.value))
    return out


def checked(done: Run, frames: int) -> Run:
    """Return a run after checking what holds for every run."""
    verdict = verify(done.folder)
    assert verdict.sound
    assert verdict.head == done.head
    assert (done.unanswered, verdict.decisions) == (0, frames)
    return done


def test_the_same_input_gives_the_same_bytes(models: Path, tmp_path: Path) -> None:
    """Two runs of one table and configuration, into other folders: byte-identical logs."""
    table = pair.table(60)
    made = pair.made_plan(models, {'audit.segment_records': 25})
    one, two = (checked(replay(table, made, tmp_path / n), 60) for n in ('a', 'deeper/b'))
    assert log_bytes(one.folder) == log_bytes(two.folder)
    assert one.head == two.head
    for name in ('config.yaml', 'summary.json'):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()


def test_a_table_read_from_disk_gives_the_same_bytes(models: Path, tmp_path: Path) -> None:
    """Writing and reading the table changes nothing."""
    table, made = pair.table(30), pair.made_plan(models)
    path = pair.write_table(tmp_path / 't.npz', table)
    replay(table, made, tmp_path / 'a')
    replay(read_table(path), made, tmp_path / 'b')
    assert log_bytes(tmp_path / 'a') == log_bytes(tmp_path / 'b')


@pytest.mark.parametrize(
    'change',
    [{'decision.stake': 1.01}, {'mission.name': 'x'}, {'budget.slow_calls.rate_hz': 2.001}],
)
def test_another_input_gives_another_head(
    models: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    """The head commits to the configuration."""
    table = pair.table(20)
    one = replay(table, pair.made_plan(models), tmp_path / 'a')
    assert replay(table, pair.made_plan(models, change), tmp_path / 'b').head != one.head


def test_the_config_of_the_run_folder_repeats_the_run(models: Path, tmp_path: Path) -> None:
    """config.yaml is complete: a replay with it gives the same bytes."""
    table = pair.table(30)
    values = {
        'budget.slow_calls.burst': 11.0,
        'budget.energy.allowance': '15 % of battery per hour',
        'budget.battery_wh': 1,
        'mission.name': "it's: #1",
    }
    replay(table, pair.made_plan(models, values), tmp_path / 'a')
    replay(table, plan(load(tmp_path / 'a' / 'config.yaml')), tmp_path / 'b')
    assert log_bytes(tmp_path / 'a') == log_bytes(tmp_path / 'b')


def test_the_summary_counts_what_happened(models: Path, tmp_path: Path) -> None:
    """summary.json has the log's end and the counts."""
    done = checked(replay(pair.table(40), pair.made_plan(models), tmp_path / 'a'), 40)
    told = json.loads((done.folder / 'summary.json').read_text())
    assert told['log'] == {'records': done.head.records, 'head': done.head.hash}
    assert (told['frames'], told['decisions'], told['unanswered']) == (40, 40, 0)
    kinds = [kind for _, kind in events(done.folder)]
    assert told['slow_calls'] == done.invoked.sum() == kinds.count('GAIN_ABOVE_PRICE') > 0
    assert kinds.count('ANSWERED') == told['slow_calls']


def test_answers_are_fasts_or_slows(models: Path, tmp_path: Path) -> None:
    """Where nothing was invoked the answer is fast's; elsewhere it is one of the two."""
    table = pair.table(80)
    done = checked(replay(table, pair.made_plan(models), tmp_path / 'a'), 80)
    fast, slow = table.fast_scores.argmax(1), table.slow_scores.argmax(1)
    assert 0 < done.invoked.sum() < 80
    assert (done.answer[~done.invoked] == fast[~done.invoked]).all()
    assert ((done.answer == fast) | (done.answer == slow)).all()
    assert (done.answer[done.invoked] != fast[done.invoked]).any()


def test_a_quick_slow_answers_before_the_next_frame(models: Path, tmp_path: Path) -> None:
    """Slow in 20 ms, a frame each 100 ms: invoked on every frame, each answered in its turn."""
    done = checked(replay(doubtful(5), slow_plan(models, 0.02), tmp_path / 'a'), 5)
    wanted = [(k, what) for k in range(5) for what in ('GAIN_ABOVE_PRICE', 'ANSWERED')]
    assert events(done.folder) == wanted
    assert (done.answer == 4).all()


def test_a_slow_longer_than_the_period_is_busy(models: Path, tmp_path: Path) -> None:
    """Slow in 250 ms, deadline 1 s: two frames are refused as TIER_BUSY, then it answers."""
    made = slow_plan(models, 0.25, {'decision.deadline_s': 1.0})
    done = checked(replay(doubtful(7), made, tmp_path / 'a'), 7)
    assert events(done.folder) == [
        (0, 'GAIN_ABOVE_PRICE'), (1, 'TIER_BUSY'), (2, 'TIER_BUSY'), (0, 'ANSWERED'),
        (3, 'GAIN_ABOVE_PRICE'), (4, 'TIER_BUSY'), (5, 'TIER_BUSY'), (3, 'ANSWERED'),
        (6, 'GAIN_ABOVE_PRICE'), (6, 'ANSWERED'),
    ]  # fmt: skip
    assert done.answer.tolist() == [4, 3, 3, 4, 3, 3, 4]


def test_a_slow_longer_than_the_deadline_is_never_invoked(models: Path, tmp_path: Path) -> None:
    """Slow in 90 ms, deadline 80 ms: DEADLINE_TOO_SHORT on every frame, all fast."""
    done = checked(replay(doubtful(4), slow_plan(models, 0.09), tmp_path / 'a'), 4)
    assert events(done.folder) == [(k, 'DEADLINE_TOO_SHORT') for k in range(4)]
    assert (done.answer == 3).all()


class Slower(selector.tools.replay._Replay):
    """A replay in which slow takes longer than its card says."""

    slow_s = 0.0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._slow_ns = round(self.slow_s * 1e9)


@pytest.mark.parametrize(
    ('slow_s', 'wanted'),
    [
        (0.09, [(0, 'GAIN_ABOVE_PRICE'), (0, 'TIMED_OUT'), (0, 'LATE'), (1, 'GAIN_ABOVE_PRICE'),
                (1, 'TIMED_OUT'), (1, 'LATE'), (2, 'GAIN_ABOVE_PRICE'), (2, 'TIMED_OUT'),
                (2, 'LATE')]),
        (0.15, [(0, 'GAIN_ABOVE_PRICE'), (0, 'TIMED_OUT'), (1, 'TIER_BUSY'), (0, 'LATE'),
                (2, 'GAIN_ABOVE_PRICE'), (2, 'TIMED_OUT'), (2, 'LATE')]),
        (9.0, [(0, 'GAIN_ABOVE_PRICE'), (0, 'TIMED_OUT'), (1, 'TIER_BUSY'), (2, 'TIER_BUSY'),
               (0, 'LATE')]),
    ],
)  # fmt: skip
def test_a_late_answer_times_out_first(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow_s: float,
    wanted: list[tuple[int, str]],
) -> None:  # fmt: skip
    """Slower than declared: TIMED_OUT at the deadline, then LATE, in the order of time.

    The fast answer is the final one; the tier is busy until the late answer has come.
    """
    monkeypatch.setattr(selector.tools.replay, '_Replay', Slower)
    monkeypatch.setattr(Slower, 'slow_s', slow_s)
    done = checked(replay(doubtful(3), slow_plan(models, 0.02), tmp_path / 'a'), 3)
    assert events(done.folder) == wanted
    assert (done.answer == 3).all()
    stamps = [
        found.body.offer.decide_ns if isinstance(found.body, Justification)
        else found.body.outcome.stamp_ns
        for found in records(segments(done.folder))
        if not isinstance(found, Flaw) and isinstance(found.body, Justification | OutcomeRecord)
    ]  # fmt: skip
    assert stamps == sorted(stamps)


def test_exactly_at_the_deadline_is_in_time(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer at the very nanosecond of the deadline is ANSWERED; one later, it is not."""
    monkeypatch.setattr(selector.tools.replay, '_Replay', Slower)
    made = slow_plan(models, 0.02)
    fast_s = made.cards['fast'].latency_p50_s.value
    assert fast_s is not None
    for late_ns, wanted in ((0, ['ANSWERED']), (1, ['TIMED_OUT', 'LATE'])):
        monkeypatch.setattr(Slower, 'slow_s', 0.08 - fast_s + late_ns * 1e-9)
        done = replay(doubtful(1), made, tmp_path / f'{late_ns}')
        assert [kind for _, kind in events(done.folder)][1:] == wanted


def test_a_frame_that_could_not_be_decoded_is_answered_empty(models: Path, tmp_path: Path) -> None:
    """A fault in the table: INPUT_UNDECODABLE, no answer, nothing invoked, the next goes on."""
    table = doubtful(4)
    fast, slow = table.fast_scores.copy(), table.slow_scores.copy()
    fast[1], slow[1] = np.nan, np.nan
    table = table._replace(fast_scores=fast, slow_scores=slow, fault=('', 'broken', '', ''))
    done = checked(replay(table, slow_plan(models, 0.02), tmp_path / 'a'), 4)
    assert (1, 'INPUT_UNDECODABLE') in events(done.folder)
    assert done.answer.tolist() == [4, -1, 4, 4]
    assert done.invoked.tolist() == [True, False, True, True]


def test_a_failed_fast_asks_slow_and_a_failed_slow_keeps_fast(
    models: Path, tmp_path: Path
) -> None:
    """Rows of NaN stand for failed models: fast failed is answered by slow, and the reverse."""
    table = doubtful(3)
    fast, slow = table.fast_scores.copy(), table.slow_scores.copy()
    fast[0], slow[1], fast[2], slow[2] = np.nan, np.nan, np.nan, np.nan
    table = table._replace(fast_scores=fast, slow_scores=slow)
    done = checked(replay(table, slow_plan(models, 0.02), tmp_path / 'a'), 3)
    assert [k for k in events(done.folder) if k[1] in ('FAILED', 'ANSWERED')] == [
        (0, 'ANSWERED'), (1, 'FAILED'), (2, 'FAILED')
    ]  # fmt: skip
    assert done.answer.tolist() == [4, 3, -1]


def test_a_shadow_invokes_nothing(models: Path, tmp_path: Path) -> None:
    """Shadowing decides and records, answers fast, and spends nothing real."""
    made = slow_plan(models, 0.02, {'decision.shadow': True})
    done = checked(replay(doubtful(4), made, tmp_path / 'a'), 4)
    assert events(done.folder) == [(k, 'SHADOWED') for k in range(4)]
    assert not done.invoked.any()


def test_the_budget_is_kept(models: Path, tmp_path: Path) -> None:
    """Calls in any window never exceed burst + rate x its length."""
    values = {
        'budget.slow_calls.burst': 3.0,
        'budget.slow_calls.rate_hz': 1.5,
        'budget.audit_share': 0.0,
    }
    done = checked(replay(doubtful(120), slow_plan(models, 0.02, values), tmp_path / 'a'), 120)
    total = np.concatenate([[0], np.cumsum(done.invoked)])
    for first in range(120):
        for last in range(first, 120):
            allowed = 3.0 + 1.5 * 0.1 * (last - first)
            assert total[last + 1] - total[first] <= allowed + 1e-6
    assert done.invoked.sum() > 15


def test_segments_roll_over_and_verify(models: Path, tmp_path: Path) -> None:
    """Many small files make one log; their concatenation differs by the headers only."""
    table = pair.table(50)
    small = checked(
        replay(table, pair.made_plan(models, {'audit.segment_records': 10}), tmp_path / 's'), 50
    )
    files = segments(small.folder)
    assert len(files) > 5
    headers = [
        f.body.segment for f in records(files)
        if not isinstance(f, Flaw) and isinstance(f.body, Header)
    ]  # fmt: skip
    assert headers == list(range(len(files)))
    large = checked(replay(table, pair.made_plan(models), tmp_path / 'l'), 50)
    assert events(small.folder) == events(large.folder)


@pytest.mark.parametrize('order', ['same', 'back', 'far'])
def test_odd_stamps_stop_nothing(models: Path, tmp_path: Path, order: str) -> None:
    """Equal, decreasing or far apart stamps: every frame is answered and the log is sound."""
    steps = {'same': np.zeros(10), 'back': -np.arange(10), 'far': np.arange(10) * 10**6}[order]
    stamps = pair.START_NS + steps.astype(np.int64) * pair.PERIOD_NS
    checked(
        replay(doubtful(10)._replace(stamp_ns=stamps), slow_plan(models, 0.02), tmp_path / 'a'), 10
    )  # noqa: E501


def test_another_number_of_classes_is_refused(models: Path, tmp_path: Path) -> None:
    """A table of another pair is refused before a folder is made."""
    scores = np.full((5, 4), 0.25)
    table = pair.table(5)._replace(fast_scores=scores, slow_scores=scores)
    with pytest.raises(InputError, match='4 classes, the models 10'):
        replay(table, pair.made_plan(models), tmp_path / 'a')
    assert not (tmp_path / 'a').exists()


def test_a_budget_that_does_not_fit_leaves_no_folder(models: Path, tmp_path: Path) -> None:
    """A refused configuration leaves no half-made run behind."""
    with pytest.raises(ConfigError):
        replay(pair.table(3), pair.made_plan(models, {'budget.slow_calls.burst': 0.5}),
               tmp_path / 'a')  # fmt: skip
    assert not (tmp_path / 'a').exists()


def test_a_run_is_never_overwritten(models: Path, tmp_path: Path) -> None:
    """A second run into the folder is refused, and the first still verifies."""
    made = pair.made_plan(models)
    replay(pair.table(5), made, tmp_path / 'a')
    with pytest.raises(LogError, match='cannot start a log'):
        replay(pair.table(6), made, tmp_path / 'a')
    assert verify(tmp_path / 'a').decisions == 5


def sure(count: int) -> ProfileTable:
    """Return a table on whose every frame fast is sure and slow says something else."""
    fast, slow = np.full((count, 10), 0.001), np.full((count, 10), 0.005)
    fast[:, 3], slow[:, 4] = 0.991, 0.955
    return pair.table(count, fast_scores=fast, slow_scores=slow)


def offers(done: Run) -> list[Justification]:
    """Return the decisions of a run."""
    found = [f.body for f in records(segments(done.folder)) if not isinstance(f, Flaw)]
    return [body for body in found if isinstance(body, Justification)]


def test_audits_end_after_the_answer(models: Path, tmp_path: Path) -> None:
    """Fast answers every frame at once; slow, of 250 ms, looks at some and is busy meanwhile."""
    values = {
        'budget.audit_share': 0.5,
        'budget.slow_calls.rate_hz': 10.0,
        'budget.slow_calls.exchange_rate': 1.0,
    }
    made = slow_plan(models, 0.25, values)
    done = checked(replay(sure(60), made, tmp_path / 'a'), 60)
    told = events(done.folder)
    audited = [k for k, what in told if what == 'AUDITED']
    assert audited == np.flatnonzero(done.invoked).tolist()
    assert 5 < len(audited) <= 20
    assert all(b - a >= 3 for a, b in zip(audited, audited[1:], strict=False))
    assert [k for k, what in told if what == 'AUDIT'] == audited
    assert told.index((audited[0], 'AUDIT')) == told.index((audited[0], 'AUDITED')) + 3
    assert (done.answer == 3).all()


def test_another_key_audits_other_frames(models: Path, tmp_path: Path) -> None:
    """Which frames are audited follows from the key and nothing else."""
    chosen = []
    for n, key in enumerate(('one', 'one', 'two')):
        made = pair.made_plan(models, {'audit.key': key, 'budget.slow_calls.rate_hz': 20.0})
        done = replay(sure(200), made, tmp_path / f'{n}')
        chosen.append(done.invoked.tolist())
    assert chosen[0] == chosen[1] != chosen[2]


def test_answers_are_carried_on_while_the_scene_stays(models: Path, tmp_path: Path) -> None:
    """With looks, the frames of a track reuse slow's answer; another track starts anew."""
    table = pair.seen(doubtful(40))
    values = {'decision.reuse_max_age_s': 5.0, 'budget.slow_calls.exchange_rate': 0.1}
    done = checked(replay(table, slow_plan(models, 0.02, values), tmp_path / 'a'), 40)
    assert done.invoked[::10].all()
    assert done.reused.sum() > 20
    assert not (done.reused & done.invoked).any()
    assert (done.answer == 4).all()
    summary = json.loads((done.folder / 'summary.json').read_text())
    assert summary['reused'] == done.reused.sum()


def test_without_looks_nothing_is_known_of_the_scene(models: Path, tmp_path: Path) -> None:
    """A table without looks has the scene of the unseen, though answers may be carried."""
    made = slow_plan(models, 0.02, {'decision.reuse_max_age_s': 5.0})
    first, second = offers(replay(doubtful(2), made, tmp_path / 'a'))
    assert first.offer.scene == UNSEEN
    assert second.offer.scene.scene_change == 1.0
    assert second.offer.scene.slow_age_s == pytest.approx(0.1)


@pytest.mark.parametrize('trusted', [False, True])
def test_tracks_are_evidence_only_where_they_are_trusted(
    models: Path, tmp_path: Path, trusted: bool
) -> None:
    """Track ids of a table may be the truth's: an offer has them only where a parameter says."""
    made = pair.made_plan(models, {'decision.trust_tracks': trusted})
    tracks = [
        record.offer.track for record in offers(replay(pair.table(30), made, tmp_path / 'a'))
    ]
    assert tracks == ([k // 10 for k in range(30)] if trusted else [-1] * 30)
