"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

from needle import init
from needle.init.init_initializers import KAIMING_GAINS

FILE = "python/needle/init/init_initializers.py"


def xavier_uniform(fan_in, fan_out, gain=1.0, shape=None, **kwargs):
    a = gain * (6 / (fan_in + fan_out)) ** 0.5
    return init.rand(*(shape or (fan_in, fan_out)), low=-a, high=a, **kwargs)


def xavier_normal(fan_in, fan_out, gain=1.0, shape=None, **kwargs):
    return init.randn(*(shape or (fan_in, fan_out)), mean=0.0, std=gain * (2 / (fan_in + fan_out)) ** 0.5, **kwargs)


def kaiming_uniform(fan_in, fan_out, shape=None, nonlinearity="relu", **kwargs):
    bound = KAIMING_GAINS[nonlinearity] * (3 / fan_in) ** 0.5
    return init.rand(*(shape or (fan_in, fan_out)), low=-bound, high=bound, **kwargs)


def kaiming_normal(fan_in, fan_out, shape=None, nonlinearity="relu", **kwargs):
    std = KAIMING_GAINS[nonlinearity] / fan_in**0.5
    return init.randn(*(shape or (fan_in, fan_out)), mean=0.0, std=std, **kwargs)
