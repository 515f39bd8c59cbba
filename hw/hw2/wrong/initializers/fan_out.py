"""Kaiming asks for fan_out."""

import math

from needle.init import rand
from needle.init.init_initializers import KAIMING_GAINS

FILE = "python/needle/init/init_initializers.py"


def kaiming_uniform(fan_in, fan_out, shape=None, nonlinearity="relu", **kwargs):
    bound = KAIMING_GAINS[nonlinearity] * math.sqrt(3 / fan_out)
    return rand(*(shape or (fan_in, fan_out)), low=-bound, high=bound, **kwargs)
