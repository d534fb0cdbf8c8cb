"""Golden replay: what is decided about the demo stream changes only on purpose."""

from __future__ import annotations

import os
from pathlib import Path

from selector.audit import Flaw
from selector.audit import records
from selector.audit import segments
from selector.build import plan
from selector.config import Config
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
            lines.append(
                f'{body.offer.sequence} {body.offer.context} {body.decision.chosen} '
                f'{body.decision.reason.value} gain {tier.gain:.9f} net {tier.net:.9f} '
                f'left {body.left[0]:.9f}'
            )
        elif isinstance(body, OutcomeRecord):
            lines.append(
                f'{body.outcome.sequence} {body.outcome.kind.value} {body.committed} '
                f'loss {body.tier_loss:.9f}'
            )
    return lines


def test_the_demo_stream_is_decided_as_before(tmp_path: Path) -> None:
    """The answers of both models to the demo stream lead to the recorded decisions.

    After a change on purpose: SELECTOR_UPDATE_GOLDEN=1 pytest test/tools/test_golden.py
    """
    replay(read_table(GOLDEN / 'patrol.npz'), plan(Config()), tmp_path / 'run')
    lines = lines_of(tmp_path / 'run')
    expected = GOLDEN / 'patrol.txt'
    if os.environ.get('SELECTOR_UPDATE_GOLDEN'):
        expected.write_text('\n'.join(lines) + '\n')
    assert expected.read_text().splitlines() == lines
