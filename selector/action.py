"""Action: what the shell does next with a frame, as the controller says."""

from __future__ import annotations

from typing import NamedTuple

from selector.justification import Justification


class Invoke(NamedTuple):
    """Run this tier's model on the frame and come back with an outcome.

    Attributes:
        tier: whose model; the fast one where a pending frame is left to it.
        observe: tier to run on the frame afterwards, as in `Answer`.
    """

    tier: str
    observe: str = ''


class Answer(NamedTuple):
    """Publish this tier's answer as the frame's final one.

    Attributes:
        tier: whose answer.
        observe: tier to run on the frame afterwards, to learn from; '' for none. Its outcome is of
            kind AUDIT.
    """

    tier: str
    observe: str = ''


class Step(NamedTuple):
    """What to do now, and the record of why."""

    action: Invoke | Answer
    record: Justification
