"""Label: what is right about an earlier frame, as others tell it."""

from __future__ import annotations

from selector.perception import Learned
from selector.ros.call import Source
from selector.ros.conversions import label_from_ros
from selector.ros.conversions import stamp_to_ros
from selector.ros.mission import Mission
from selector_msgs.msg import Label
from std_msgs.msg import Header


def learned(msg: Label, mission: Mission, now_ns: int) -> tuple[Learned, Source]:
    """Return what came of a label at `now_ns` (node clock [ns]), and the frame it is about.

    Raises:
        SequenceError: it fits no frame, or the frame has its label already.
        InputError: it names no class, or an unknown one.
    """
    told = label_from_ros(msg, mission.header.task, mission.header.labels)
    perception, sequence = mission.perception, told.sequence
    if sequence < 0:
        sequence = perception.sequence_at(told.stamp_ns)
    found = perception.labelled(sequence, told.truth, now_ns)
    frame = found.frame
    header = Header(stamp=stamp_to_ros(frame.stamp_ns), frame_id=frame.frame_id)
    return found, Source(header, 0, 0.0)
