"""What all tests share."""

from __future__ import annotations

import os

# Before torch is loaded: the cores belong to the test processes, and torchvision's stand-in for a
# missing operator is not to be compiled (see bench/zoo_models.py).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
