"""Redecision: a log whose chain was recomputed by a forger still shows the forged decision."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
import hashlib
import json
from pathlib import Path
import re
import shutil
from typing import Any
from typing import NamedTuple

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
import msgspec
import numpy as np
import pair
import pytest
from selector.audit import AuditLog
from selector.audit import GENESIS
from selector.audit import Head
from selector.audit import segments
from selector.build import audit_key
from selector.build import build_controller
from selector.build import header
from selector.build import Plan
from selector.decision import Reason
from selector.decision import Tier
from selector.decision import TierKind
from selector.frame import Frame
from selector.perception import Perception
from selector.prediction import Prediction
from selector.redecision import _gain
from selector.redecision import verify
from selector.scene import Look
from selector.settings import Change
from selector.situation import Situation
from selector.table import ProfileTable
from selector.tasks.classification import truth
from selector.tools.replay import replay

FRAMES = 24
PREDICTED = ('gain_width', 'gain', 'disagreement', 'khat')
SEGMENT = 20
Tree = dict[str, Any]

# What a record takes as given: re-decision starts from it, so only the chain can protect it.
GIVEN = {
    'decision': {
        'offer', 'fast_loss', 'stale', 'reuse_gain', 'reach', 'support', 'missing', 'tables',
        'out_of_support', 'reference',
    },
    'outcome': {'outcome', 'fast_loss', 'tier_loss'},
}  # fmt: skip


class Whole(NamedTuple):
    """A run with a whole log."""

    made: Plan
    folder: Path
    bodies: tuple[Tree, ...]
    lines: tuple[bytes, ...]


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A closed run whose budget binds and whose tier is busy and late at times."""
    base = tmp_path_factory.mktemp('redecision')
    values = {
        'audit.segment_records': SEGMENT,
        'budget.slow_calls.burst': 3.0,
        'budget.slow_calls.rate_hz': 2.0,
        'budget.audit_share': 0.0,
    }
    made = pair.made_plan(pair.models_folder(base / 'm'), values)
    replay(pair.table(FRAMES), made, base / 'run')
    lines = tuple(
        line for file in segments(base / 'run') for line in file.read_bytes().splitlines(True)
    )
    return Whole(made, base / 'run', tuple(json.loads(line) for line in lines), lines)


def forged(folder: Path, trees: list[Tree]) -> Path:
    """Write records with every number, link and hash recomputed; return the folder."""
    folder.mkdir(exist_ok=True)
    previous, lines = GENESIS, []
    for n, tree in enumerate(trees):
        body = _encoded(tree['body'])
        sealed = f'{{"n":{n},"kind":"{tree["kind"]}","previous":"{previous}","body":{body}'
        previous = hashlib.sha256(sealed.encode()).hexdigest()
        lines.append(f'{sealed},"hash":"{previous}"}}\n')
    (folder / '000000.jsonl').write_text(''.join(lines))
    return folder


def _encoded(body: Tree) -> str:
    """Return JSON as the log writes it, of small numbers too (1e-5); large ones Python's way."""
    try:
        return msgspec.json.encode(body).decode()
    except OverflowError:
        return json.dumps(body, separators=(',', ':'), ensure_ascii=False)


def resealed(line: bytes) -> bytes:
    """Return a line with a hash that fits its content."""
    sealed = line[:-76]
    return sealed + b',"hash":"' + hashlib.sha256(sealed).hexdigest().encode() + b'"}\n'


