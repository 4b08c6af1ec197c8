"""A small dataset in the DCIC format, drawn here: null labels, several sets, legacy suffixes."""

import json

import numpy as np
from PIL import Image

CLASSES = ("g", "nr", "ug")
N = 20


def image_names(name="MiceBone"):
    return [f"{name}/fold{i % 5 + 1}/img{i:02d}.png" for i in range(N)]


def annotation_sets(name="MiceBone"):
    """Three annotators, the last in two sessions: most images as by their number, two of them disputed."""
    paths = image_names(name)
    said = [CLASSES[i % 3] for i in range(N)]
    first = [*said]
    second = [None if i == 4 else said[i] for i in range(N)]
    third = ["nr" if i in (0, 2) else said[i] for i in range(N)]
    legacy = [path.replace(".png", "-[0.1, 0.2].png") for path in paths]
    parts = [
        ("A", paths, first),
        ("B", legacy, second),
        ("C", paths[:7], third[:7]),
        ("C", paths[7:], third[7:]),
    ]
    return [
        {
            "name": annotator,
            "dataset_name": name,
            "user_mail": "INVALID",
            "annotation_time": -1,
            "annotations": [
                {"image_path": path, "class_label": label, "created_at": "01-02-2021-10-11-12"}
                for path, label in zip(paths, labels, strict=True)
            ],
        }
        for annotator, paths, labels in parts
    ]


def write(root, name="MiceBone", size=16):
    """Write it below `root`; returns the folder of the dataset."""
    for i, path in enumerate(image_names(name)):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(i, size)).save(target)
    (root / name / "annotations.json").write_text(json.dumps(annotation_sets(name)))
    return root / name


def pixels(i, size=16):
    """Grey image number `i`."""
    return np.random.default_rng(i).integers(0, 256, (size, size), dtype=np.uint8)


def edit(folder, change):
    """Rewrite the annotations after `change` was applied to the list of sets."""
    path = folder / "annotations.json"
    sets = json.loads(path.read_text())
    path.write_text(json.dumps(change(sets) or sets))
