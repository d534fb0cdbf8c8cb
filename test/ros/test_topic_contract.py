"""The contract of every model, kept by one that another ROS node answers for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys

import pytest
from rclpy.context import Context
from selector.cards.card import checked_card
from selector.ros.topic_model import TopicModel
from selector.tasks.known import task_named

BACKENDS = str(Path(__file__).resolve().parents[1] / 'backends')
if BACKENDS not in sys.path:
    sys.path.append(BACKENDS)

from test_model_contract import Subject  # noqa: E402
from test_model_contract import test_a_class_is_the_largest_of_probabilities  # noqa: E402, F401
from test_model_contract import test_an_image_that_is_none_is_a_prediction_error  # noqa: E402, F401
from test_model_contract import test_different_images_give_different_answers  # noqa: E402, F401
from test_model_contract import test_predict_returns_an_answer_of_the_task  # noqa: E402, F401
from test_model_contract import test_the_same_image_gives_the_same_answer  # noqa: E402, F401
from test_model_contract import test_warm_up_returns_a_time_a_run  # noqa: E402, F401

pytestmark = pytest.mark.ros

NODE = """
import os
import numpy as np
import rclpy
from selector_msgs.msg import Prediction
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('classifier')
answers = node.create_publisher(Prediction, 'answers', 10)
def answer(msg):
    image = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, 3)
    shares = image.mean(axis=(0, 1)) + 1.0
    told = Prediction(header=msg.header, task='classification', labels=['red', 'green', 'blue'])
    told.scores = (shares / shares.sum()).tolist()
    answers.publish(told)
node.create_subscription(Image, 'images', answer, 10)
print('ready', flush=True)
parent = os.getppid()
while os.getppid() == parent:
    rclpy.spin_once(node, timeout_sec=0.5)
"""


@pytest.fixture
def subject(ros: Context) -> Iterator[Subject]:
    """A classifier of the mean colour in another process."""
    node = subprocess.Popen([sys.executable, '-c', NODE], stdout=subprocess.PIPE, text=True)
    assert node.stdout is not None
    assert node.stdout.readline().strip() == 'ready'
    card = checked_card(
        {
            'name': 'colours',
            'task': 'classification',
            'runtime': 'topic',
            'topic': {
                'input': 'images',
                'output': 'answers',
                'answer': 'selector_msgs/Prediction',
                'timeout_s': 10.0,
            },
            'labels': ['red', 'green', 'blue'],
            'training_data': 'none',
            'licence': 'Apache-2.0',
        },
        'colours',
    )
    model = TopicModel(card, ros)
    model.warm_up(1)
    yield Subject(model, task_named(card.task, card.task_spec))
    model.close()
    node.kill()
    node.communicate()
