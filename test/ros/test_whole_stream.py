"""The whole demo stream through node and player, seen from processes of their own."""

from __future__ import annotations

import json
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import pytest
from selector.bag import Bag
from selector.bag import frames
from selector.build import plan
from selector.config import Config
from selector.installed import share
from selector.redecision import verify
from selector.tools.demo import read_live
from selector.tools.profile import profile_bag

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WAIT_S = 60.0
PATROL = share() / 'bags' / 'patrol'
LISTENER = """
import json, sys
import rclpy
from selector_msgs.msg import Decision, Prediction
rclpy.init()
node = rclpy.create_node('listener')
seen = {'decisions': [], 'finals': []}
def stamp(m): return m.header.stamp.sec * 10**9 + m.header.stamp.nanosec
node.create_subscription(
    Decision, 'selector/decision',
    lambda m: seen['decisions'].append([stamp(m), m.sequence]), 2000)
node.create_subscription(
    Prediction, 'selector/prediction',
    lambda m: seen['finals'].append([stamp(m), m.header.frame_id, m.class_id]), 2000)
while not all(map(node.count_publishers, ('selector/decision', 'selector/prediction'))):
    rclpy.spin_once(node, timeout_sec=0.2)
print('ready', flush=True)
while len(seen['finals']) < int(sys.argv[1]) or len(seen['decisions']) < int(sys.argv[1]):
    rclpy.spin_once(node, timeout_sec=0.2)
json.dump(seen, sys.stdout)
"""


def test_one_decision_and_one_answer_per_image(tmp_path: Path) -> None:
    """A second process gets one Decision and one final answer per image, stamps equal."""
    stamps = [seen.frame.stamp_ns for seen in frames(Bag(PATROL))]
    words = ['-p', f'audit.folder:={tmp_path}', '-p', 'use_sim_time:=true']
    words += ['-p', 'image.reliability:=reliable', '-p', 'image.queue_depth:=10']
    node = subprocess.Popen(
        [sys.executable, '-m', 'selector.ros.node', '--ros-args', *words],
        stderr=subprocess.PIPE,
        text=True,
    )
    listener = subprocess.Popen(
        [sys.executable, '-c', LISTENER, str(len(stamps))], stdout=subprocess.PIPE, text=True
    )
    try:
        assert node.stderr is not None and listener.stdout is not None
        assert re.match('selector: active', node.stderr.readline())
        assert listener.stdout.readline().strip() == 'ready'
        time.sleep(1.0)  # the listener has found the node; let the node find the listener
        player = [sys.executable, '-m', 'selector.ros.player', str(PATROL), '--rate', '40']
        played = subprocess.run(player, stdout=subprocess.PIPE, check=True, timeout=WAIT_S)
        told = json.loads(listener.communicate(timeout=WAIT_S)[0])
        node.send_signal(signal.SIGINT)
        assert node.wait(WAIT_S) == 0
    finally:
        node.kill()
        listener.kill()
        node.communicate()
    assert json.loads(played.stdout)['answered'] == len(stamps)
    assert [d[0] for d in told['decisions']] == stamps
    assert [f[0] for f in told['finals']] == stamps
    assert {f[1] for f in told['finals']} == {'camera'}
    (folder,) = tmp_path.iterdir()
    verdict = verify(folder)
    assert verdict.sound, verdict.flaw
    assert verdict.decisions == len(stamps)
    live = read_live(folder, profile_bag(Bag(PATROL), plan(Config())).table)
    assert live.answer.tolist() == [f[2] for f in told['finals']]
    assert live.invoked.any()
