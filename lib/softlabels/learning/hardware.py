"""The one place that knows devices: precision and memory layout are chosen here and nowhere else."""

import ctypes
import json
import os
import platform
import time
import warnings
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MethodType

import torch
from torch import Tensor, nn

from softlabels import paths
from softlabels.errors import ConfigError, StorageError
from softlabels.store import write_atomically

GAIN = 0.9  # bfloat16 has to take less than this share of float32's time: below it two timings are too near


@dataclass(frozen=True)
class Hardware:
    """A device and how to use it: bfloat16 autocast where that is faster, channels-last always."""

    device: torch.device
    precision: str  # "bf16" or "fp32"

    def autocast(self) -> AbstractContextManager:
        """Context in which the network runs in this precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def place(self, model: nn.Module) -> nn.Module:
        """Move a network to the device, channels-last.

        On a processor depthwise convolutions are trained in float32, since their gradients are slower in
        bfloat16: a step of EfficientNet-Lite0 takes half the time (on an AMD EPYC with AVX-512 bf16).
        """
        if self.device.type == "cpu":
            keep_freed_memory()
            for layer in model.modules():
                if isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels:
                    layer.forward = MethodType(_in_float32, layer)  # type: ignore[method-assign]
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


def _in_float32(layer: nn.Module, x: Tensor) -> Tensor:
    """What a layer makes of its input, returned in its precision; where gradients follow, from float32."""
    if not torch.is_grad_enabled():
        return type(layer).forward(layer, x)
    with torch.autocast(x.device.type, enabled=False):
        return type(layer).forward(layer, x.float()).to(x.dtype)


def hardware(device: str | None = None, precision: str | None = None) -> Hardware:
    """Choose a device ("cpu", "cuda", "cuda:1"; default the GPU if there is one) and its precision.

    The precision ("bf16" or "fp32") is what is asked for, else what ``SOFTLABELS_PRECISION`` says, else
    bfloat16 where it is faster. A device that is not there, or another precision, raises `ConfigError`;
    bfloat16 on a processor without instructions for it is warned of.
    """
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise ConfigError(f"device must be cpu, cuda or cuda:<number>, not {name!r}")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r} is not there (PyTorch sees no CUDA GPU); use device='cpu'")
    precision = precision or os.environ.get("SOFTLABELS_PRECISION") or ("bf16" if _has_bf16(name) else "fp32")
    if precision not in ("bf16", "fp32"):
        raise ConfigError(f"SOFTLABELS_PRECISION: expected bf16 or fp32, not {precision!r}")
    flags = _cpu_flags() if name == "cpu" and precision == "bf16" else []
    if flags and not any(flag.endswith("bf16") for flag in flags):
        warnings.warn(
            "bf16 was asked for, and this processor has no instructions for it: a training takes many times "
            "as long as with SOFTLABELS_PRECISION=fp32",
            stacklevel=2,
        )
    return Hardware(torch.device(name), precision)


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
    return any(flag.endswith("bf16") for flag in _cpu_flags()) and bf16_pays()


def bf16_pays(kept: Path | None = None) -> bool:
    """Whether this processor trains a small network faster in bfloat16 than in float32, by a timing of it.

    The instructions alone do not say: with AVX-512 bf16 some processors gain half of the time, others lose.
    The answer is kept in the cache, for each processor and version of PyTorch.
    """
    kept = kept or paths.cache() / "bf16.json"
    key = f"{_cpu_name()}, torch {torch.__version__}"
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
        if isinstance(known[key], bool):
            return known[key]
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    known = known if isinstance(known, dict) else {}
    single, half = step_seconds(False), step_seconds(True)
    with suppress(StorageError):  # the answer holds for this process, too, where nothing can be kept
        content = json.dumps(known | {key: half < GAIN * single}, indent=1)
        write_atomically(kept, f"{content}\n".encode())
    return half < GAIN * single


def step_seconds(half: bool, rounds: int = 5) -> float:
    """Seconds of the fastest of some training steps of two convolutions with batch norm at 32 px.

    They are the processor's, on one thread, so that other programs on the machine do not decide.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several would spend such seconds on waiting for each other
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Conv2d(24, 64, 3, 1, 1), nn.MaxPool2d(2), nn.BatchNorm2d(64), nn.GELU()]
        layers += [nn.Conv2d(64, 64, 3, 1, 1), nn.BatchNorm2d(64), nn.GELU()]
        net = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        x = torch.rand(64, 24, 32, 32).contiguous(memory_format=torch.channels_last)
    found = []
    for _ in range(rounds + 1):  # the first one chooses kernels
        start = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = net(x).float().square().mean()
        loss.backward()
        found.append(time.process_time() - start)
    torch.set_num_threads(threads)
    return min(found[1:])


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
