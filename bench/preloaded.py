"""What every child process needs, loaded once by the server that they are forked from."""

from bench.zoo_models import import_timm, import_torchvision

import_torchvision()
import_timm()