def written(folder: Path, lines: list[bytes]) -> Path:
    """Write lines as a log; return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / '000000.jsonl').write_bytes(b''.join(lines))
    return folder


def copied(whole: Whole, tmp_path: Path) -> Path:
    """Return a copy of the whole run folder."""
    return Path(shutil.copytree(whole.folder, tmp_path / 'copy'))


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all leaves of a body."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, value in inner:
        if isinstance(value, dict | list):
            yield from places(value, (*at, name))
        else:
            yield (*at, name)


def changed(tree: Tree, at: tuple[Any, ...], value: Any) -> Tree:
    """Return a record with one leaf of its body replaced."""
    copy: Tree = json.loads(json.dumps(tree))
    node = copy['body']
    for name in at[:-1]:
        node = node[name]
    node[at[-1]] = value
    return copy


def other(value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value + 0.125
    return None if value is not None else 0.5


OTHER_NAME = {'fast': 'slow', 'slow': 'fast', '': 'budget', 'price': '', 'budget': 'price'}


def test_the_run_is_sound_and_varied(whole: Whole) -> None:
    """The log verifies; it has invocations, kept answers, outcomes and bound budgets."""
    verdict = verify(whole.folder)
    assert verdict.sound
    assert verdict.flaw is None
    assert verdict.decisions == FRAMES
    assert verdict.head == Head(len(whole.lines), whole.bodies[-1]['hash'])
    reasons = {b['body']['decision']['reason'] for b in whole.bodies if b['kind'] == 'decision'}
    assert {'GAIN_ABOVE_PRICE', 'GAIN_BELOW_PRICE'} <= reasons
    assert verdict.outcomes > 3


def test_a_forged_copy_without_changes_is_the_same(whole: Whole, tmp_path: Path) -> None:
    """The forger of these tests writes the very bytes of the log: only changes are found."""
    folder = forged(tmp_path / 'log', list(whole.bodies))
    assert (folder / '000000.jsonl').read_bytes() == b''.join(whole.lines)
    assert verify(folder).sound


def test_a_moved_run_verifies(whole: Whole, tmp_path: Path) -> None:
    """A run folder is self-contained: copied elsewhere it is sound, also by its audit folder."""
    copy = copied(whole, tmp_path)
    assert verify(copy).sound
    assert verify(copy / 'audit').sound


def test_every_result_of_every_decision_is_taken_again(whole: Whole, tmp_path: Path) -> None:
    """For every record and every leaf that follows from its inputs: changed, n itself is named.

    The chain is recomputed, so that nothing but the re-decision can find it. Predicted gains count
    as results where they enter the value; their widths and factors do not enter anything.
    """
    tried = 0
    for n, tree in enumerate(whole.bodies):
        if tree['kind'] not in GIVEN:
            continue
        for at in places(tree['body']):
            if at[0] in GIVEN[tree['kind']] or at[-1] in PREDICTED:
                continue
            value = tree['body']
            for name in at:
                value = value[name]
            new = OTHER_NAME.get(value, 'x') if isinstance(value, str) else other(value)
            trees = [*whole.bodies[:n], changed(tree, at, new), *whole.bodies[n + 1 :]]
            verdict = verify(forged(tmp_path / 'log', trees))
            assert not verdict.sound, (n, at)
            assert verdict.flaw is not None
            assert verdict.flaw.record == n, (n, at, verdict.flaw)
            tried += 1
    assert tried > 300


def test_a_changed_gain_is_found_where_it_matters(whole: Whole, tmp_path: Path) -> None:
    """A forged predicted gain no longer gives the recorded value, net and flip."""
    for n, tree in enumerate(whole.bodies):
        if tree['kind'] != 'decision' or tree['body']['decision']['tiers'][0]['gain'] <= 0.0:
            continue
        at = ('decision', 'tiers', 0, 'gain')
        gain = tree['body']['decision']['tiers'][0]['gain']
        trees = [*whole.bodies[:n], changed(tree, at, gain * 1.000001), *whole.bodies[n + 1 :]]
        verdict = verify(forged(tmp_path / 'log', trees))
        assert verdict.flaw is not None
        assert verdict.flaw.record == n
        assert 'the same inputs give another decision' in verdict.flaw.what


@pytest.mark.parametrize(
    ('at', 'value'),
    [
        (('offer', 'stake'), 0.0),
        (('offer', 'remaining_s'), -1.0),
        (('offer', 'busy'), ['slow']),
        (('offer', 'decodable'), False),
        (('offer', 'fault'), 'x'),
        (('offer', 'stake'), -1.0),
        (('offer', 'stake'), 1e308),
    ],
)
def test_an_input_that_mattered_cannot_be_changed(
    whole: Whole, tmp_path: Path, at: tuple[Any, ...], value: Any
) -> None:
    """Inputs of an invocation, forged with the chain: the recorded decision does not follow."""
    n = next(k for k, b in enumerate(whole.bodies) if '"GAIN_ABOVE_PRICE"' in json.dumps(b))
    trees = [*whole.bodies[:n], changed(whole.bodies[n], at, value), *whole.bodies[n + 1 :]]
    verdict = verify(forged(tmp_path / 'log', trees))
    assert verdict.flaw is not None
    assert verdict.flaw.record == n


def test_a_stamp_that_mattered_is_found_later(whole: Whole, tmp_path: Path) -> None:
    """A forged stamp shows where the budget is next weighed."""
    ns = [k for k, b in enumerate(whole.bodies) if b['kind'] == 'decision']
    n = ns[len(ns) // 2]
    stamp = whole.bodies[n]['body']['offer']['stamp_ns']
    tree = changed(whole.bodies[n], ('offer', 'stamp_ns'), stamp - 50_000_000)
    verdict = verify(forged(tmp_path / 'log', [*whole.bodies[:n], tree, *whole.bodies[n + 1 :]]))
    assert verdict.flaw is not None
    assert verdict.flaw.record == n


def test_a_removed_or_doubled_record_is_found_by_redecision(whole: Whole, tmp_path: Path) -> None:
    """For every decision with an outcome and every outcome: removed or doubled, it is not sound.

    The chain is recomputed; a doubled or missing record shows at the latest at the closing record.
    """
    for n, tree in enumerate(whole.bodies):
        if tree['kind'] not in GIVEN:
            continue
        for middle in ([], [tree, tree]):
            trees = [*whole.bodies[:n], *middle, *whole.bodies[n + 1 :]]
            verdict = verify(forged(tmp_path / 'log', trees))
            assert not verdict.sound
            assert verdict.flaw is not None
            assert verdict.flaw.record >= n
            if middle:
                assert n + 1 <= verdict.flaw.record


def test_an_own_hash_is_not_enough(whole: Whole, tmp_path: Path) -> None:
    """For every record but the last: edited with its own hash recomputed, it is found.

    A result is named at n, because the re-decision differs, and so is a later header, because it
    differs from the first; what is merely told (an input, the first header) is named at n + 1,
    which does not follow n any more.
    """
    told = {'header': b'"software":"', 'decision': b'"camera":"', 'outcome': b'"detail":"'}
    for n, (line, tree) in enumerate(zip(whole.lines[:-1], whole.bodies, strict=False)):
        mark = told[tree['kind']]
        edits = [(line.replace(mark, mark + b'x', 1), n + (n == 0 or tree['kind'] != 'header'))]
        if tree['kind'] == 'decision':
            edits.append((line.replace(b'"degraded":false', b'"degraded":true', 1), n))
        for edited, where in edits:
            assert edited != line
            lines = [*whole.lines[:n], resealed(edited), *whole.lines[n + 1 :]]
            verdict = verify(written(tmp_path / 'log', lines))
            assert verdict.flaw is not None
            assert (verdict.flaw.record, verdict.flaw.unclosed) == (where, False)
            follows = f'record {n + 1} does not follow record {n}'
            assert where == n or follows in verdict.flaw.what


def test_an_unclosed_log_is_named_so(whole: Whole, tmp_path: Path) -> None:
    """Without its closing record a log is unclosed, which is not altered, and not sound."""
    verdict = verify(written(tmp_path / 'log', list(whole.lines[:-1])))
    assert verdict.flaw is not None
    assert verdict.flaw.unclosed
    assert not verdict.sound
    assert verdict.head is None
    assert verdict.decisions == FRAMES


@pytest.mark.parametrize('field', ['decisions', 'outcomes'])
@pytest.mark.parametrize('step', [-1, 1])
def test_a_closing_record_that_counts_wrong_is_found(
    whole: Whole, tmp_path: Path, field: str, step: int
) -> None:
    """The closing record's counts are those of the log, whoever sealed it."""
    last = len(whole.bodies) - 1
    tree = changed(whole.bodies[last], (field,), whole.bodies[last]['body'][field] + step)
    verdict = verify(forged(tmp_path / 'log', [*whole.bodies[:last], tree]))
    assert verdict.flaw is not None
    assert verdict.flaw.record == last
    assert 'closes' in verdict.flaw.what


