"""The operators: one class each (`compute`, `gradient`), and the function that makes its node."""

from .compare import *
from .elementwise import *
from .functions import *
from .indexing import *
from .logarithmic import *
from .matmul import *
from .reduce import *
from .shape import *
from .tuples import *
