"""The node with a slow model that is another ROS node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys
from typing import Any

from bench import bench
import pair
import pytest
from selector.cards.card import read_card
from selector.redecision import verify
from selector.ros.conversions import stamp_ns_from_ros
from small_pair import jpeg
import yaml

pytestmark = pytest.mark.ros

# It is sure of the last class, and tells the stamps that it was asked about.
FAR = """
import os, sys
import rclpy
from selector_msgs.msg import Prediction
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('far')
answers = node.create_publisher(Prediction, 'far/answers', 10)
def answer(msg):
    print(msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec, msg.header.frame_id, flush=True)
    told = Prediction(header=msg.header, task='classification', labels=sys.argv[1:])
    told.scores = [0.0] * (len(sys.argv) - 2) + [1.0]
    answers.publish(told)
node.create_subscription(Image, 'far/images', answer, 10)
print('ready', flush=True)
parent = os.getppid()
while os.getppid() == parent:
    rclpy.spin_once(node, timeout_sec=0.5)
"""
LABELS = read_card(pair.MODELS / pair.NAMES['fast']).labels


@pytest.fixture
def far(_domain: None) -> Iterator[subprocess.Popen[str]]:
    """A detector in another process."""
    process = subprocess.Popen(
        [sys.executable, '-c', FAR, *LABELS], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == 'ready'
    yield process
    process.kill()
    process.communicate()


def test_a_node_is_asked_about_the_frame_itself(
    ros: Any, far: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Its answer is committed; it was asked with the frame's own stamp and frame id.

    When it dies the call fails, and the frame has its fast answer.
    """
    models = pair.models_folder(tmp_path / 'models')
    card = {
        'name': 'far',
        'task': 'classification',
        'runtime': 'topic',
        'topic': {
            'input': 'far/images',
            'output': 'far/answers',
            'answer': 'selector_msgs/Prediction',
            'timeout_s': 1.0,
        },
        'labels': list(LABELS),
        'training_data': 'none',
        'licence': 'none',
    }
    (models / 'far').mkdir()
    (models / 'far' / 'card.yaml').write_text(yaml.safe_dump(card, sort_keys=False))
    parameters = {
        'models.folder': str(models),
        'models.slow': 'far',
        'models.correlation': '',
        'decision.gain_rule': 'learned',
        'decision.learning_pairs': 0,
        'decision.deadline_s': 5.0,
        'budget.audit_share': 0.0,
        'audit.folder': str(tmp_path / 'runs'),
        'image.queue_depth': 10,
    }
    with bench(ros, parameters) as on:
        asked = on.send(jpeg())
        on.answered(1)
        final = on.finals[0]
        assert (final.tier, final.model, final.class_id) == ('slow', 'far', len(LABELS) - 1)
        far.kill()
        on.send(jpeg())
        on.answered(2)
        assert on.finals[1].tier == 'fast'
        assert [o.kind for o in on.outcomes] == ['ANSWERED', 'FAILED']
        assert 'far/' in on.outcomes[1].detail
    assert far.stdout is not None
    last = far.stdout.read().split('\n')[-2]
    assert last == f'{stamp_ns_from_ros(asked.stamp)} {asked.frame_id}'
    verdict = verify(next((tmp_path / 'runs').iterdir()))
    assert verdict.sound, verdict.flaw
