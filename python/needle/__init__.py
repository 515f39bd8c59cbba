"""Needle: the necessary elements of deep learning, in a form that can be read, stepped through and trusted."""

__version__ = "0.1.0"

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import autograd, init, ops
from .autograd import Op, Tensor, TensorOp, TensorTuple, TensorTupleOp, Value
from .backend_selection import all_devices, cpu, cpu_numpy, cpu_simple, cuda, default_device, set_num_threads
from .init import arange, linspace
from .modes import enable_grad, lazy_mode, no_grad
from .ops import *

from . import data, nn, optim  # isort: skip

if TYPE_CHECKING:
    from . import debug, func
    from .compiled import CompileError, compile
    from .func import *

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
    "cpu_simple",
    "cuda",
    "data",
    "debug",
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

#: What `needle.func` offers; it is here, too.
FUNCTIONAL = [
    "GradientTape",
    "check_grads",
    "checkpoint",
    "custom_gradient",
    "derivative",
    "functional_call",
    "grad",
    "gradient",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linearize",
    "stop_gradient",
    "tree_map",
    "value_and_grad",
    "vjp",
    "vmap",
]
__all__ += FUNCTIONAL


def __getattr__(name: str) -> Any:
    """The compiler, the functions of functions and the debugger, which are imported when somebody uses them."""
    if name in ("CompileError", "compile"):
        from . import compiled

        return getattr(compiled, name)
    if name == "debug":
        return import_module(".debug", __name__)
    if name == "func" or name in FUNCTIONAL:
        func = import_module(".func", __name__)
        return func if name == "func" else getattr(func, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _tensor_html(tensor: Value) -> str:
    """What a notebook shows of a tensor: its values and its graph."""
    from .debug.notebook import tensor_html

    return tensor_html(tensor)


def _module_html(module: nn.Module) -> str:
    """What a notebook shows of a module: its layers and their parameters."""
    from .debug.notebook import module_html

    return module_html(module)


# Set from here, since tensors and modules know nothing of the debugger.
setattr(Value, "_repr_html_", _tensor_html)  # noqa: B010
setattr(nn.Module, "_repr_html_", _module_html)  # noqa: B010


if os.environ.get("NEEDLE_DEBUG", "0") not in ("", "0"):
    import_module(".debug.origins", __name__).keep_lines()
