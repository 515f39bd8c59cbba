"""The gain of relu, whatever follows."""

import math

from needle.init import randn

FILE = "python/needle/init/init_initializers.py"


def kaiming_normal(fan_in, fan_out, shape=None, nonlinearity="relu", **kwargs):
    return randn(*(shape or (fan_in, fan_out)), std=math.sqrt(2 / fan_in), **kwargs)
