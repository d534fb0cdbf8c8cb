"""Ruling: the declared table of stakes and overrides, applied to one frame after another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from selector.carried import Carried
from selector.decision import Candidate
from selector.decision import Decision
from selector.decision import Purse
from selector.decision import REUSE
from selector.errors import ConfigError
from selector.indecision import Due
from selector.indecision import Indecision
from selector.justification import Offer
from selector.override import committed_by_rule
from selector.override import forced
from selector.purses import Purses
from selector.settings import Settings
from selector.stakes import checked_table
from selector.stakes import Effects
from selector.stakes import effects
from selector.stakes import more_conservative
from selector.stakes import Situation
from selector.stakes import StakesTable
from selector.stakes import WhenEmpty


class Ruled(NamedTuple):
    """What the declared table says about one frame.

    Attributes:
        effects: of the rules that match.
        undecided_s: how long the last slow answer and the fast one have differed [s].
        due: what that calls for.
    """

    effects: Effects
    undecided_s: float
    due: Due

    @property
    def forcing(self) -> str:
        """Name of the rule that forces a slower tier, '' for none."""
        late = self.due is not Due.NONE
        return self.effects.force_slow or (self.effects.indecision_rule if late else '')

    @property
    def cautious(self) -> str:
        """Name of the rule that asks for the more conservative answer, '' for none."""
        late = self.due is Due.CONSERVATIVE
        return self.effects.conservative or (self.effects.indecision_rule if late else '')


class Ruling:
    """The declared table and the clocks of indecision."""

    def __init__(self, settings: Settings, purses: Purses) -> None:
        """Check the table.

        Raises:
            ConfigError: see `stakes.checked_table`; or the table forces calls that nothing pays,
                or waits longer for a decision than answers are carried on.
        """
        self._table = checked_table(settings.stakes)
        _check_means(settings)
        self._settings, self._purses = settings, purses
        self.indecision = Indecision()

    def about(self, offer: Offer, carried: Carried | None) -> Ruled:
        """Return what the table says about a frame; its clocks go on to the frame's stamp."""
        if not self._table.rules:
            return Ruled(_plain(offer.stake), 0.0, Due.NONE)
        situation = Situation(
            tuple(map(self._label, (offer.fast_class, *offer.also_seen))),
            offer.time_to_collision_s,
            offer.zone,
            offer.context,
            offer.stake,
        )
        found = effects(self._table, situation)
        differs = carried is not None and carried.class_id != offer.fast_class
        key = offer.camera, offer.track
        undecided_s = self.indecision.update(key, offer.stamp_ns, differs)
        return Ruled(found, undecided_s, Indecision.due(undecided_s, found.max_indecision_s))

    def apply(
        self,
        decision: Decision,
        candidates: Sequence[Candidate],
        ruled: Ruled,
        answers: tuple[int, int],
    ) -> tuple[Decision, bool]:
        """Return the decision after the table, and whether it overdraws the safety reserve.

        Args:
            decision: of the price.
            candidates: the tiers that could be invoked.
            ruled: what the table says.
            answers: class of the fast and of the carried answer, -1 without one.
        """
        overdrawn = False
        if ruled.forcing:
            able = {
                c.spec.name: self._purses.covers(Purse.SAFETY, c.spec.cost_cap) for c in candidates
            }
            lenient = self._table.when_empty is WhenEmpty.OVERDRAW
            off = [resource.disabled for resource in self._purses.resources[Purse.RULE]]
            covered = {
                c.spec.name
                for c in candidates
                if (lenient or able[c.spec.name])
                and not any(no and cap > 0.0 for no, cap in zip(off, c.spec.cost_cap, strict=True))
            }
            decision = forced(decision, candidates, ruled.forcing, covered)
            overdrawn = decision.purse is Purse.SAFETY and not able[decision.chosen]
        if ruled.cautious and min(answers) >= 0 and answers[0] != answers[1]:
            kept = self.more_conservative(*answers, self._settings.fast, REUSE)
            decision = committed_by_rule(decision, kept, ruled.cautious)
        return decision, overdrawn

    def without(self, ruled: Ruled, base: str, answers: tuple[int, int]) -> str:
        """Return whose answer is committed where an invoked tier gives none.

        Args:
            ruled: what the table says.
            base: the answer that would be committed without the table.
            answers: class of the fast and of the carried answer, -1 without one.
        """
        if not ruled.cautious or min(answers) < 0:
            return base
        return self.more_conservative(*answers, self._settings.fast, REUSE)

    def more_conservative(self, one: int, other: int, first: str, second: str) -> str:
        """Return `first` where class `one` is as conservative as `other`, else `second`."""
        kept = more_conservative(self._table, self._label(one), self._label(other))
        return first if kept == self._label(one) else second

    def _label(self, class_id: int) -> str:
        labels = self._settings.labels
        return labels[class_id] if 0 <= class_id < len(labels) else ''


def _check_means(settings: Settings) -> None:
    """Refuse a table that could not do what it declares, or only by overdrawing for ever."""
    table, share = settings.stakes, settings.safety_share
    forcing = [r.name for r in table.rules if r.force_slow or r.max_indecision_s is not None]
    if forcing and not share and table.when_empty is WhenEmpty.OVERDRAW:
        raise ConfigError(
            f'rule {forcing[0]!r} forces calls, and safety_share = 0 leaves nothing to pay them '
            'with: give a share of the budget (0.1 is usual), or set when_empty: advise_stop',
            rule=forcing[0],
        )
    for rule in table.rules:
        limit_s = rule.max_indecision_s
        if limit_s is not None and limit_s > settings.reuse_max_age_s:
            raise ConfigError(
                f'rule {rule.name!r}: max_indecision_s = {limit_s} and reuse_max_age_s = '
                f'{settings.reuse_max_age_s}: an answer that is not carried on that long cannot '
                f'differ that long; at least {limit_s} is needed',
                rule=rule.name,
            )


@lru_cache(maxsize=64)
def _plain(stake: float) -> Effects:
    """Return the effects of a table without rules."""
    return effects(StakesTable(), Situation((), None, '', '', stake))
