"""Spending plan: when in the mission how much of the rate accrues, from a line of text."""

from __future__ import annotations

import math

from selector.errors import ConfigError

Plan = tuple[tuple[float, float], ...]
"""(from_s, factor) pairs: from that time of the mission on, rates are multiplied by the factor."""


def parse_plan(text: str) -> Plan:
    """Return the plan of a text like `0:1 600:0.5 1200:2`; () for an empty one.

    Each part is a time of the mission [s] and a factor; the first time is 0.

    Raises:
        ConfigError: a part is no `seconds:factor`, a number is out of range, or the times do not
            increase from 0.
    """
    pairs = []
    for part in text.replace(',', ' ').split():
        start, colon, factor = part.partition(':')
        try:
            pair = float(start), float(factor)
        except ValueError:
            pair = math.nan, math.nan
        if not (colon and 0.0 <= pair[0] < math.inf and 0.0 <= pair[1] < math.inf):
            raise ConfigError(
                f'budget.plan: {part!r} is no seconds:factor, both >= 0, as in 600:0.5',
                part=part,
            )
        pairs.append(pair)
    starts = [pair[0] for pair in pairs]
    if pairs and (
        starts[0] != 0.0 or any(b <= a for a, b in zip(starts, starts[1:], strict=False))
    ):
        raise ConfigError(
            f'budget.plan = {text!r}: its times are {starts}; they begin at 0 and increase',
            starts=starts,
        )
    return tuple(pairs)
