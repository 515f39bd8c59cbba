"""Reverse over reverse, gradients by pullbacks, columns by moving axes, and Hessians by rows."""

from needle.autograd import Tensor
from needle.func.products import arguments, jvp, vjp
from needle.func.structures import tensors_in, tree_map
from needle.func.vectorize import vmap
from needle.ops import permute

FILE = "python/needle/func/derivatives.py"


def value_and_grad(f, argnums=0, has_aux=False):
    @wraps(f, updated=())  # noqa: F821
    def both(*args, **kwargs):
        chosen, function = _of_some(f, argnums, args, kwargs)  # noqa: F821
        if has_aux:
            value, pullback, aux = vjp(function, *chosen, has_aux=True)
        else:
            value, pullback = vjp(function, *chosen)
        found = pullback(_one(value, f))  # noqa: F821
        found = tuple(found) if isinstance(argnums, (tuple, list)) else found[0]
        return ((value, aux), found) if has_aux else (value, found)

    return both


def derivative(f, x):
    if isinstance(x, str) or not (isinstance(x, Tensor) or hasattr(x, "__float__")):
        raise TypeError("a number or a Tensor")
    x = x if isinstance(x, Tensor) else Tensor(x, requires_grad=False)
    if x.ndim:
        raise ValueError("a scalar")
    _, tangent = jvp(f, [x], [Tensor(1.0, dtype=x.dtype, requires_grad=False)])
    return tangent


def hvp(f, primals, tangents):
    primals = arguments(primals, "hvp: primals")
    places = tuple(range(len(primals)))
    # The Hessian is symmetric, so its transpose does as well: reverse over reverse.
    found = vjp(lambda *xs: grad(f, places)(*xs), *primals)[1](tuple(tangents))  # noqa: F821
    return found if len(primals) > 1 else found[0]


def _all_rows(pullback, y):
    many = vmap(pullback)(unit_vectors(y))  # noqa: F821
    xs, rebuild = tensors_in(many, "rows", modules_as_dicts=True)
    return rebuild([x.reshape(y.shape + x.shape[1:]) for x in xs])


def _all_columns(pushforward, x):
    many = vmap(pushforward)(unit_vectors(x))  # noqa: F821
    ys, rebuild = tensors_in(many, "columns", modules_as_dicts=True)
    moved = [permute(y, (*range(1, y.ndim), 0)) for y in ys]
    return rebuild([y.reshape(y.shape[:-1] + x.shape) for y in moved])


def jacobian(f, argnums=0):
    @wraps(f, updated=())  # noqa: F821
    def either(*args, **kwargs):
        chosen, function = _of_some(f, argnums, args, kwargs)  # noqa: F821
        sizes = [0, 0]
        for i, tree in enumerate((chosen, function(*chosen))):
            tree_map(lambda x, i=i: sizes.__setitem__(i, sizes[i] + x.size) or x, tree)
        make = jacrev if sizes[0] >= sizes[1] else jacfwd  # noqa: F821
        return make(f, argnums)(*args, **kwargs)

    return either


def hessian(f, argnums=0):
    return jacrev(grad(f, argnums), argnums)  # noqa: F821
