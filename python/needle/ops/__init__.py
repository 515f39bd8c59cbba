"""The operators: one class each (`compute`, `gradient`), and the function that makes its node."""

from . import compare, elementwise, functions, indexing, logarithmic, normalization, reduce, shape, tuples
from . import matmul as _matmul
from .compare import *
from .elementwise import *
from .functions import *
from .indexing import *
from .logarithmic import *
from .matmul import *
from .normalization import *
from .reduce import *
from .shape import *
from .tuples import *

__all__ = [
    *compare.__all__,
    *elementwise.__all__,
    *functions.__all__,
    *indexing.__all__,
    *logarithmic.__all__,
    *_matmul.__all__,
    *normalization.__all__,
    *reduce.__all__,
    *shape.__all__,
    *tuples.__all__,
]
