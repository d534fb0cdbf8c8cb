"""Justification: one true sentence for every reason, with the numbers of the record."""

from collections.abc import Iterator
from dataclasses import fields
from dataclasses import is_dataclass
from dataclasses import replace
import math
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest
from scripted import CALLS
from scripted import controller
from scripted import offer
from scripted import outcome
from scripted import PATIENT
from scripted import ScriptedGain
from scripted import SECOND_NS
from scripted import settings
from scripted import tier
from selector.action import Invoke
from selector.controller import Controller
from selector.decision import Reason
from selector.decision import TierKind
from selector.errors import InputError
from selector.evidence import Evidence
from selector.justification import check_finite
from selector.justification import explain
from selector.justification import Justification
from selector.stakes import OverrideRule
from selector.stakes import StakesTable
from selector.stakes import WhenEmpty

NAMES = ('slow_calls',)
FAULT = 'the fast model raised an error'
TWO = (tier('cloud'), tier('slow'))


def _record(gains: dict[str, float], shots: int = 0, **changes: Any) -> Justification:
    """Return the record of a frame after `shots` frames in which slow was invoked."""
    made = controller({'slow': 0.0} | gains, **changes.pop('settings', {}))
    for k in range(shots):
        assert made.offer(offer(k, 0, stake=1000.0)).action.tier == 'slow'
    return made.offer(offer(shots, 0, **changes)).record


def _after_one(gains: dict[str, float], change: Any = None, **changes: Any) -> Justification:
    """Return the record of frame 1 after frame 0 was answered by slow, if it was invoked."""
    settings_of = changes.pop('settings', {})
    predictor = ScriptedGain(gains)
    made = Controller(settings(**settings_of), predictor)
    if isinstance(made.offer(offer(0)).action, Invoke):
        made.resume(outcome(0))
    for name, value in (change or {}).items():
        setattr(predictor, name, value)
    return made.offer(offer(1, **changes)).record


NEAR = OverrideRule('near', classes=('dog',), force_slow=True)
CAREFUL = OverrideRule('careful', classes=('dog',), conservative=True)
PRIVATE = OverrideRule('private', zones=('clinic',), deny_cloud=True)


def _ruled(rule: OverrideRule, **more: Any) -> dict[str, Any]:
    """Return settings with one declared rule; class 3 is a dog."""
    labels = ('cat', 'car', 'cow', 'dog', 'fox')
    table = StakesTable((rule,), ('fox', 'dog', 'cat'), more.pop('when_empty', WhenEmpty.OVERDRAW))
    return {'stakes': table, 'labels': labels, **more}


def _cases() -> dict[Reason, Justification]:
    slow = {'slow': 0.3}
    rich = {'value_clip': 100.0}
    return {
        Reason.GAIN_ABOVE_PRICE: _record(slow),
        Reason.GAIN_BELOW_PRICE: _record({'slow': 0.01}),
        Reason.FAST_KEPT: _record(slow, settings={'tiers': ()}),
        Reason.BUDGET_EXHAUSTED: _record(slow, 19, settings=rich),
        Reason.DEADLINE_TOO_SHORT: _record(slow, remaining_s=0.01),
        Reason.TIER_BUSY: _record(slow, busy=('slow',)),
        Reason.INPUT_UNDECODABLE: _record(
            slow, evidence=None, fault='the JPEG is cut off', decodable=False
        ),
        Reason.SHADOWED: _record(slow, settings={'shadow': True}),
        Reason.DEGRADED: _record({}, evidence=None, fault=FAULT),
        Reason.AUDITED: _after_one({'slow': 0.01}, settings={'audit_share': 0.5}, draw=0.0),
        Reason.REUSED: _after_one(
            slow, {'gains': {'slow': 0.21}, 'reuse_gain': 0.2}, settings={'reuse_max_age_s': 5.0}
        ),
        Reason.LEARNING: _after_one({'slow': 0.01}, {'gains': slow, 'missing': 463}),
        Reason.OVERRIDDEN: _record({'slow': 0.01}, settings=_ruled(NEAR, safety_share=0.2)),
        Reason.TIER_DENIED: _record(
            {'cloud': 0.3}, zone='clinic',
            settings=_ruled(PRIVATE, tiers=(tier('cloud', kind=TierKind.CLOUD),)),
        ),
    }  # fmt: skip


