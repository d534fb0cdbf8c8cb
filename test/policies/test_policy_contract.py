"""Policies: every baseline keeps the contract of GainPredictor, whatever it is shown."""

from __future__ import annotations

from collections.abc import Callable
import copy

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
import pytest
from selector.calibration import Table
from selector.errors import ConfigError
from selector.evidence import Evidence
from selector.evidence import Scene
from selector.gain import Forecast
from selector.gain import GainPredictor
from selector.gain import Observation
from selector.gain import Truth
from selector.gain import View
from selector.persistence import Persistence
from selector.policies.always_fast import AlwaysFast
from selector.policies.always_slow import AlwaysSlow
from selector.policies.confidence_threshold import ConfidenceThreshold
from selector.policies.confidence_threshold import temperature_table
from selector.policies.entropy_threshold import EntropyThreshold
from selector.policies.epsilon_greedy import EpsilonGreedy
from selector.policies.error_threshold import ErrorThreshold
from selector.policies.h2t2 import H2t2
from selector.policies.hi_lcb import HiLcb
from selector.policies.linucb import LinUcb
from selector.policies.margin_threshold import MarginThreshold
from selector.policies.offline_gain import Forest
from selector.policies.offline_gain import RidgeGain
from selector.policies.offline_gain import Tree
from selector.policies.offline_gain import TreeGain
from selector.policies.oracle import OracleGain
from selector.policies.periodic import Periodic
from selector.policies.priced_static import PricedStatic
from selector.policies.random_share import RandomShare
from selector.policies.seed_rule import Line
from selector.policies.seed_rule import SeedRule
from selector.policies.token_bucket_mdp import GainBins
from selector.policies.token_bucket_mdp import TokenBucketMdp

# Not from `scripted`: these policies need no controller. A busy machine fails no property.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=25)
TIERS = ('cloud', 'slow')
TABLE = Table((-2.0, -1.0, 0.5), 1.0, (-1.0, 0.0, 1.5), (0.02, 0.3, 0.9), (0.01, 0.05, 0.02))
FOREST = Forest(
    0.1,
    0.5,
    (Tree((0, -1, -1), (0.6, 0.0, 0.0), (1, -1, -1), (2, -1, -1), (0.0, 0.4, -0.3)),),
)
BINS = GainBins((0.4, 0.8), (0.5, 0.2, -0.05), (0.2, 0.3, 0.5))
WEIGHTS = tuple(0.3 - 0.012 * place for place in range(45))

