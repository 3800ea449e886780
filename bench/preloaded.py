"""Modules that every child process needs, loaded once by the server that forks them."""

from bench.zoo_models import import_timm, import_torchvision

import_torchvision()
import_timm()