CASES = _cases()


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _numbers(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _numbers(getattr(value, field.name))


def _shown(text: str, value: float) -> bool:
    """Return whether `text` is `value`, rounded to the decimals or digits shown."""
    if text == f'{value:g}' or text == f'{value:.4g}':
        return True
    decimals = len(text.partition('.')[2])
    return text == f'{value:.{decimals}f}'


def _assert_of_the_record(sentence: str, record: Justification) -> None:
    known = [*_numbers(record), float(record.support + record.missing)]
    for found in record.decision.tiers:
        known += [found.gain - found.gain_width, found.gain + found.gain_width]
    words = re.findall(r'-?\d+(?:\.\d+)?(?:e[-+]\d+)?', sentence)
    assert words, sentence
    for word in words:
        assert any(_shown(word, value) for value in known), (word, sentence)


@pytest.mark.parametrize('reason', CASES)
def test_every_reason_has_one_sentence(reason: Reason) -> None:
    """One line, one full stop, the record's own numbers, and nothing that is no number."""
    record = CASES[reason]
    assert record.decision.reason is reason
    sentence = explain(record, NAMES)
    assert sentence.startswith('Frame ')
    assert sentence.endswith('.')
    assert len(re.findall(r'\.(?:\s|$)', sentence)) == 1
    assert not re.search(r'\b(?:None|nan|inf)\b|\n|  ', sentence)
    _assert_of_the_record(sentence, record)


def test_every_reason_of_a_decision_is_covered() -> None:
    """Only OTHER_TIER_BETTER is missing above: a tier has it, a decision never."""
    assert set(Reason) - set(CASES) == {Reason.OTHER_TIER_BETTER}


@pytest.mark.parametrize(
    ('reason', 'words'),
    [
        (Reason.GAIN_ABOVE_PRICE, 'slow was invoked; predicted gain of slow 0.300'),
        (Reason.GAIN_ABOVE_PRICE, 'worth 0.300 > price 0.05 x 1 slow_calls'),
        (Reason.GAIN_ABOVE_PRICE, 'turned to keep the fast answer at gain(slow) = 0.05'),
        (Reason.GAIN_BELOW_PRICE, 'the fast answer was kept'),
        (Reason.GAIN_BELOW_PRICE, 'worth 0.010 <= price 0.05 x 1 slow_calls'),
        (Reason.GAIN_BELOW_PRICE, 'turned to invoke it at gain(slow) = 0.05 instead of 0.01'),
        (Reason.FAST_KEPT, 'no other tier is declared'),
        (Reason.BUDGET_EXHAUSTED, 'the budget was exhausted'),
        (Reason.BUDGET_EXHAUSTED, 'to invoke it at tokens(slow_calls) = 15.25 instead of 1'),
        (Reason.DEADLINE_TOO_SHORT, 'it could not have answered before the deadline'),
        (Reason.DEADLINE_TOO_SHORT, 'to invoke it at remaining_s = 0.02 instead of 0.01'),
        (Reason.TIER_BUSY, 'slow was still busy with an earlier frame'),
        (Reason.INPUT_UNDECODABLE, 'nothing could be decided, because the JPEG is cut off'),
        (Reason.SHADOWED, 'the fast answer was kept because the node only shadows'),
        (Reason.DEGRADED, f'nothing could be answered, because {FAULT}'),
        (Reason.AUDITED, 'the fast answer was kept; slow looks at it beside that only to be'),
        (Reason.REUSED, 'the answer of frame 0 (slow) was kept; its predicted gain over fast is'),
        (Reason.REUSED, 'is 0.200, at probability 0.200 it is no longer right; predicted gain of'),
        (Reason.REUSED, 'predicted gain of slow over that answer 0.010'),
        (Reason.LEARNING, 'the fast answer was kept; slow would have been invoked and looks at'),
        (Reason.LEARNING, 'only to be learned from; learning: 100/563; predicted gain'),
        (Reason.OVERRIDDEN, 'slow was invoked because rule near forces it; predicted gain'),
        (Reason.TIER_DENIED, 'it would have paid, but a declared rule denies it'),
    ],
)
def test_the_sentence_says_why(reason: Reason, words: str) -> None:
    """Verdict, comparison, obstacle and turning point are told in these words."""
    assert words in explain(CASES[reason], NAMES)


@pytest.mark.parametrize(
    ('record', 'words'),
    [
        (
            _record({}, 4, settings=_ruled(NEAR, safety_share=0.2)),
            'because rule near forces it, which overdraws the safety reserve',
        ),
        (
            _record({'slow': 0.01}, settings=_ruled(NEAR, when_empty=WhenEmpty.ADVISE_STOP)),
            'the fast answer was kept; rule near finds no reserve to pay it and advises to stop',
        ),
        (
            _record({}, settings=_ruled(NEAR, safety_share=0.2), remaining_s=0.001),
            'rule near finds no tier that could answer in time and advises to slow down',
        ),
        (
            _record({'slow': 0.3}, settings=_ruled(NEAR, safety_share=0.2)),
            'slow was invoked; rule near applies as well',
        ),
        (
            _after_one(
                {'slow': 0.3}, {'reuse_gain': 0.2, 'gains': {'slow': 0.2}}, fast_class=4,
                settings=_ruled(replace(CAREFUL, classes=('fox',)), reuse_max_age_s=5.0),
            ),
            'the fast answer was kept because rule careful asks for the more cautious one',
        ),
        (
            _after_one(
                {'slow': 0.3}, {'reuse_gain': 0.2}, evidence=None, fault='torn', decodable=False,
                settings={'reuse_max_age_s': 5.0},
            ),
            'the answer of frame 0 (slow) was kept, because torn',
        ),
    ],
)  # fmt: skip
def test_declared_rules_and_reuse_are_told(record: Justification, words: str) -> None:
    """Overdraft, advice, a rule that agrees, the cautious answer, an answer in place of none."""
    sentence = explain(record, NAMES)
    assert words in sentence
    _assert_of_the_record(sentence, record)


def test_time_and_context_are_told_where_known() -> None:
    """With the first stamp the time is given in seconds since then; a context by its name."""
    record = controller().offer(offer(7, 12 * SECOND_NS, context='dirty lens')).record
    assert explain(record, NAMES, start_ns=2 * SECOND_NS).startswith(
        'Frame 7 at 10.0 s in context dirty lens: '
    )
    assert ' s ' not in explain(record, NAMES).partition(':')[0]


def test_without_a_turning_point_the_sentence_says_so() -> None:
    """A price above any value: no gain would have paid, and no number is made up."""
    record = _record({'slow': 0.4}, settings={'value_clip': 0.04})
    sentence = explain(record, NAMES)
    assert 'no gain a model can have would have paid' in sentence
    assert 'turned' not in sentence


def test_a_barred_tier_that_would_not_pay_makes_no_claim_about_gains() -> None:
    """Where the nearest tier is busy, a larger gain would have changed nothing: none is told."""
    record = _record({'slow': 0.01}, busy=('slow',))
    assert record.decision.reason is Reason.GAIN_BELOW_PRICE
    assert 'no gain' not in explain(record, NAMES)
    assert 'turned' not in explain(record, NAMES)


def test_the_next_best_tier_is_named_where_it_would_have_taken_over() -> None:
    """With a second tier that pays, the decision turns to that tier, not to fast."""
    record = _record({'slow': 0.5, 'cloud': 0.4}, settings={'tiers': TWO})
    sentence = explain(record, NAMES)
    assert 'slow was invoked' in sentence
    assert 'it would have turned to invoke cloud at gain(slow) = 0.4 instead of 0.5' in sentence
    busy = _record({'slow': 0.5, 'cloud': 0.4}, settings={'tiers': TWO}, busy=('cloud',))
    assert 'turned to keep the fast answer' in explain(busy, NAMES)


def test_a_small_price_is_not_rounded_away() -> None:
    """A price per byte of 2e-7 is told as that, so the comparison can be recomputed."""
    per_byte = replace(
        CALLS, name='sent_bytes', burst=1e7, cost_max=1e5, exchange_rate=2e-7, price_ceiling=1e-5
    )
    sends = tier(cost=(50_000.0,), cost_cap=(1e5,))
    record = _record({'slow': 0.3}, settings={'tiers': (sends,), 'resources': (per_byte,)})
    assert 'price 2e-07 x 50000 sent_bytes' in explain(record, ('sent_bytes',))


@PATIENT
@given(
    st.dictionaries(st.sampled_from(['cloud', 'slow']), st.floats(-1.0, 1.0)),
    st.floats(0.0, 1000.0),
    st.floats(-1.0, 1.0),
    st.sampled_from([(), ('slow',), ('cloud', 'slow')]),
    st.sampled_from(['', FAULT]),
    st.integers(0, 19),
    st.booleans(),
)
def test_any_decision_has_a_sentence(
    gains: dict[str, float],
    stake: float,
    remaining_s: float,
    busy: tuple[str, ...],
    fault: str,
    shots: int,
    shadow: bool,
) -> None:
    """Whatever was decided: one sentence, no `None`, and every number is one of the record's."""
    made = controller(gains, tiers=TWO, shadow=shadow, value_clip=10.0)
    for k in range(shots):
        made.offer(offer(k, 0))
    changes = {'evidence': None} if fault else {}
    step = made.offer(
        offer(shots, 0, stake=stake, remaining_s=remaining_s, busy=busy, fault=fault, **changes)
    )
    sentence = explain(step.record, NAMES)
    assert not re.search(r'\b(?:None|nan|inf)\b|\n', sentence)
    _assert_of_the_record(sentence, step.record)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('field', ['stake', 'remaining_s', 'confidence', 'margin', 'entropy'])
def test_an_offer_with_a_number_that_is_none_is_refused(field: str, bad: float) -> None:
    """NaN and infinity in stake, time left or any evidence are refused by frame or field."""
    if field in Evidence._fields:
        made = offer(evidence=Evidence(0.5, 0.5, 0.5)._replace(**{field: bad}))
    else:
        made = offer(**{field: bad})
    with pytest.raises(InputError, match='stake|NaN or infinite'):
        check_finite(made)


def test_a_negative_stake_is_refused_and_zero_is_not() -> None:
    """A stake is how much an error matters; a late frame has a negative time left."""
    with pytest.raises(InputError, match='stake = -0.5'):
        check_finite(offer(stake=-0.5))
    check_finite(offer(stake=0.0, remaining_s=-3.0))
    check_finite(offer(evidence=None))
