"""Settings: what is fixed for a mission, and what may be changed in it from outside."""

from __future__ import annotations

from dataclasses import dataclass

from selector.budget import Resource
from selector.cost import Cost
from selector.decision import TierSpec
from selector.stakes import NO_STAKES
from selector.stakes import StakesTable


@dataclass(frozen=True, slots=True)
class Settings:
    """What is fixed for a mission; stored in the log's header.

    Attributes:
        fast: name of the tier that answers every frame.
        tiers: the tiers that can be invoked.
        resources: the budgeted resources, reserves included; every cost vector follows their
            order.
        value_clip: V > 0, the largest value a gain may have.
        gap_max_s: the longest gap between frames that still accrues budget [s].
        arrive_min: least P(arrival) at which a tier is feasible, in (0, 1].
        shadow: start by deciding and recording without acting.
        audit_share: part of the budget that is kept for audits, in [0, 1).
        start_share: tokens at the start over the burst, in [0, 1]; the scarcity price starts at 0
            where it is 1.
        safety_share: part of the budget that is kept for declared overrides, in [0, 1).
        fast_cost: of one run of the fast model, per resource; what a frame saves on which it does
            not run. () for nothing.
        fast_p99_s: 99th percentile of its latency [s]; the time kept for it where it has not run.
        reference: tier that audits invoke; '' for the first one by name.
        reuse_max_age_s: longest time an answer is carried on [s]; 0 carries none.
        stakes: the declared table of stakes and overrides.
        labels: class names by class id, for that table.
        remember_frames: frames that are remembered for labels that come late.
    """

    fast: str
    tiers: tuple[TierSpec, ...]
    resources: tuple[Resource, ...]
    value_clip: float = 1.0
    gap_max_s: float = 1.0
    arrive_min: float = 0.5
    shadow: bool = False
    audit_share: float = 0.0
    safety_share: float = 0.0
    start_share: float = 1.0
    fast_cost: Cost = ()
    fast_p99_s: float = 0.0
    reference: str = ''
    reuse_max_age_s: float = 0.0
    stakes: StakesTable = NO_STAKES
    labels: tuple[str, ...] = ()
    remember_frames: int = 4096


@dataclass(frozen=True, slots=True)
class Change:
    """A change from outside the frames, recorded as input: None leaves a thing as it is.

    Attributes:
        stamp_ns: node clock [ns].
        author: who asked for it, e.g. `parameter`, `service enable`, `clock`.
        shadow: decide and record only.
        resources: new budget settings, same names in the same order; what was spent stays spent.
        rewind_ns: the frame clock was set back to this stamp [ns].
    """

    stamp_ns: int
    author: str
    shadow: bool | None = None
    resources: tuple[Resource, ...] | None = None
    rewind_ns: int | None = None
