"""Our epoch against a conventional one on the same network, images and augmentation.

The peer is what tutorials teach: a DataLoader with two workers that keep running, PIL images through
torchvision's transforms, float32, channels first, and the C library's memory as it is.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from common import in_turns, parser, report
from PIL import Image
from softlabels.learning import inputs, models, training
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware, keep_freed_memory
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T

TARGET = 4.0


class Pictures(Dataset):
    """The training part of a task as PIL images with soft labels."""

    def __init__(self, task: inputs.Task):
        rows = task.rows["train"]
        self.images, self.targets = np.asarray(task.dataset.images)[rows], task.targets[rows]
        self.transform = T.Compose(
            [
                T.RandomHorizontalFlip(),
                T.RandomChoice([T.RandomRotation((angle, angle)) for angle in (0, 90, 180, 270)]),
                T.ToTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.transform(Image.fromarray(self.images[i])), self.targets[i]


class ConventionalLoop:
    """One epoch per call."""

    def __init__(self, config: RunConfig, task: inputs.Task, device: torch.device):
        self.device, k = device, task.soft.shape[1]
        self.loader = DataLoader(
            Pictures(task),
            config.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=2,
            persistent_workers=True,
            pin_memory=device.type == "cuda",
        )
        self.model = models.build(config.network, k, task.mean, task.std).to(device)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), config.lr, config.momentum, weight_decay=config.weight_decay
        )

    def __call__(self) -> None:
        keep_freed_memory(False)
        self.model.train()
        for x, target in self.loader:
            loss = F.cross_entropy(self.model(x.to(self.device)), target.to(self.device))
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()


def main(arguments: Sequence[str] | None = None) -> None:
    top = parser(__doc__)
    top.add_argument("--network", default="resnet9")
    top.add_argument("--image-size", type=int, default=64)
    top.add_argument("--images", type=int, default=4000)
    top.add_argument("--rounds", type=int, default=5)
    top.add_argument("--device")
    top.add_argument("--precision", choices=["bf16", "fp32"], help="of ours; default: what runs use here")
    options = top.parse_args(arguments)
    if options.quick:
        options.network, options.image_size, options.images, options.rounds = "resnet9-tiny", 16, 60, 2
    batch_size = 16 if options.quick else 128
    config = RunConfig(network=options.network, image_size=options.image_size, batch_size=batch_size)
    task, hw = (
        inputs.prepare(config.replace(limit=options.images)),
        hardware(options.device, options.precision),
    )
    model, optimiser = training.build(config, task, hw)
    peer = ConventionalLoop(config, task, hw.device)

    def ours() -> None:
        keep_freed_memory()
        training._epoch(config, task, hw, model, optimiser, 0)

    in_turns(ours, peer, 1)  # to warm up, and to start the workers
    times = in_turns(ours, peer, options.rounds)
    report(
        "conventional-loop",
        *times,
        target=TARGET,
        device=options.device,
        network=config.network,
        precision=hw.precision,
    )


if __name__ == "__main__":
    main()