# One factory a policy, from its knob in [0, 1]; more of the knob means fewer frames.
THRESHOLDS: dict[str, Callable[[float], GainPredictor]] = {
    'confidence': ConfidenceThreshold,
    'temperature': lambda knob: ConfidenceThreshold(knob, temperature_table(2.0)),
    'isotonic': lambda knob: ConfidenceThreshold(knob, TABLE),
    'entropy': EntropyThreshold,
    'margin': MarginThreshold,
    'error': lambda knob: ErrorThreshold(knob, TABLE),
    'seed_learned': SeedRule,
    'seed_given': lambda knob: SeedRule(knob, errors=TABLE, line=Line(0.3, 0.05)),
    'ridge': lambda knob: RidgeGain(WEIGHTS, knob),
    'trees': lambda knob: TreeGain(FOREST, knob),
    'oracle': lambda knob: OracleGain([((7 * k) % 21 - 10) / 10 for k in range(500)], knob),
    'hi_lcb': HiLcb,
    'hi_lcb_lite': lambda knob: HiLcb(knob, monotone=False),
    'linucb': LinUcb,
    'epsilon_greedy': EpsilonGreedy,
    'random': lambda knob: RandomShare(1.0 - knob),
}
OTHERS: dict[str, Callable[[float], GainPredictor]] = {
    'always_fast': lambda _: AlwaysFast(),
    'always_slow': lambda _: AlwaysSlow(),
    'periodic': lambda knob: Periodic(1.0 + 10.0 * knob),
    'token_bucket_mdp': lambda knob: TokenBucketMdp(0.25 if knob < 0.5 else 0.5, 3.0, BINS),
    'h2t2': H2t2,
    'priced_static': lambda knob: PricedStatic(TABLE, knob),
}
POLICIES = {**THRESHOLDS, **OTHERS}
each_policy = pytest.mark.parametrize('make', POLICIES.values(), ids=POLICIES)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
UNIT = st.floats(0.0, 1.0)
EVIDENCE = st.builds(Evidence, UNIT, UNIT, UNIT)
VIEWS = st.builds(
    View,
    st.none() | EVIDENCE,
    st.builds(Scene, UNIT, UNIT, UNIT, st.floats(0.0, 60.0), UNIT),
    st.sampled_from(['', 'night']),
    st.sampled_from(['', 'slow']),
)
WILD = st.builds(
    View,
    st.none() | st.builds(Evidence, FINITE, FINITE, FINITE),
    st.builds(Scene, FINITE, FINITE, FINITE, FINITE, FINITE),
    carried=st.sampled_from(['', 'slow']),
)
PI = st.floats(0.01, 1.0)
OBSERVATIONS = st.builds(
    Observation, st.sampled_from(TIERS), VIEWS, st.none() | UNIT, st.none() | UNIT, PI
)
TRUTHS = st.builds(
    Truth,
    VIEWS,
    st.none() | UNIT,
    st.sampled_from(['', *TIERS]),
    st.none() | UNIT,
    st.none() | UNIT,
    PI,
)
EVENTS = st.lists(st.one_of(VIEWS, OBSERVATIONS, TRUTHS), min_size=1, max_size=20)


def _played(policy: GainPredictor, events: list[object]) -> list[Forecast]:
    """Return the forecasts of `policy` on a list of views, observations and labels."""
    found = []
    for event in events:
        if isinstance(event, View):
            found.append(policy.forecast(event, TIERS))
        elif isinstance(event, Observation):
            policy.observe(event)
        elif isinstance(event, Truth):
            policy.label(event)
    return found


def _invoked(forecasts: list[Forecast]) -> list[bool]:
    return [gain.mean > 0.0 for forecast in forecasts for gain in forecast.gains]


def _in_range(forecast: Forecast) -> bool:
    gains = all(
        -1.0 <= gain.mean <= 1.0
        and 0.0 <= gain.width <= 1.0
        and 0.0 <= gain.disagreement <= 1.0
        and -1.0 <= gain.khat <= 1.0
        for gain in forecast.gains
    )
    losses = 0.0 <= forecast.fast_loss <= 1.0 and 0.0 <= forecast.stale <= 1.0
    return gains and losses and -1.0 <= forecast.reuse_gain <= 1.0


@each_policy
@PATIENT
@given(knob=UNIT, views=st.lists(WILD, min_size=1, max_size=8), events=EVENTS)
def test_forecasts_stay_in_range(
    make: Callable[[float], GainPredictor], knob: float, views: list[View], events: list[object]
) -> None:
    """Any finite evidence, before and after any learning, gives finite numbers in range."""
    policy = make(knob)
    for forecast in _played(policy, [*views, *events, *views]):
        assert _in_range(forecast)
        assert forecast.reach == 1.0


@each_policy
@pytest.mark.parametrize('tiers', [(), ('slow',), ('slow', 'cloud'), ('b', 'a', 'c')])
def test_there_is_one_gain_a_tier(
    make: Callable[[float], GainPredictor], tiers: tuple[str, ...]
) -> None:
    """As many gains as tiers were asked for, none of them for no tier."""
    forecast = make(0.5).forecast(View(Evidence(0.6, 0.3, 0.5)), tiers)
    assert len(forecast.gains) == len(tiers)


