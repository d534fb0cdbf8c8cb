"""The node with a real detector at two sizes: boxes go out, labels of boxes come in."""

from __future__ import annotations

import io
from pathlib import Path
import shutil
from typing import Any

from bench import Bench
import numpy as np
from PIL import Image
import pytest
from selector.errors import MissingError
from selector.redecision import verify
from selector.tasks.detection import iou
from selector_msgs.msg import Label
import yaml

from benchmarks.bench import street_pair
from benchmarks.bench.street import scene

pytestmark = pytest.mark.ros

SIZES = {'fast': 'text_192', 'slow': 'text_960'}


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """Parameters of a node whose slow detector is invoked whenever there is budget."""
    try:
        network = street_pair.network()
    except MissingError as err:
        pytest.skip(str(err))
    models = tmp_path / 'models'
    for tier, name in SIZES.items():
        folder = models / name
        folder.mkdir(parents=True)
        shutil.copy(network, folder / network.name)
        tree = street_pair.card(tier, network).model_dump(mode='json', exclude_unset=True)
        (folder / 'card.yaml').write_text(yaml.safe_dump(tree, sort_keys=False))
    return {
        'models.folder': str(models),
        'models.fast': SIZES['fast'],
        'models.slow': SIZES['slow'],
        'models.correlation': '',
        'decision.gain_rule': 'learned',
        'decision.learning_pairs': 2,
        'decision.deadline_s': 5.0,
        'budget.audit_share': 0.5,
        'budget.slow_calls.exchange_rate': 0.0,
        'audit.folder': str(tmp_path / 'runs'),
        'audit.key': 'k',
        'image.reliability': 'reliable',
        'image.queue_depth': 10,
    }


def jpeg(image: Any) -> bytes:
    """Return an image as the camera sends it."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, 'JPEG', quality=95)
    return out.getvalue()


def test_boxes_go_out_and_true_boxes_come_in(
    ros: Any, values: dict[str, Any], tmp_path: Path
) -> None:
    """Each frame gets one answer with boxes in its own pixels; slow's are closer to the truth.

    The true boxes of a frame give the losses of both models; a label of another form is refused.
    """
    on = Bench(ros, values)
    labels = on.probe.create_publisher(Label, 'selector/label', 10)
    on.start()
    on.until(lambda: labels.get_subscription_count() == 1)
    scenes = [made for made in map(scene, range(40)) if len(made.xyxy) > 1][:8]
    for k, shown in enumerate(scenes):
        on.send(jpeg(shown.image))
        on.answered(k + 1)
        on.until(lambda: on.node.running._stream.busy_since_s() == 0.0)
        on.run_for(0.2)
    slow = [k for k, p in enumerate(on.finals) if p.tier == 'slow']
    assert slow
    for k in slow:
        msg = on.finals[k]
        said = np.asarray(msg.boxes, float).reshape(-1, 4)
        assert (msg.task, len(msg.scores), set(msg.labels)) == ('detection', len(said), {'text'})
        found = iou(np.asarray(scenes[k].xyxy), said).max(axis=1)
        assert (found > 0.5).mean() >= 0.5
    first = slow[0]
    right = Label(sequence=first, class_ids=[0] * len(scenes[first].xyxy))
    right.boxes = [corner for box in scenes[first].xyxy for corner in box]
    labels.publish(right)
    on.until(lambda: any(o.kind == 'LABEL' for o in on.outcomes))
    outcome = next(o for o in on.outcomes if o.kind == 'LABEL')
    assert 0.0 <= outcome.tier_label_loss < 0.7
    assert outcome.loss == outcome.tier_label_loss
    labels.publish(Label(sequence=slow[-1], boxes=[1.0, 2.0], class_ids=[0]))
    on.reported()
    on.reported()
    assert on.node.running._stream.tally.labels_refused == 1
    on.close()
    verdict = verify(next((tmp_path / 'runs').iterdir()))
    assert verdict.sound, verdict.flaw
