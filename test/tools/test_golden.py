"""Golden replay: what is decided about the demo stream changes only on purpose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from selector.audit import Flaw
from selector.audit import records
from selector.audit import segments
from selector.build import plan
from selector.config import from_flat
from selector.justification import Justification
from selector.outcome import OutcomeRecord
from selector.table import read_table
from selector.tools.replay import replay

GOLDEN = Path(__file__).resolve().parents[1] / 'golden'


def lines_of(folder: Path) -> list[str]:
    """Return one line a record: what was decided, at which numbers, and what came of it."""
    lines = []
    for found in records(segments(folder)):
        assert not isinstance(found, Flaw)
        body = found.body
        if isinstance(body, Justification):
            tier = body.decision.tiers[0]
            beside = f'observe {body.decision.observe} ' if body.decision.observe else ''
            carried = f'carried {body.carried} stale {body.stale:.9f} '
            lines.append(
                f'{body.offer.sequence} {body.offer.context} {body.decision.chosen} '
                f'{body.decision.reason.value} {beside}{carried if body.carried >= 0 else ""}'
                f'gain {tier.gain:.9f} net {tier.net:.9f} left {body.left[0]:.9f}'
            )
        elif isinstance(body, OutcomeRecord):
            committed = body.committed or 'nothing'
            lines.append(
                f'{body.outcome.sequence} {body.outcome.kind.value} {committed} '
                f'loss {body.tier_loss:.9f}'
            )
    return lines


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('patrol', {}),
        ('patrol_reuse', {'decision.gain_rule': 'learned', 'decision.reuse_max_age_s': 3.0}),
        ('patrol_cold', {'models.correlation': '', 'decision.learning_pairs': 50}),
    ],
)
def test_the_demo_stream_is_decided_as_before(
    tmp_path: Path, name: str, values: dict[str, object]
) -> None:
    """The answers of both models to the demo stream lead to the recorded decisions.

    With the default parameters, with answers that are carried on, and without any fit. After a
    change on purpose: SELECTOR_UPDATE_GOLDEN=1 pytest test/tools/test_golden.py
    """
    replay(read_table(GOLDEN / 'patrol.npz'), plan(from_flat(values)), tmp_path / 'run')
    lines = lines_of(tmp_path / 'run')
    expected = GOLDEN / f'{name}.txt'
    if os.environ.get('SELECTOR_UPDATE_GOLDEN'):
        expected.write_text('\n'.join(lines) + '\n')
    assert expected.read_text().splitlines() == lines
