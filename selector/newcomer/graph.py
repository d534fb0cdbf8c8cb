"""Graph: what an ONNX file says about itself, and what one run of it showed."""

from __future__ import annotations

from typing import Literal
from typing import NamedTuple

Dim = int | str | None

# Element types that a card can name.
IMAGE_DTYPES = ('float32', 'float16', 'uint8')
# Sides that are tried, in this order, where a file leaves them open and nobody names one [px].
COMMON_SIDES = (320, 224, 640)


class Tensor(NamedTuple):
    """An input or output as the file declares it.

    Attributes:
        name: its name.
        dtype: NumPy's name of the element type; for no plain tensor the type in ONNX's words.
        shape: sizes; a name or None where a size is open.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]


class Channel(NamedTuple):
    """The values of one row of an output: least, largest, and whether all are whole numbers."""

    low: float
    high: float
    whole: bool


class Output(NamedTuple):
    """An output, as declared and as it came out of one run on a picture.

    Attributes:
        tensor: as declared.
        operation: the operation that makes it, '' where the file does not say.
        shape: of the run, () where there was none.
        finite: whether no value was NaN or infinite.
        low, high: least and largest finite value; 0 where there was none.
        sums: least and largest sum over the last axis.
        channels: of a rank of 2 or 3, along the shorter of its last two axes.
    """

    tensor: Tensor
    operation: str
    shape: tuple[int, ...] = ()
    finite: bool = True
    low: float = 0.0
    high: float = 0.0
    sums: tuple[float, float] = (0.0, 0.0)
    channels: tuple[Channel, ...] = ()


class Trial(NamedTuple):
    """One run.

    Attributes:
        size_px: (height, width) of the picture [px].
        wall_s: measured time of the second run on zeros [s], 0 where it failed.
        fault: why it failed, '' where it did not.
    """

    size_px: tuple[int, int]
    wall_s: float
    fault: str


class Graph(NamedTuple):
    """All that is known of a file.

    Attributes:
        sha256: digest of the file.
        size_bytes: its size [bytes].
        opset: version of the standard operations, 0 where it uses none.
        producer: program that wrote it, '' unknown.
        inputs, outputs: in the order of the file.
        beside: digest of each file beside it that holds weights, by name.
        names: class names in its metadata, () without.
        size_px: (height, width) of the input in its metadata, None without.
        metadata: the rest of its metadata, shortened.
        trial: the run, None where no input can be an image.
    """

    sha256: str
    size_bytes: int
    opset: int
    producer: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Output, ...]
    beside: dict[str, str] = {}
    names: tuple[str, ...] = ()
    size_px: tuple[int, int] | None = None
    metadata: dict[str, str] = {}
    trial: Trial | None = None


class ImageInput(NamedTuple):
    """The input that takes the image.

    Attributes:
        tensor: as declared.
        layout: where the channels stand; without n where it takes no batch.
        channels: 3 or 1.
        size_px: (height, width) [px], None where one is open.
    """

    tensor: Tensor
    layout: Literal['nchw', 'nhwc', 'chw', 'hwc']
    channels: int
    size_px: tuple[int | None, int | None]


def image_input(inputs: tuple[Tensor, ...]) -> ImageInput | None:
    """Return the first input that can take an image; those of three channels go before grey."""
    for channels in (3, 1):
        for tensor in inputs:
            if (found := _as_image(tensor, channels)) is not None:
                return found
    return None


def _as_image(tensor: Tensor, channels: int) -> ImageInput | None:
    """Return how a tensor takes an image: by where its channels stand, first before last."""
    shape = tensor.shape
    if len(shape) not in (3, 4) or tensor.dtype not in IMAGE_DTYPES:
        return None
    batch = len(shape) == 4
    if batch and isinstance(shape[0], int) and shape[0] > 1:
        return None
    places = shape[-3:]
    if places[0] == channels:
        return ImageInput(tensor, 'nchw' if batch else 'chw', channels, _sides(places[1:]))
    if places[2] == channels:
        return ImageInput(tensor, 'nhwc' if batch else 'hwc', channels, _sides(places[:2]))
    return None


def _sides(places: tuple[Dim, ...]) -> tuple[int | None, int | None]:
    height, width = (side if isinstance(side, int) and side > 0 else None for side in places)
    return height, width


def trial_sizes(
    image: ImageInput, stated: tuple[int, int] | None, asked: tuple[int, int] | None
) -> tuple[tuple[int, int], ...]:
    """Return the (height, width) to try, the surest first; what the file fixes stays [px].

    Args:
        image: the input.
        stated: what the file's metadata says.
        asked: what the user says.
    """
    height, width = image.size_px
    named = asked or stated
    sides = (named,) if named else tuple((side, side) for side in COMMON_SIDES)
    return tuple(dict.fromkeys((height or high, width or wide) for high, wide in sides))
