"""The operators: one class each (`compute`, `gradient`), and the function that makes its node."""

from . import (
    accumulate,
    arrange,
    compare,
    contract,
    elementwise,
    functions,
    indexing,
    linalg,
    logarithmic,
    normalization,
    reduce,
    shape,
    sorting,
    special,
    tuples,
)
from . import matmul as _matmul
from .accumulate import *
from .arrange import *
from .compare import *
from .contract import *
from .elementwise import *
from .functions import *
from .indexing import *
from .linalg import *
from .logarithmic import *
from .matmul import *
from .normalization import *
from .reduce import *
from .shape import *
from .sorting import *
from .special import *
from .tuples import *

__all__ = [
    *accumulate.__all__,
    *arrange.__all__,
    *compare.__all__,
    *contract.__all__,
    *elementwise.__all__,
    *functions.__all__,
    *indexing.__all__,
    *linalg.__all__,
    *logarithmic.__all__,
    *_matmul.__all__,
    *normalization.__all__,
    *reduce.__all__,
    *shape.__all__,
    *sorting.__all__,
    *special.__all__,
    *tuples.__all__,
]