@pytest.mark.parametrize(
    'policy',
    [SeedRule(0.0), LinUcb(0.0), EpsilonGreedy(0.0, epsilon=0.0)],
    ids=lambda policy: type(policy).__name__,
)
def test_gains_keep_the_order_of_the_tiers(policy: GainPredictor) -> None:
    """Where tiers differ, a gain goes with its tier's name, not with its place."""
    view = View(Evidence(0.6, 0.3, 0.5))
    for _ in range(30):
        policy.observe(Observation('slow', view, 1.0, None))
        policy.label(Truth(view, 1.0, 'slow', 0.0, 1.0))
        policy.observe(Observation('cloud', view, 0.0, None))
        policy.label(Truth(view, 1.0, 'cloud', 1.0, 0.0))
    cloud, slow = policy.forecast(view, ('cloud', 'slow')).gains
    assert slow.mean > cloud.mean + 0.2
    assert policy.forecast(view, ('slow', 'cloud')).gains == (slow, cloud)


@each_policy
@PATIENT
@given(knob=UNIT, events=EVENTS)
def test_the_same_calls_give_the_same_results(
    make: Callable[[float], GainPredictor], knob: float, events: list[object]
) -> None:
    """Two policies made alike agree bit for bit, exploration included."""
    assert _played(make(knob), events) == _played(make(knob), events)


@each_policy
def test_without_a_fast_answer_it_is_wrong(make: Callable[[float], GainPredictor]) -> None:
    """No evidence: P(fast wrong) is 1, and learning from such frames changes no forecast."""
    blind, seen = View(None), View(Evidence(0.6, 0.3, 0.5))
    policy, untouched = make(0.5), make(0.5)
    policy.observe(Observation('slow', blind, None, None))
    policy.observe(Observation('slow', blind, 0.7, 0.1, 0.5))
    policy.label(Truth(blind, None, 'slow', None, 0.5))
    assert policy.forecast(blind, TIERS).fast_loss == 1.0
    untouched.forecast(blind, TIERS)
    assert policy.forecast(seen, TIERS) == untouched.forecast(seen, TIERS)


@pytest.mark.parametrize('name', sorted(set(POLICIES) - {'always_fast', 'random', 'oracle'}))
def test_without_a_fast_answer_a_slower_one_is_wanted(name: str) -> None:
    """Whoever looks at the frame invokes on the first one that has no fast answer."""
    forecast = POLICIES[name](0.5).forecast(View(None), TIERS)
    assert all(gain.mean > 0.0 for gain in forecast.gains)


@each_policy
def test_missing_parts_teach_nothing(make: Callable[[float], GainPredictor]) -> None:
    """An answer without a disagreement and a label without losses change no forecast."""
    view = View(Evidence(0.6, 0.3, 0.5))
    policy, untouched = make(0.5), make(0.5)
    policy.observe(Observation('slow', view, None, 0.4))
    policy.label(Truth(view, None))
    policy.label(Truth(view, None, 'slow', 0.3))
    policy.label(Truth(view, None, 'slow', 0.3, 0.2))
    assert policy.forecast(view, TIERS) == untouched.forecast(view, TIERS)


@each_policy
@PATIENT
@given(events=EVENTS)
def test_inputs_are_left_alone(
    make: Callable[[float], GainPredictor], events: list[object]
) -> None:
    """Views, observations and labels are what they were, deep down."""
    before = copy.deepcopy(events)
    _played(make(0.5), events)
    assert events == before


@each_policy
@PATIENT
@given(view=VIEWS, answer=EVIDENCE)
def test_the_slower_answer_wins(
    make: Callable[[float], GainPredictor], view: View, answer: Evidence
) -> None:
    """Every baseline commits the slower answer once it is there."""
    assert make(0.5).losses('slow', view, answer) == (1.0, 0.0)


