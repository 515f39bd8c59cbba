"""The shape that is asked for is not used."""

import math

from needle.init import randn
from needle.init.init_initializers import KAIMING_GAINS

FILE = "python/needle/init/init_initializers.py"


def kaiming_normal(fan_in, fan_out, shape=None, nonlinearity="relu", **kwargs):
    return randn(fan_in, fan_out, std=KAIMING_GAINS[nonlinearity] / math.sqrt(fan_in), **kwargs)
