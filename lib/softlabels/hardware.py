"""The one place that knows devices: precision and memory layout are chosen here and nowhere else."""

import ctypes
import os
import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from softlabels.errors import ConfigError


@dataclass(frozen=True)
class Hardware:
    """A device and how to use it: bfloat16 autocast where the chip has it, channels-last always."""

    device: torch.device
    precision: str  # "bf16" or "fp32"

    def autocast(self) -> AbstractContextManager:
        """Context in which the network runs in this precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def place(self, model: nn.Module) -> nn.Module:
        """Move a network to the device, channels-last."""
        if self.device.type == "cpu":
            keep_freed_memory()
        return model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def images(self, batch: Tensor) -> Tensor:
        """Bring uint8 [B, H, W, C] to the device as float [B, C, H, W] in [0, 1], channels-last.

        Feature vectors, float32 [B, D], are brought there as they are.
        """
        if batch.ndim == 2:
            return batch.to(self.device, non_blocking=True)
        return batch.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)

    def describe(self) -> dict[str, str | int]:
        """Device, machine, threads and precision, for the record."""
        cuda = self.device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self.device) if cuda else "cpu",
            "machine": f"{_cpu_name()}, {os.cpu_count()} cores",
            "threads": torch.get_num_threads(),
            "precision": self.precision,
        }


def hardware(device: str | None = None, precision: str | None = None) -> Hardware:
    """Choose a device ("cpu", "cuda", "cuda:1"; default the GPU if there is one) and its precision.

    Raises
    ------
    ConfigError
        If the device is asked for but not there.
    """
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise ConfigError(f"device must be cpu, cuda or cuda:<number>, not {name!r}")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r} is not there (PyTorch sees no CUDA GPU); use device='cpu'")
    return Hardware(torch.device(name), precision or ("bf16" if _has_bf16(name) else "fp32"))


def keep_freed_memory(keep: bool = True) -> bool:
    """Let the C library keep the memory of freed tensors for the next ones; returns whether it can (glibc).

    Left alone it maps every large tensor anew and returns it when it is freed, and the kernel clears the
    pages again at every step: a tenth of the time of small networks (``benchmarks/training.py``). Kept, the
    process holds its peak to its end. With `keep` False, as glibc does by itself. Source: mallopt(3).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    trim_threshold, mmap_threshold, mmap_max = -1, -3, -4  # M_TRIM_THRESHOLD … in malloc.h
    if keep:
        return bool(libc.mallopt(mmap_max, 0) and libc.mallopt(trim_threshold, 2**31 - 1))
    # Where its own adaptation to large blocks ends.
    options = {mmap_max: 65536, mmap_threshold: 32 << 20, trim_threshold: 64 << 20}
    libc.malloc_trim(0)
    return all(libc.mallopt(*option) for option in options.items())


def _has_bf16(name: str) -> bool:
    if name.startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    # Vector units alone (avx512_bf16) make it slower than float32: by a third for ResNet-18 at 64 px.
    return "amx_bf16" in _cpu_flags()


def _cpu_info(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def _cpu_flags() -> list[str]:
    return _cpu_info("flags").split()


def _cpu_name() -> str:
    return _cpu_info("model name") or platform.processor() or platform.machine()
