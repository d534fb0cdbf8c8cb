"""Settings: what is fixed for a mission, and what may be changed in it from outside."""

from __future__ import annotations

from dataclasses import dataclass

from selector.budget import Resource
from selector.decision import TierSpec


@dataclass(frozen=True, slots=True)
class Settings:
    """What is fixed for a mission; stored in the log's header.

    Attributes:
        fast: name of the tier that answers every frame.
        tiers: the tiers that can be invoked.
        resources: the budgeted resources; every cost vector follows their order.
        value_clip: V > 0, the largest value a gain may have.
        gap_max_s: the longest gap between frames that still accrues budget [s].
        arrive_min: least P(arrival) at which a tier is feasible, in (0, 1].
        shadow: start by deciding and recording without acting.
    """

    fast: str
    tiers: tuple[TierSpec, ...]
    resources: tuple[Resource, ...]
    value_clip: float = 1.0
    gap_max_s: float = 1.0
    arrive_min: float = 0.5
    shadow: bool = False


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
