"""Dropout whose random numbers cost little: half of all units need one bit each, not one float."""

import torch
from torch import Tensor, nn

_BYTES = torch.arange(256, dtype=torch.uint8)[:, None]
_SCALES = (_BYTES >> torch.arange(8, dtype=torch.uint8)).bitwise_and_(1).mul_(2)  # [256, 8], 0 or 2
_PACKED = _SCALES.view(torch.int64).flatten()  # [256], eight factors in a word


class HalfDropout(nn.Module):
    """Drop every unit with probability 1/2 and double the rest, as ``nn.Dropout(0.5)`` does.

    PyTorch draws a 32-bit number per unit, which took a fifth of an epoch of a small network. Here a byte is
    looked up as the eight factors (0 or 2) that its bits stand for.
    """

    packed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("packed", _PACKED.clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Drop in training mode, pass through otherwise."""
        if not self.training:
            return x
        n = x.numel()
        words = torch.empty(-(-n // 63), dtype=torch.int64, device=x.device).random_()  # 63 bits each
        scale = self.packed.index_select(0, words.view(torch.uint8).int()).view(torch.uint8)  # low bit first
        return x * scale.view(-1, 64)[:, :63].reshape(-1)[:n].view(x.shape)


def dropout(p: float) -> nn.Module:
    """Return the cheapest dropout layer of probability `p`."""
    return HalfDropout() if p == 0.5 else nn.Dropout(p)
