"""What the server of `children` imports once: whatever a child of `test_faults` would wait for."""

import gc
from importlib import import_module

for name in (
    "softlabels.runs.run",
    "softlabels.book.execute",
    "nbformat",
    "pooch",
    "pytest",
    "requests",
    "timm",
):
    import_module(name)
gc.freeze()  # a child that looks through all of this for garbage would copy it