def test_an_edited_closing_record_contradicts_the_summary(whole: Whole, tmp_path: Path) -> None:
    """Lost records struck from the close and resealed: the summary's head differs."""
    copy = copied(whole, tmp_path)
    path = segments(copy)[-1]
    lines = path.read_bytes().splitlines(True)
    lines[-1] = resealed(lines[-1].replace(b'"lost":0', b'"lost":7'))
    path.write_bytes(b''.join(lines))
    verdict = verify(copy)
    assert verdict.flaw is not None
    assert (verdict.flaw.where, verdict.flaw.record) == ('summary.json', len(whole.lines) - 1)


@pytest.mark.parametrize('keep', [1, 5, 12])
def test_a_cut_and_closed_again_log_contradicts_the_summary(
    whole: Whole, tmp_path: Path, keep: int
) -> None:
    """The tail cut off and the rest properly closed: only summary.json shows it, and it does."""
    trees = list(whole.bodies[: keep + 1])
    kinds = [t['kind'] for t in trees]
    close = {'decisions': kinds.count('decision'), 'outcomes': kinds.count('outcome'), 'lost': 0}
    trees.append({'kind': 'close', 'body': close})
    run = tmp_path / 'run'
    (run / 'audit').mkdir(parents=True)
    forged(run / 'audit', trees)
    assert verify(run).sound  # as nothing else is left to tell
    shutil.copy(whole.folder / 'summary.json', run)
    verdict = verify(run)
    assert not verdict.sound
    assert verdict.flaw is not None
    assert (verdict.flaw.where, verdict.flaw.record) == ('summary.json', keep + 1)
    assert verdict.head == Head(keep + 2, json.loads(_last(run))['hash'])


