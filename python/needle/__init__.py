"""Needle: the necessary elements of deep learning, in a form that can be read, stepped through and trusted."""

__version__ = "0.1.0"

from typing import TYPE_CHECKING, Any

from . import autograd, init, ops
from .autograd import Op, Tensor, TensorOp, TensorTuple, TensorTupleOp, Value
from .backend_selection import all_devices, cpu, cpu_numpy, cuda, default_device, set_num_threads
from .init import arange, linspace
from .modes import enable_grad, lazy_mode, no_grad
from .ops import *

from . import data, nn, optim  # isort: skip
from . import func  # isort: skip
from .func import *  # isort: skip

if TYPE_CHECKING:
    from .compiled import CompileError, compile

__all__ = [
    "CompileError",
    "Op",
    "Tensor",
    "TensorOp",
    "TensorTuple",
    "TensorTupleOp",
    "Value",
    "all_devices",
    "arange",
    "autograd",
    "compile",
    "cpu",
    "cpu_numpy",
    "cuda",
    "data",
    "default_device",
    "enable_grad",
    "func",
    "init",
    "lazy_mode",
    "linspace",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "set_num_threads",
]
__all__ += ops.__all__
__all__ += func.__all__


def __getattr__(name: str) -> Any:
    """The compiler, which is imported when somebody uses it."""
    if name in ("CompileError", "compile"):
        from . import compiled

        return getattr(compiled, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
