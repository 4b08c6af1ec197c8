"""Networks: shapes, what lies inside them, and where pretrained weights may come from."""

import platform
import subprocess
import sys

import pytest
import timm
import torch
from safetensors.torch import save_file
from softlabels.errors import ConfigError, DataUnavailable
from softlabels.learning import models

WIDTH = {
    "resnet9": 128,
    "resnet9-avg": 128,
    "resnet9-tiny": 32,
    "resnet9-cifar": 128,
    "cifarnet-8": 16,
    "cifarnet-16": 64,
    "cifarnet-32": 96,
    "cifarnet-64": 160,
    "efficientnet-lite0": 1280,
    "resnet20": 64,
    "resnet18": 512,
    "resnet18-nomaxpool": 512,
    "wrn28-10": 640,
    "densenet121-cifar": 1024,
    "densenet121": 1024,
    "resnet50v2": 2048,
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network and nothing downloaded before."""
    from huggingface_hub import constants

    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(variable, "1")
    for variable in ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
    # The client reads its environment once, when it is imported.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.delenv("SOFTLABELS_WEIGHTS", raising=False)


def images(n=2, size=32):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def built(name="resnet9-tiny", **options):
    torch.manual_seed(0)
    return models.build(name, 6, **options)


def test_every_network_is_covered_here():
    assert set(models.NETWORKS) == set(WIDTH)


@pytest.mark.parametrize("name", models.NETWORKS)
def test_networks_have_the_right_shapes(name):
    model = built(name).eval()
    with torch.inference_mode():
        logits, features = model.features(images())
        torch.testing.assert_close(model(images()), logits, rtol=0, atol=0)
    assert logits.shape == (2, 6)
    assert features.shape == (2, WIDTH[name])
    assert logits.isfinite().all()
    assert (logits[0] != logits[1]).any()


def test_no_pooling_in_the_stem_keeps_twice_the_resolution():
    with torch.inference_mode():
        plain, fine = (built(n).eval().trunk(images()) for n in ("resnet18", "resnet18-nomaxpool"))
        pooled, cifar = (built(n).eval().trunk(images()) for n in ("resnet9", "resnet9-cifar"))
    assert (fine.shape[-1], cifar.shape[-1]) == (2 * plain.shape[-1], pooled.shape[-1])


def test_features_are_averages_whatever_the_head_sees():
    for name in ("resnet9", "resnet9-avg"):
        model = built(name).eval()
        with torch.inference_mode():
            fmap = model.trunk((images() - model.mean) / model.std)
            logits, features = model.features(images())
            seen = fmap.amax((2, 3)) if name == "resnet9" else fmap.mean((2, 3))
            torch.testing.assert_close(features, fmap.mean((2, 3)))
            torch.testing.assert_close(logits, model.head(seen))


def test_normalisation_is_inside():
    mean, std = torch.tensor([0.2, 0.5, 0.1]), torch.tensor([0.3, 0.1, 0.4])
    inside, outside = built(mean=mean, std=std).eval(), built().eval()
    with torch.inference_mode():
        normalised = (images() - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
        torch.testing.assert_close(inside(images()), outside(normalised))
    assert {"mean", "std"} <= set(inside.state_dict())


def test_dropout_acts_in_training_only():
    model = built(dropout=0.5)
    model.train()
    assert (model(images()) != model(images())).any()
    model.eval()
    torch.testing.assert_close(model(images()), model(images()), rtol=0, atol=0)


def test_an_unknown_network_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'densenet121'"):
        models.build("densenet12", 6)


@pytest.mark.parametrize("name", ["resnet9", "resnet9-cifar", "resnet20", "cifarnet-16"])
def test_networks_without_pretrained_weights_say_so(name):
    with pytest.raises(DataUnavailable, match=f"no ImageNet weights of {name}.*start=scratch"):
        models.build(name, 6, pretrained=True)


def test_without_a_network_pretrained_fails_with_the_remedy(offline):
    with pytest.raises(DataUnavailable, match=r"resnet18\.safetensors.*SOFTLABELS_WEIGHTS.*start=scratch"):
        models.build("resnet18", 6, pretrained=True)


def test_local_weights_are_used_but_for_the_head(offline, monkeypatch, tmp_path):
    torch.manual_seed(1)
    other = timm.create_model("resnet18", num_classes=1000).state_dict()
    save_file(other, tmp_path / "resnet18.safetensors")
    monkeypatch.setenv("SOFTLABELS_WEIGHTS", str(tmp_path))
    for name in ("resnet18", "resnet18-nomaxpool"):
        model = built(name, pretrained=True)
        found = model.trunk.net.state_dict()
        assert found
        for key, value in found.items():
            torch.testing.assert_close(value, other[key], rtol=0, atol=0)
        assert model.head.weight.shape == (6, 512)


def test_other_networks_weights_are_not_taken(offline, monkeypatch, tmp_path):
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet18.safetensors")
    monkeypatch.setenv("SOFTLABELS_WEIGHTS", str(tmp_path))
    with pytest.raises(DataUnavailable, match="densenet121"):
        models.build("densenet121", 6, pretrained=True)


@pytest.mark.parametrize("content", ["other keys", "damaged"])
def test_weights_that_do_not_fit_are_no_silent_fallback(content, offline, monkeypatch, tmp_path):
    path = tmp_path / "resnet18.safetensors"
    save_file({"model.stem.weight": torch.zeros(3)}, path)
    if content == "damaged":
        path.write_bytes(path.read_bytes()[:20])
    monkeypatch.setenv("SOFTLABELS_WEIGHTS", str(tmp_path))
    with pytest.raises(DataUnavailable, match=r"resnet18\.safetensors"):
        models.build("resnet18", 6, pretrained=True)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_a_network_on_the_cpu_keeps_the_memory_of_freed_tensors():
    code = """
import resource, torch
from softlabels.learning.hardware import hardware
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * 2**20)  # 64 MB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
alone = faults()
hardware("cpu").place(torch.nn.Linear(2, 2))
later = [faults() for _ in range(40)]  # the heap grows a few times before it is reused
print(alone, later[-1])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    alone, kept = map(int, told.stdout.split())
    assert alone > 30  # 16,384 pages, or 32 huge ones
    assert kept < 10
