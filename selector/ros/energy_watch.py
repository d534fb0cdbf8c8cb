"""Energy watch: once a minute, what the slow calls are said to have used beside what a meter says.

The per-call figure comes from the slow model's card. A meter that is slower than a call cannot
check one call; the sum of a minute it can. The factor is published in /diagnostics; figures that
are more than 20 % off are a warning.
"""

from __future__ import annotations

from collections.abc import Mapping

from rclpy.node import Node
from rclpy.subscription import Subscription
from selector.cards.card import FigureCard
from selector.config import EnergyConfig
from selector.meters.battery import Battery
from selector.meters.energy import EnergyMeter
from selector.meters.figure import Figure
from selector.meters.figure import stated
from selector.meters.found import chosen
from selector.meters.found import find_meters
from selector.meters.reconciliation import Reconciler
from selector.meters.reconciliation import Reconciliation
from selector.outcome import OutcomeKind
from selector.ros.conversions import stamp_ns_from_ros
from selector.ros.tally import Tally
from sensor_msgs.msg import BatteryState

_ENDS = (OutcomeKind.ANSWERED, OutcomeKind.LATE, OutcomeKind.FAILED, OutcomeKind.AUDIT)
_DEPTH = 10


class EnergyWatch:
    """Reads the meter, counts the ends of slow calls, and compares the two every 60 s of stamps.

    Attributes:
        warning: what is off about the last minute, '' for nothing.
    """

    def __init__(self, node: Node, config: EnergyConfig, call: FigureCard) -> None:
        """Choose the meter that the parameters name; `call` is the energy of a slow call [J]."""
        self.warning = ''
        self._call = stated(call.value, 'J', call.source, call.kind, None)
        self._ended = 0
        self._last: Reconciliation | None = None
        self._node = node
        self._heard: Subscription | None = None
        self._meter, self._why = self._chosen(config)
        self._reconciler: Reconciler | None = None
        if self._meter is not None:
            watts = config.base_load_w or None
            source = 'energy.base_load_w' if watts else 'energy.base_load_w is not set'
            base = stated(watts, 'W', source, 'profiled' if watts else 'unknown', None)
            self._reconciler = Reconciler(self._meter, base)

    def update(self, tally: Tally, stamp_s: float) -> None:
        """Take in the calls that ended since the last time, at `stamp_s` (node clock [s])."""
        if self._meter is None or self._reconciler is None:
            return
        ended = sum(tally.outcomes[kind.value] for kind in _ENDS)
        for _ in range(ended - self._ended):
            self._reconciler.add(stamp_s, self._call)
        self._ended = ended
        closed = self._reconciler.update(self._meter.read(stamp_s))
        if closed is not None:
            self._last, self.warning = closed, closed.warning

    def values(self) -> Mapping[str, object]:
        """Return what is published: the meter, the figure of a call, and the last minute."""
        told: dict[str, object] = {
            'meter': self._why if self._meter is None else self._meter.source,
            'per_call_j': self._call.value,
            'per_call_kind': self._call.kind,
            'per_call_source': self._call.source,
        }
        last = self._last
        if last is not None:
            told |= {
                'factor': _told(last.factor),
                'calls': last.calls,
                'summed_j': last.summed_j,
                'metered': _told(last.metered),
                'base_j': last.base_j,
            }
        return told

    def close(self) -> None:
        """Unsubscribe from the battery."""
        if self._heard is not None:
            self._node.destroy_subscription(self._heard)

    def _chosen(self, config: EnergyConfig) -> tuple[EnergyMeter | None, str]:
        if config.meter == 'none':
            return None, 'none: energy.meter = none'
        if config.meter == 'battery':
            battery = Battery()

            def heard(msg: BatteryState) -> None:
                stamp_s = stamp_ns_from_ros(msg.header.stamp) * 1e-9
                battery.put(stamp_s, float(msg.voltage), float(msg.current))

            self._heard = self._node.create_subscription(
                BatteryState, 'battery_state', heard, _DEPTH
            )
            return battery, ''
        found = find_meters()
        meter = chosen(found)
        if meter is not None:
            return meter, ''
        return None, 'none: ' + '; '.join(f'{f.name}: {f.reason}' for f in found)


def _told(figure: Figure) -> object:
    return figure.text() if figure.value is None else figure.value