def _last(run: Path) -> bytes:
    return segments(run)[-1].read_bytes().splitlines()[-1]


RULES = """
when_empty: advise_stop
conservative_order: [bird, cat, deer, dog, frog, horse]
stakes:
  - {name: near, classes: [bird, cat], time_to_collision_below_s: 1.0, force_slow: true}
  - {name: careful, zones: [depot], conservative: true, max_indecision_s: 0.4}
  - {name: night, contexts: [dusk], stake: 2.0}
"""
RICH = 400


def _tell(perception: Perception, table: ProfileTable, k: int, ends: np.random.Generator) -> None:
    """Offer frame `k`, end its call somehow, and label some frame before it."""
    fast, slow = (
        Prediction(name, tuple(row.tolist()), int(row.argmax()), 0.0)
        for name, row in (('f', table.fast_scores[k]), ('s', table.slow_scores[k]))
    )
    stamp_ns = int(table.stamp_ns[k])
    block = np.random.default_rng(k // 8).integers(0, 256, (12, 12)).astype(np.float32)
    situation = Situation(
        stamp_ns, stamp_ns + 5_000_000, table.context[k], 1.0,
        track=k // 8, zone='depot' if k % 50 < 20 else '',
        time_to_collision_s=0.5 if k % 30 < 3 else None, look=Look(block, 0.5, 0.5),
    )  # fmt: skip
    decided = perception.begin(Frame(k, stamp_ns, '', '', None, ''), fast, '', situation)
    if decided.invoke and ends.random() < 0.1:
        perception.timed_out(k, stamp_ns, 0.08)
    if (decided.invoke or decided.observe) and ends.random() < 0.1:
        perception.failed(k, stamp_ns, 0.05, 'x')
    elif decided.invoke or decided.observe:
        perception.answered(k, slow, stamp_ns, 0.03)
    if k % 3 == 2:
        perception.labelled(k - 2, truth(int(table.label[k - 2])), stamp_ns)


@pytest.fixture(scope='module')
def rich(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tree, ...]:
    """The records of a run with audits, labels, reuse, rules, learning and a second resource."""
    base = tmp_path_factory.mktemp('rich')
    (base / 'stakes.yaml').write_text(RULES)
    values = {
        'models.correlation': '',
        'decision.learning_pairs': 10,
        'decision.reuse_max_age_s': 2.0,
        'decision.stakes_file': str(base / 'stakes.yaml'),
        'budget.audit_share': 0.2,
        'budget.safety_share': 0.1,
        'budget.slow_calls.allowance': '90 calls/min',
        'budget.energy.allowance': '0.03 W',
        'budget.base_load_w': 0.01,
    }
    made = pair.made_plan(pair.models_folder(base / 'm'), values)
    log = AuditLog(base / 'run', header(made, 'm', 'virtual'), 10_000)
    key = audit_key(made.config, 'm')
    perception = Perception(build_controller(made), log, 0.08, 0.5, key=key)
    table, ends = pair.table(RICH, seed=3), np.random.default_rng(3)
    for k in range(RICH):
        _tell(perception, table, k, ends)
    log.close()
    verdict = verify(base / 'run')
    assert verdict.sound, verdict.flaw
    (file,) = segments(base / 'run')
    return tuple(json.loads(line) for line in file.read_bytes().splitlines())


def _decisions(rich: tuple[Tree, ...]) -> list[tuple[int, Tree]]:
    return [(n, tree['body']) for n, tree in enumerate(rich) if tree['kind'] == 'decision']


def test_a_run_with_everything_in_it_is_sound(rich: tuple[Tree, ...]) -> None:
    """Audits, labels, reuse, learning, overrides, advice and two resources: all taken again."""
    bodies = [body for _, body in _decisions(rich)]
    reasons = {body['decision']['reason'] for body in bodies}
    wanted = {'AUDITED', 'LEARNING', 'REUSED', 'OVERRIDDEN', 'GAIN_ABOVE_PRICE'}
    assert wanted <= reasons
    assert {body['decision']['advice'] for body in bodies} >= {'', 'STOP'}
    assert {body['decision']['purse'] for body in bodies} == {'', 'rule', 'audit', 'safety'}
    assert {body['decision']['rule'] for body in bodies} >= {'', 'near', 'careful'}
    assert any(body['undecided_s'] > 0.0 for body in bodies)
    kinds = {tree['body']['outcome']['kind'] for tree in rich if tree['kind'] == 'outcome'}
    assert kinds == {'ANSWERED', 'TIMED_OUT', 'LATE', 'AUDIT', 'LABEL', 'FAILED'}
    assert all(len(body['left']) == 2 for body in bodies)


@pytest.mark.parametrize('reason', ['AUDITED', 'REUSED', 'LEARNING', 'OVERRIDDEN'])
def test_every_result_of_the_new_reasons_is_taken_again(
    rich: tuple[Tree, ...], tmp_path: Path, reason: str
) -> None:
    """Of the last decision for each reason: whatever follows from its inputs is named when forged.

    What is given there is the offer and the forecast; reserves, carried answer, rules, stake,
    observation and its probability are results.
    """
    n, body = next(d for d in reversed(_decisions(rich)) if d[1]['decision']['reason'] == reason)
    for at in places(body):
        if at[0] in GIVEN['decision'] or at[-1] in PREDICTED:
            continue
        value: Any = body
        for name in at:
            value = value[name]
        new = OTHER_NAME.get(value, 'x') if isinstance(value, str) else other(value)
        verdict = verify(forged(tmp_path / 'log', [*rich[:n], changed(rich[n], at, new)]))
        assert verdict.flaw is not None
        assert verdict.flaw.record == n, at


def test_a_draw_that_mattered_cannot_be_changed(rich: tuple[Tree, ...], tmp_path: Path) -> None:
    """An audited frame whose draw is forged upwards was not to be audited: it is named."""
    n = next(n for n, body in _decisions(rich) if body['decision']['reason'] == 'AUDITED')
    tree = changed(rich[n], ('offer', 'draw'), 0.999)
    verdict = verify(forged(tmp_path / 'log', [*rich[:n], tree, *rich[n + 1 :]]))
    assert verdict.flaw is not None
    assert verdict.flaw.record == n


@pytest.mark.parametrize('kind', ['AUDIT', 'LABEL'])
def test_a_removed_audit_or_a_doubled_label_is_found(
    rich: tuple[Tree, ...], tmp_path: Path, kind: str
) -> None:
    """The chain recomputed: an audit that never ended, a label that came twice are not sound."""
    outcomes = [n for n, tree in enumerate(rich) if tree['kind'] == 'outcome']
    n = next(n for n in outcomes if rich[n]['body']['outcome']['kind'] == kind)
    middle = [] if kind == 'AUDIT' else [rich[n], rich[n]]
    verdict = verify(forged(tmp_path / 'log', [*rich[:n], *middle, *rich[n + 1 :]]))
    assert verdict.flaw is not None
    assert verdict.flaw.record >= n


@given(st.floats(-1.0, 1.0), st.floats(0.0, 1.0))
def test_a_gain_over_the_carried_answer_comes_back_to_the_bit(gain: float, base: float) -> None:
    """The recorded difference and the base give a gain whose difference is the recorded one."""
    tier = Tier('slow', TierKind.SLOW, True, Reason.REUSED, gain - base, 0.0, 0.0, 0.0, 1.0, 1.0,
                0.0, (), (), 0.0)  # fmt: skip
    assert _gain(tier, base).mean - base == gain - base


@pytest.mark.parametrize(
    'text', ['', '{', '[]', 'null', '3', '{}', '{"log": 3}', '{"log": {"records": 1}}']
)
def test_a_summary_that_is_none_is_a_contradiction(
    whole: Whole, tmp_path: Path, text: str
) -> None:
    """A summary that cannot be read or lacks the log's end does not pass for one that agrees."""
    copy = copied(whole, tmp_path)
    (copy / 'summary.json').write_text(text)
    verdict = verify(copy)
    assert verdict.flaw is not None
    assert verdict.flaw.where == 'summary.json'


def _settings(key: str, value: Any) -> Callable[[Tree], None]:
    def change(body: Tree) -> None:
        body['settings'][key] = value

    return change


def _resource(key: str, value: Any) -> Callable[[Tree], None]:
    def change(body: Tree) -> None:
        body['settings']['resources'][0][key] = value

    return change


@pytest.mark.parametrize(
    'change',
    [
        _settings('fast', 'slow'),
        _settings('resources', []),
        _settings('tiers', []),
        _resource('burst', 0.5),
        _resource('rate', -1.0),
        _resource('burst', 4.0),
        _resource('price_ceiling', 0.0),
        _settings('value_clip', 0.1),
        _settings('shadow', True),
        lambda body: body['settings']['tiers'][0].update(cost=[]),
        lambda body: body['settings']['tiers'][0].update(cost=[1.0, 2.0]),
        lambda body: body['settings']['tiers'][0].update(latency_p50_s=5.0, latency_p99_s=6.0),
        lambda body: body.pop('settings'),
        lambda body: body.update(segment=3),
    ],
)
def test_a_forged_header_is_a_finding_not_a_crash(
    whole: Whole, tmp_path: Path, change: Callable[[Tree], None]
) -> None:
    """Settings that do not fit, or give other decisions, are a verdict; nothing is raised."""
    head: Tree = json.loads(json.dumps(whole.bodies[0]))
    change(head['body'])
    verdict = verify(forged(tmp_path / 'log', [head, *whole.bodies[1:]]))
    assert not verdict.sound
    assert verdict.flaw is not None


def test_a_log_of_another_schema_is_named(whole: Whole, tmp_path: Path) -> None:
    """A log of an older or newer version is no forgery: the two numbers are told."""
    head = changed(whole.bodies[0], ('schema_version',), 1)
    verdict = verify(forged(tmp_path / 'log', [head, *whole.bodies[1:]]))
    assert verdict.flaw is not None
    assert 'is of schema 1; this version takes 2' in verdict.flaw.what


@pytest.mark.parametrize('field', ['mission_id', 'software', 'config_digest', 'segment'])
def test_later_headers_repeat_the_first(whole: Whole, tmp_path: Path, field: str) -> None:
    """The header of a later segment says the same as the first one, but for its number."""
    n = [k for k, b in enumerate(whole.bodies) if b['kind'] == 'header'][1]
    value = 7 if field == 'segment' else 'x'
    trees = [*whole.bodies[:n], changed(whole.bodies[n], (field,), value), *whole.bodies[n + 1 :]]
    verdict = verify(forged(tmp_path / 'log', trees))
    assert verdict.flaw is not None
    assert verdict.flaw.record == n


@pytest.mark.parametrize('cost', [[], [1.0, 2.0], [-5.0], None, ['x'], [1e400]])
def test_a_forged_outcome_is_a_finding_not_a_crash(
    whole: Whole, tmp_path: Path, cost: Any
) -> None:
    """Costs of another length, type or size are found at their record, not raised."""
    n = next(k for k, b in enumerate(whole.bodies) if b['kind'] == 'outcome')
    trees = [
        *whole.bodies[:n],
        changed(whole.bodies[n], ('outcome', 'cost'), cost),
        *whole.bodies[n + 1 :],
    ]
    verdict = verify(forged(tmp_path / 'log', trees))
    if cost is None:  # the cap is charged then, which is what it cost
        assert verdict.sound
        return
    assert verdict.flaw is not None
    assert verdict.flaw.record == n


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_no_forged_leaf_crashes_verification(
    whole: Whole, tmp_path: Path, data: st.DataObject
) -> None:
    """Any leaf of any record replaced by any JSON value, consistently sealed: a verdict."""
    n = data.draw(st.integers(0, len(whole.bodies) - 1))
    at = data.draw(st.sampled_from(list(places(whole.bodies[n]['body']))))
    numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    value: Any = data.draw(
        st.none() | st.booleans() | numbers | st.text(st.characters(codec='utf-8')) | st.just([])
    )
    trees = [*whole.bodies[:n], changed(whole.bodies[n], at, value), *whole.bodies[n + 1 :]]
    verdict = verify(forged(tmp_path / 'log', trees))
    assert verdict.sound == (verdict.flaw is None)


def test_a_log_that_begins_without_header_is_a_finding(whole: Whole, tmp_path: Path) -> None:
    """Records cut from the front and renumbered do not pass for a log."""
    verdict = verify(forged(tmp_path / 'log', list(whole.bodies[1:])))
    assert verdict.flaw is not None
    assert verdict.flaw.record == 0
    later = [k for k, b in enumerate(whole.bodies) if b['kind'] == 'header'][1]
    verdict = verify(forged(tmp_path / 'log', list(whole.bodies[later:])))
    assert verdict.flaw is not None
    assert verdict.flaw.record == 0


def test_changes_from_outside_are_taken_again(whole: Whole, tmp_path: Path) -> None:
    """Shadow, a new budget and a clock set back are inputs: with them the log is sound.

    Without the change's record the decisions after it do not follow.
    """
    log = AuditLog(tmp_path / 'run' / 'audit', header(whole.made, 'm', 'virtual'), 1000)
    perception = Perception(build_controller(whole.made), log, 0.08, 0.5)
    table = pair.table(30)
    (resource,) = whole.made.settings.resources
    changes = {
        8: Change(1, 'test', shadow=True),
        14: Change(1, 'test', shadow=False),
        18: Change(1, 'test', resources=(replace(resource, rate=9.0, burst=9.0),)),
        22: Change(1, 'test', rewind_ns=pair.START_NS),
    }  # fmt: skip
    for k in range(30):
        if k in changes:
            perception.adjust(changes[k])
        stamp_ns = int(table.stamp_ns[k])
        scores = tuple(table.fast_scores[k].tolist())
        fast = Prediction('fast', scores, int(np.argmax(scores)), 0.0)
        decided = perception.begin(
            Frame(k, stamp_ns, '', '', None, ''), fast, '', Situation(stamp_ns, stamp_ns, '', 1.0)
        )
        if decided.invoke:
            perception.failed(k, stamp_ns, 0.01, 'x')
    log.close()
    assert verify(tmp_path / 'run').sound
    lines = (tmp_path / 'run' / 'audit' / '000000.jsonl').read_bytes().splitlines()
    bodies = [json.loads(line) for line in lines]
    first = next(k for k, b in enumerate(bodies) if b['kind'] == 'input')
    assert not verify(forged(tmp_path / 'log', [*bodies[:first], *bodies[first + 1 :]])).sound


def test_verification_names_no_path_of_this_machine(whole: Whole) -> None:
    """Findings are told by file name and record, so that they compare across machines."""
    text = json.dumps(verify(whole.folder)._asdict(), default=str)
    assert not re.search(r'/(tmp|work|home)/', text)
