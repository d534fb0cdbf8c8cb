"""Contenders: the policies that are compared, all inside the same controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from selector.audit import digest
from selector.budget import Resource
from selector.decision import TierKind
from selector.decision import TierSpec
from selector.fitted_gain import FittedGain
from selector.fitted_gain import NoFit
from selector.gain import GainPredictor
from selector.learned_gain import FORGETTING
from selector.learned_gain import KHAT_CONSTANT_PRIOR
from selector.learned_gain import KHAT_PRIOR
from selector.learned_gain import LearnedGain
from selector.learned_gain import OPTIMISM
from selector.learned_gain import PRIOR
from selector.persistence import CAUTION
from selector.policies.confidence_threshold import ConfidenceThreshold
from selector.policies.entropy_threshold import EntropyThreshold
from selector.policies.epsilon_greedy import EpsilonGreedy
from selector.policies.h2t2 import H2t2
from selector.policies.hi_lcb import HiLcb
from selector.policies.linucb import LinUcb
from selector.policies.margin_threshold import MarginThreshold
from selector.policies.offline_fit import fit_ridge
from selector.policies.offline_fit import fit_trees
from selector.policies.online_library import MabwiserLinUcb
from selector.policies.online_library import RiverLogistic
from selector.policies.online_library import VowpalCb
from selector.policies.periodic import Periodic
from selector.policies.random_share import RandomShare
from selector.policies.seed_rule import SeedRule
from selector.policies.token_bucket_mdp import GainBins
from selector.policies.token_bucket_mdp import TokenBucketMdp
from selector.settings import Settings

from benchmarks.bench.simulate import Feedback
from benchmarks.bench.simulate import NONE
from benchmarks.bench.simulate import SEEN
from benchmarks.bench.stream import Stream

PERIOD_S = 0.1
BURST = 60.0
CEILING = 1.0
AUDIT_SHARE = 0.02
START_SHARE = 0.8
REUSE_S = 3.0
REACH_CEILING = 10.0
"""Ceiling and clip on tracks, where an answer serves several frames and is worth their sum."""

Make = Callable[[float], GainPredictor]


@dataclass(frozen=True)
class Contender:
    """One policy with the knob that sets what it spends.

    Attributes:
        name: as it stands in tables and charts.
        make: from a knob to a fresh predictor.
        knobs: least and largest knob, searched on the tuning half for the spend wanted; equal
            where it is given, and None where the budget itself is the knob.
        feedback: what it is told.
        priced: it uses the controller's price; else the budget is a token bucket to it.
        audit_share: part of the budget for audits.
        reuse: answers are carried on.
        exchange_rate: beta, accuracy per call.
        library: it needs an optional package and runs with fewer seeds.
        fitted: it starts from the offline fit.
    """

    name: str
    make: Make
    knobs: tuple[float, float] | None = None
    feedback: Feedback = NONE
    priced: bool = False
    audit_share: float = AUDIT_SHARE
    reuse: bool = False
    exchange_rate: float = 0.0
    library: bool = False
    fitted: bool = False


def budget(spend: float, contender: Contender) -> Settings:
    """Return the settings for a spend in calls a frame."""
    top = REACH_CEILING if contender.reuse else CEILING
    calls = Resource(
        name='slow_calls',
        rate=spend / PERIOD_S,
        burst=BURST,
        price_ceiling=top if contender.priced else 1e-9,
        exchange_rate=contender.exchange_rate,
        cost_max=1.0,
    )
    slow = TierSpec('slow', TierKind.SLOW, 'slow', (1.0,), (1.0,), 0.03, 0.045, None, 'unknown')
    return Settings(
        fast='fast',
        tiers=(slow,),
        resources=(calls,),
        value_clip=top,
        audit_share=contender.audit_share,
        start_share=START_SHARE,
        reuse_max_age_s=REUSE_S if contender.reuse else 0.0,
    )


def ours(
    feedback: Feedback, *, reuse: bool = False, audit_share: float = AUDIT_SHARE
) -> Contender:
    """Return our policy from a cold start: no profile, no fit."""
    name = 'ours' + (' with reuse' if reuse else '') + f', {feedback.name}'
    name += ', full information' if feedback.full else ''
    name += ', context declared' if feedback.declared else ''
    name += '' if audit_share == AUDIT_SHARE else f', audits {100 * audit_share:g} % of the budget'
    return Contender(
        name,
        lambda _knob: LearnedGain(NoFit()),
        feedback=feedback,
        priced=True,
        audit_share=audit_share,
        reuse=reuse,
    )


def config_digest() -> str:
    """Return the SHA-256 of what was set for ours: the budget of each form, and the learner."""
    forms = [budget(1.0, ours(NONE)), budget(1.0, ours(NONE, reuse=True))]
    learner = (FORGETTING, OPTIMISM, PRIOR, KHAT_PRIOR, KHAT_CONSTANT_PRIOR, CAUTION)
    return digest([forms, learner])


def frugal(feedback: Feedback) -> Contender:
    """Return our policy with the default exchange rate and a reserve for a tenth of the frames.

    It is the one that may spend nothing: where slow gains next to nothing, calls must cease.
    """
    made = ours(feedback, audit_share=0.45)
    return replace(made, name=f'ours, beta 0.05, {feedback.name}', exchange_rate=0.05)


def warm(fitted: FittedGain, feedback: Feedback) -> Contender:
    """Return our policy started from an offline fit, and learning on."""
    return Contender(
        f'ours from a fit, {feedback.name}',
        lambda _knob: LearnedGain(fitted),
        feedback=feedback,
        priced=True,
        fitted=True,
    )


def reusing(contender: Contender) -> Contender:
    """Return a contender with the reuse shell: answers are carried on as ours are."""
    return replace(contender, name=f'{contender.name} with reuse', reuse=True)


def unlearned(fitted: FittedGain) -> Contender:
    """Return prices without learning: the fitted tables, and our price."""
    return Contender('prices without learning', lambda _knob: fitted, priced=True, fitted=True)


def baselines(spend: float, tuning: Stream, fitted: FittedGain | None) -> list[Contender]:
    """Return the baselines for a spend; each gets our bucket, audits and reuse shell."""
    rule = spend * (1.0 - AUDIT_SHARE)
    unit, cost = (0.0, 1.0), (0.0, 0.9)
    found = [
        Contender('random', RandomShare, (rule, rule)),
        Contender('periodic', Periodic, (1.0 / rule, 1.0 / rule)),
        Contender('confidence threshold', ConfidenceThreshold, unit),
        Contender('entropy threshold', EntropyThreshold, unit),
        Contender('margin threshold', MarginThreshold, unit),
        Contender('seed rule, learned', SeedRule, cost, SEEN),
        Contender('token-bucket MDP', lambda _knob: _mdp(spend, tuning), (0.0, 0.0)),
        Contender('HI-LCB', HiLcb, cost),
        Contender('H2T2', H2t2, cost),
        Contender('epsilon-greedy', EpsilonGreedy, cost),
        Contender('LinUCB', LinUcb, cost),
    ]
    if fitted is not None:
        errors = fitted.tables('slow', '').fast_error
        found.append(
            Contender(
                'isotonic threshold',
                lambda knob: ConfidenceThreshold(knob, errors),
                unit,
                fitted=True,
            )
        )
        found.append(unlearned(fitted))
    return found


def libraries() -> list[Contender]:
    """Return the policies of online libraries; an optional extra, with fewer seeds."""
    return [
        Contender('river logistic', RiverLogistic, (0.0, 1.0), library=True),
        Contender('MABWiser LinUCB', MabwiserLinUcb, (0.0, 0.9), library=True),
        Contender('Vowpal Wabbit', VowpalCb, (0.0, 0.9), library=True),
    ]


def _mdp(spend: float, tuning: Stream) -> TokenBucketMdp:
    """Return the MDP that knows the tuning half: how confidence is spread, and what it gains."""
    confidence, gain = tuning.evidence[:, 0], tuning.gain
    edges = np.unique(np.quantile(confidence, np.linspace(0.1, 0.9, 9)))
    number = np.searchsorted(edges, confidence, side='right')
    count = np.bincount(number, minlength=len(edges) + 1)
    mean = np.bincount(number, gain, minlength=len(edges) + 1) / np.maximum(1, count)
    bins = GainBins(
        tuple(edges.tolist()), tuple(mean.tolist()), tuple((count / count.sum()).tolist())
    )
    rest = 1.0 - AUDIT_SHARE
    return TokenBucketMdp(spend * rest, BURST * rest, bins)


def routers(stream: Stream) -> dict[str, NDArray[np.float64]]:
    """Return out-of-fold predicted gains (N,) of the offline routers with full information."""
    inputs = np.concatenate(
        [stream.evidence, stream.sharpness[:, None], stream.exposure[:, None]], axis=1
    )
    return {
        'offline router, ridge': fit_ridge(inputs, stream.gain, stream.cluster, 5).out_of_fold,
        'offline router, trees': fit_trees(inputs, stream.gain, stream.cluster, 5).out_of_fold,
    }
