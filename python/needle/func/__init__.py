"""Functions of functions: derivatives of any order in both directions, batches, and tools around them."""

from .check import check_grads
from .derivatives import derivative, grad, gradient, hessian, hvp, jacfwd, jacobian, jacrev, value_and_grad
from .overrides import checkpoint, custom_gradient, stop_gradient
from .products import jvp, linearize, vjp
from .structures import functional_call, tree_map
from .tape import GradientTape
from .vectorize import vmap

__all__ = [
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