@each_policy
@pytest.mark.parametrize('carried', ['', 'slow'])
def test_the_reuse_shell_is_the_same_for_all(
    make: Callable[[float], GainPredictor], carried: str
) -> None:
    """Every policy learns P(stale) alike, from each new answer, and weighs reuse by it."""
    view = View(Evidence(0.6, 0.3, 0.5), Scene(0.5, 0.5, 0.3, 2.0, 0.0), carried=carried)
    policy, persistence = make(0.5), Persistence()
    for _ in range(3):
        forecast = policy.forecast(view, TIERS)
        assert forecast.stale == (persistence.stale(view) if carried else 1.0)
        expected = forecast.fast_loss - forecast.stale if carried else -1.0
        assert forecast.reuse_gain == expected
        policy.observe(Observation('slow', view, None, 1.0 if carried else None))
        if carried:
            persistence.observe(view, 1.0)


@pytest.mark.parametrize('make', THRESHOLDS.values(), ids=THRESHOLDS)
@PATIENT
@given(knobs=st.tuples(UNIT, UNIT), events=EVENTS)
def test_a_higher_threshold_invokes_no_frame_more(
    make: Callable[[float], GainPredictor], knobs: tuple[float, float], events: list[object]
) -> None:
    """Shown the same, what the stricter one invokes is a subset of what the looser one does."""
    loose, strict = (_invoked(_played(make(knob), events)) for knob in sorted(knobs))
    assert all(wide or not narrow for wide, narrow in zip(loose, strict, strict=True))


@pytest.mark.parametrize('make', THRESHOLDS.values(), ids=THRESHOLDS)
def test_the_knob_matters(make: Callable[[float], GainPredictor]) -> None:
    """From one end of the knob to the other fewer frames are invoked: it is connected."""
    views: list[object] = []
    for k in range(1, 100):
        view = View(Evidence(k / 100, k / 120, 1.0 - k / 100))
        views += [
            view,
            *(Observation(tier, view, float(k < 50), None) for tier in TIERS),
            *(Truth(view, float(k < 50), tier, 0.0, float(k < 50)) for tier in TIERS),
        ]
    shares = [sum(_invoked(_played(make(knob), views))) for knob in (0.0, 0.9)]
    assert shares[0] > shares[1]


@pytest.mark.parametrize(
    'make',
    [
        lambda: ConfidenceThreshold(float('nan')),
        lambda: EntropyThreshold(1.5),
        lambda: MarginThreshold(-1.5),
        lambda: ErrorThreshold(2.0, TABLE),
        lambda: SeedRule(-0.1),
        lambda: SeedRule(0.1, alpha=0.0),
        lambda: RandomShare(1.1),
        lambda: RandomShare(0.5, b''),
        lambda: RandomShare(0.5, bytes(65)),
        lambda: Periodic(0.5),
        lambda: Periodic(float('inf')),
        lambda: TokenBucketMdp(0.0, 3.0, BINS),
        lambda: TokenBucketMdp(0.1, 0.5, BINS),
        lambda: TokenBucketMdp(0.1, 3.0, BINS, discount=1.0),
        lambda: HiLcb(-0.1),
        lambda: HiLcb(0.1, bins=0),
        lambda: HiLcb(0.1, alpha=0.0),
        lambda: H2t2(0.1, exploration=0.0),
        lambda: H2t2(0.1, levels=0),
        lambda: H2t2(0.1, rate=0.0),
        lambda: LinUcb(0.1, alpha=-1.0),
        lambda: EpsilonGreedy(0.1, epsilon=1.5),
        lambda: PricedStatic(TABLE, khat=1.5),
        lambda: OracleGain([0.1], threshold=2.0),
        lambda: temperature_table(0.0),
    ],
)
def test_a_parameter_out_of_range_is_refused(make: Callable[[], object]) -> None:
    """Each number is checked when a policy is made, and the message names what is allowed."""
    with pytest.raises(ConfigError, match='allowed'):
        make()
