"""Each product by the other mode: linearize by a pullback of the pullback, vjp by hand, jvp through push_forward."""

from needle.autograd import Tensor
from needle.forward import push_forward
from needle.func.products import _pair, _traced, arguments
from needle.func.structures import matching, tensors_in
from needle.modes import keeping_graph
from needle.ops import zero_of
from needle.reverse import gradients
from needle.tensor import alias

FILE = "python/needle/func/products.py"


def vjp(f, *primals, has_aux=False):
    traced = _traced(f, primals, has_aux)

    def pullback(adjoint):
        us = matching(adjoint, traced.result, "adjoint", "output")
        with traced.graph_for(us):
            shares = gradients(traced.outputs, us, traced.inner)
        shares = [zero_of(x) if share is None else share for x, share in zip(traced.inner, shares)]
        return tuple(traced.rebuild(shares))

    found = [traced.result, pullback]
    if has_aux:
        found.append(traced.aux)
    return tuple(found)


def jvp(f, primals, tangents, has_aux=False):
    primals, tangents = arguments(primals, "jvp: primals"), arguments(tangents, "jvp: tangents")
    xs, rebuild = tensors_in(primals, "jvp")
    seen = {}

    def function(*inner):
        given = f(*rebuild(inner))
        seen["output"], seen["aux"] = _pair(given, f) if has_aux else (given, None)
        seen["tensors"], seen["rebuild"] = tensors_in(seen["output"], "jvp: the function gives")

    _, tangent_of = push_forward(function, xs, matching(tangents, primals, "tangent", "primal"))
    moved = []
    for y in seen["tensors"]:
        t = tangent_of(y)
        moved.append(zero_of(y) if t is None else t)
    found = (seen["rebuild"](seen["tensors"]), seen["rebuild"](moved))
    return (*found, seen["aux"]) if has_aux else found


def linearize(f, *primals):
    traced = _traced(f, primals)
    with keeping_graph(True):
        us = []
        for y in traced.outputs:
            us.append(alias(Tensor(y.cached_data * 0, dtype=y.dtype, requires_grad=False), requires_grad=True))
        shares = gradients(traced.outputs, us, traced.inner)
    rebuild = tensors_in(traced.result, "linearize")[1]

    def pushforward(*tangents):
        ts = matching(tangents, primals, "tangent", "primal")
        known = [i for i, share in enumerate(shares) if share is not None]
        with traced.graph_for(ts):
            found = gradients([shares[i] for i in known], [ts[i] for i in known], us)
        return rebuild([zero_of(y) if t is None else t for y, t in zip(traced.outputs, found)])

    return traced.result, pushforward
