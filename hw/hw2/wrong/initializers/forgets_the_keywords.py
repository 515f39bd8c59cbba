"""dtype and requires_grad are not handed on."""

import math

from needle.init import randn

FILE = "python/needle/init/init_initializers.py"


def xavier_normal(fan_in, fan_out, gain=1.0, shape=None, **kwargs):
    return randn(*(shape or (fan_in, fan_out)), std=gain * math.sqrt(2 / (fan_in + fan_out)))
