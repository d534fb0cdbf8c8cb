"""Small networks of torch; imported only where torch is."""

from __future__ import annotations

import torch
from torch import nn


class Compass(nn.Module):
    """Four logits from the mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 4) of images (N, 3, H, W)."""
        return self.head(9.0 * image.mean((2, 3)))


class Lamps(nn.Module):
    """A map of brightness: the mean over the channels."""

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the map (N, 1, H, W) under the name `map`."""
        return {'map': image.mean(1, keepdim=True)}


class Tint(nn.Module):
    """The mean of each colour, and a spread for each."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return numbers and spreads, (N, 3) each."""
        mean = image.mean((2, 3))
        return mean, mean * mean


class Doubtful(nn.Module):
    """Answers otherwise each time while it trains."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.body = {'dropout': nn.Dropout(0.5), 'batch_norm': nn.BatchNorm2d(3)}[kind]
        self.compass = Compass()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 4)."""
        return self.compass(self.body(image))


class Bad(nn.Module):
    """Answers a black image as it should, and any other with a fault."""

    kind = ''

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 4) or what is none."""
        good = torch.zeros(len(image), 4)
        if float(image.max()) == 0.0:
            return good
        if self.kind == 'raise':
            raise RuntimeError('scripted\nwith a second line')
        if self.kind == 'shape':
            return torch.zeros(len(image), 7)
        return good + float(self.kind)


class BadNan(Bad):
    """Returns NaN."""

    kind = 'nan'


class BadInf(Bad):
    """Returns infinity."""

    kind = 'inf'


class BadShape(Bad):
    """Returns seven logits."""

    kind = 'shape'


class BadRaise(Bad):
    """Raises."""

    kind = 'raise'


class Writes(nn.Module):
    """Writes to the bytes it is given."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 4) of images (N, H, W, 3) uint8."""
        image.zero_()
        return torch.zeros(1, 4)
