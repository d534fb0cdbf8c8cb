"""Profile: what both models and the camera say about every frame of a bag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pair
import pytest
from selector.bag import Bag
from selector.bag import frames
from selector.errors import InputError
from selector.scene import look
from selector.tasks.detection import Detection
from selector.tools.profile import profile_bag
from selector.tools.replay import replay
from test_bag import jpeg
from test_bag import stream
from test_bag import write


def test_every_image_is_looked_at(tmp_path: Path) -> None:
    """The table has the look of every image; a damaged one has none, and a replay goes on."""
    messages = stream(6)
    messages[4] = ('/image', jpeg(1, b'no picture'))
    bag = Bag(write(tmp_path / 'bag', messages))
    made = pair.made_plan(pair.models_folder(tmp_path / 'models'))
    table = profile_bag(bag, made).table
    for k, seen in enumerate(frames(bag)):
        kept = table.look(k)
        if seen.frame.image is None:
            assert kept is None
            continue
        whole = look(seen.frame.image)
        assert kept is not None
        assert (kept.sharpness, kept.exposure) == (whole.sharpness, whole.exposure)
        assert np.array_equal(kept.thumbnail, whole.thumbnail)
    assert [table.look(k) is None for k in range(6)].count(True) == 1
    assert replay(table, made, tmp_path / 'run').unanswered == 0


def test_only_classifiers_have_a_table(tmp_path: Path) -> None:
    """Models of another task are refused before any is run, with the way that there is."""
    made = pair.made_plan(pair.models_folder(tmp_path / 'models'))
    bag = Bag(write(tmp_path / 'bag', stream(2)))
    with pytest.raises(InputError, match='detection.* class scores: play the bag into the node'):
        profile_bag(bag, made._replace(task=Detection(('text',))))
