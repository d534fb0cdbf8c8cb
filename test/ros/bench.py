"""A bench for the node: a camera beside it, and everything that it publishes."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
from pathlib import Path
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from selector.ros.conversions import stamp_to_ros
from selector.ros.node import SelectorNode
from selector_msgs.msg import Decision
from selector_msgs.msg import Outcome
from selector_msgs.msg import Prediction
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from small_pair import jpeg
from small_pair import SmallPair
from std_msgs.msg import Header

DEADLINE_S = 0.4
WAIT_S = 10.0


def given(values: dict[str, Any]) -> list[Parameter]:
    """Return parameters as a node takes them."""
    return [Parameter(name, value=value) for name, value in values.items()]


class Bench:
    """A selector with a probe beside it, both run by the test's own thread.

    Attributes:
        node, probe: the node under test, and the node that publishes and listens.
        decisions, predictions, outcomes, health: what the probe heard, in order.
        clients: the probe's clients of the node's services, by name.
    """

    def __init__(self, ros: Any, values: dict[str, Any]) -> None:
        self.node = SelectorNode(context=ros, parameter_overrides=given(values))
        self.probe = Node('probe', context=ros)
        self.executor = SingleThreadedExecutor(context=ros)
        self.executor.add_node(self.node)
        self.executor.add_node(self.probe)
        self.decisions: list[Decision] = []
        self.predictions: list[Prediction] = []
        self.outcomes: list[Outcome] = []
        self.health: list[DiagnosticArray] = []
        self.clients: dict[str, Any] = {}
        for kind, topic, heard in (
            (Prediction, 'selector/prediction', self.predictions),
            (Decision, 'selector/decision', self.decisions),
            (Outcome, 'selector/outcome', self.outcomes),
            (DiagnosticArray, '/diagnostics', self.health),
        ):
            self.probe.create_subscription(kind, topic, heard.append, 1000)
        deep = QoSProfile(depth=1000)
        self.compressed = self.probe.create_publisher(
            CompressedImage, 'image_raw/compressed', deep
        )
        self.raw = self.probe.create_publisher(Image, 'image_raw', deep)

    def start(self) -> None:
        """Activate the node and wait until it and the probe know each other."""
        assert self.node.start() == 0
        self.until(
            lambda: (
                self.compressed.get_subscription_count() == 1
                and self.raw.get_subscription_count() == 1
                and all(self.probe.count_publishers(f'selector/{t}') for t in TOPICS)
            )
        )

    def until(self, reached: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Run callbacks until `reached()`; fail when it takes longer than `timeout_s` [s]."""
        end_s = time.monotonic() + timeout_s
        while not reached():
            assert time.monotonic() < end_s, f'not within {timeout_s} s'
            self.executor.spin_once(timeout_sec=0.02)

    def run_for(self, duration_s: float) -> None:
        """Run callbacks for `duration_s` [s]."""
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            self.executor.spin_once(timeout_sec=0.02)

    def header(self, stamp_ns: int | None = None) -> Header:
        """Return a camera's header, of now unless told otherwise."""
        now_ns = self.node.get_clock().now().nanoseconds if stamp_ns is None else stamp_ns
        return Header(stamp=stamp_to_ros(now_ns), frame_id='camera_optical')

    def send(self, data: bytes | None = None, stamp_ns: int | None = None) -> Header:
        """Publish a compressed image; return its header."""
        msg = CompressedImage(header=self.header(stamp_ns), format='jpeg')
        msg.data = jpeg() if data is None else data
        self.compressed.publish(msg)
        return msg.header

    @property
    def finals(self) -> list[Prediction]:
        """Final answers, in order."""
        return [p for p in self.predictions if not p.provisional]

    def answered(self, frames: int) -> None:
        """Wait until `frames` frames have a decision and a final answer; no more may come."""
        self.until(lambda: len(self.finals) >= frames and len(self.decisions) >= frames)
        self.run_for(0.05)
        assert len(self.finals) == len(self.decisions) == frames

    def status(self, part: str) -> DiagnosticStatus:
        """Return the latest diagnostics of one part of the node."""
        name = f'selector: {part}'
        return next(s for s in self.health[-1].status if s.name == name)

    def reported(self) -> None:
        """Wait for the next diagnostics."""
        before = len(self.health)
        self.until(lambda: len(self.health) > before)

    def close(self) -> None:
        """Shut the node down and let both nodes go."""
        self.node.finish()
        self.executor.shutdown()
        self.node.destroy_node()
        self.probe.destroy_node()


TOPICS = ('prediction', 'decision', 'outcome')


def values(pair: SmallPair, tmp_path: Path, **more: Any) -> dict[str, Any]:
    """Return the parameters of a node with this pair; `a__b` in `more` stands for `a.b`."""
    return {
        **pair.parameters(),
        'audit.folder': str(tmp_path / 'runs'),
        'mission.name': 'bench',
        'image.reliability': 'reliable',
        'image.queue_depth': 100,
        'decision.deadline_s': DEADLINE_S,
        **{name.replace('__', '.'): value for name, value in more.items()},
    }


@contextlib.contextmanager
def bench(ros: Any, parameters: dict[str, Any], *, start: bool = True) -> Iterator[Bench]:
    """Yield a bench whose node is active, and close it in the end."""
    made = Bench(ros, parameters)
    try:
        if start:
            made.start()
        yield made
    finally:
        made.close()


def run_folder(tmp_path: Path) -> Path:
    """Return the only run folder."""
    (folder,) = (tmp_path / 'runs').iterdir()
    return folder
