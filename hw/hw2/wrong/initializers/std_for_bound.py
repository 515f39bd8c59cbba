"""The standard deviation stands for the bound of the uniform distribution."""

import math

from needle.init import rand

FILE = "python/needle/init/init_initializers.py"


def xavier_uniform(fan_in, fan_out, gain=1.0, shape=None, **kwargs):
    a = gain * math.sqrt(2 / (fan_in + fan_out))
    return rand(*(shape or (fan_in, fan_out)), low=-a, high=a, **kwargs)
