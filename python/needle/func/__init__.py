"""Functions of functions: derivatives of any order in both directions, batches, and tools around them."""

from . import check, derivatives, overrides, products, structures, tape, vectorize
from .check import *
from .derivatives import *
from .overrides import *
from .products import *
from .structures import *
from .tape import *
from .vectorize import *

__all__ = [
    *check.__all__,
    *derivatives.__all__,
    *overrides.__all__,
    *products.__all__,
    *structures.__all__,
    *tape.__all__,
    *vectorize.__all__,
]
