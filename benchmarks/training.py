"""How much of the time of a training goes into the network: whole steps against bare ones.

Ours is an epoch as it is trained (choosing, converting and augmenting images, forward, backward, update,
checks); the peer runs the same network forward and backward on one batch that already lies on the device.
A second line, on the CPU: the same epoch against itself with memory that is returned when it is freed.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch.nn.functional as F
from common import in_turns, parser, report
from softlabels.learning import inputs, training
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import Hardware, hardware, keep_freed_memory
from torch import nn

TARGET = 0.95


def bare_steps(config: RunConfig, task: inputs.Task, hw: Hardware, model: nn.Module, steps: int) -> None:
    """Forward and backward, `steps` times, on one batch in memory."""
    rows = task.rows["train"][: config.batch_size]
    x, target = hw.images(task.images[rows]), task.targets[rows].to(hw.device)
    model.train()
    for _ in range(steps):
        with hw.autocast():
            logits = model(x)
        loss = F.cross_entropy(logits.float(), target)
        model.zero_grad(set_to_none=True)
        loss.backward()


def after(keep: bool, action: Callable[[], None]) -> None:
    keep_freed_memory(keep)
    action()


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--network", default="resnet9")
    top.add_argument("--image-size", type=int, default=64)
    top.add_argument("--augmentation", default="flips-turns")
    top.add_argument("--steps", type=int, default=15)
    top.add_argument("--rounds", type=int, default=9)
    top.add_argument("--device")
    top.add_argument("--precision", choices=["bf16", "fp32"], help="of ours; default: what runs use here")
    options = top.parse_args(arguments)
    if options.quick:
        options.network, options.image_size, options.steps, options.rounds = "resnet9-tiny", 16, 2, 2
    config = RunConfig(
        network=options.network,
        image_size=options.image_size,
        augmentation=options.augmentation,
        batch_size=16 if options.quick else 128,
    )
    n_images = -(-options.steps * config.batch_size * 10 // 6)  # six tenths are the training part
    task, hw = inputs.prepare(config.replace(limit=n_images)), hardware(options.device, options.precision)
    model, optimiser = training.build(config, task, hw)

    def ours() -> None:
        training._epoch(config, task, hw, model, optimiser, 0)

    def peer() -> None:
        bare_steps(config, task, hw, model, options.steps)

    more = {"device": options.device, "network": config.network, "precision": hw.precision}
    in_turns(ours, peer, 1)  # to warm up
    report("training", *in_turns(ours, peer, options.rounds), target=TARGET, **more)
    if hw.device.type == "cpu":
        kept, returned = partial(after, True, ours), partial(after, False, ours)
        report("training-memory", *in_turns(kept, returned, options.rounds), target=1.0, **more)


if __name__ == "__main__":
    main()
