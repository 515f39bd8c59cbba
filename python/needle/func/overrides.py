"""Derivatives that are not those of the computation: `custom_gradient`, `stop_gradient`, `checkpoint`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from ..autograd import Op, Tensor, TensorTuple, TensorTupleOp, Value
from ..backend_selection import stamp
from ..batching import Batching
from ..forward import Forward
from ..modes import below, differentiating, interpreting, keeping_graph, modes
from ..nn.module import Module
from ..ops import make_tuple, summation
from ..recording import recalling, remembering
from ..reverse import gradients
from ..tensor import Alias, alias
from ..trees import leaves, rebuilt
from .products import finish
from .structures import Tensors, tensors_in, with_parameters

__all__ = ["checkpoint", "custom_gradient", "stop_gradient"]

Rule = Callable[[Sequence[Tensor]], Sequence[Any]]
#: A function of a list of tensors, and of nothing else: what it gives are tensors, and how to put them together.
Traced = Callable[[Sequence[Tensor]], Tensors]


class Rerouted(TensorTupleOp):
    """A tuple of values, with another way back: its adjoint goes to the other inputs, by a rule.

    The inputs are the tuple and the tensors that its gradient is for.
    """

    def __init__(self, name: str, rule: Rule) -> None:
        self.name = name
        self.rule = rule

    def compute(self, values: Any, *xs: Any) -> Any:
        """The values themselves."""
        return values

    def infer(self, values: Any, *xs: Any) -> Any:
        """Those of the values."""
        return values

    def gradient(self, out_grad: TensorTuple, node: TensorTuple) -> tuple[Any, ...]:
        """What the rule gives."""
        shares = tuple(self.rule(list(out_grad)))
        if len(shares) != len(node.inputs) - 1:
            raise ValueError(
                f"{self.name}: its gradient function gave {len(shares)} gradients for {len(node.inputs) - 1} tensors"
            )
        return (None, *shares)

    def batch_within(self, batching: Batching, inputs: tuple[Any, ...], batched: tuple[bool, ...]) -> TensorTuple:
        """The values for all examples. Their adjoint goes back by the rule for one example, for all of them at once."""

        def rule(out_grads: Sequence[Tensor]) -> list[Any]:
            with interpreting(batching):
                shares = self.rule([batching.example(type(u), u) for u in out_grads])
            wholes = [share if share is None else batching.whole_of(share) for share in shares]
            return [
                share if share is None or is_batched else summation(share, 0)
                for share, is_batched in zip(wholes, batched[1:])
            ]

        values = inputs[0] if batched[0] else make_tuple(*[batching.whole_of(x) for x in inputs[0]])
        return type(self)(self.name, rule)(values, *inputs[1:])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class CustomGradient(Rerouted):
    """What a function computed, with the gradient that it says it has. Forward mode transposes that gradient twice."""


class Checkpoint(Rerouted):
    """What a function computed without keeping how: its gradient computes it again."""


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function a gradient of its own (a decorator).

    Parameters
    ----------
    f : callable
        Takes tensors, or structures of them, and gives a pair: the output, and the function that takes the adjoint of
        each tensor in the output and gives the adjoint of each tensor in the arguments, in their order (None for none).

    Returns
    -------
    callable
        Gives the output. In reverse mode the given function is used, in forward mode its transpose. It can be
        differentiated again if it is made of operators on tensors.

    Examples
    --------
    >>> import needle as ndl
    >>> @ndl.custom_gradient
    ... def log1pexp(x):
    ...     e = ndl.exp(x)
    ...     return ndl.log(1 + e), lambda g: g * (1 - 1 / (1 + e))
    >>> ndl.grad(log1pexp)(100.0).item()
    1.0
    """

    @wraps(f, updated=())
    def with_gradient(*args: Any, **kwargs: Any) -> Any:
        xs, _ = tensors_in(args, "custom_gradient takes", flags=True)
        if any(isinstance(x, (Tensor, Module)) for x in leaves(kwargs)):
            raise TypeError(
                f"custom_gradient: {_name(f)} takes tensors by position: its gradient function gives their adjoints in "
                "that order"
            )
        given = f(*args, **kwargs)
        if not isinstance(given, tuple) or len(given) != 2 or not callable(given[1]):
            raise TypeError(f"custom_gradient: {_name(f)} must give (output, gradient function), not {given!r}")
        output, backward = given
        ys, rebuild = tensors_in(output, f"custom_gradient: {_name(f)} gives")

        def rule(out_grads: Sequence[Tensor]) -> Sequence[Any]:
            return list(leaves(backward(*out_grads)))

        with keeping_graph(False):
            values = make_tuple(*map(alias, ys))
        return rebuild(list(CustomGradient(_name(f), rule)(values, *xs)))

    return with_gradient


def checkpoint(f: Callable[..., Any]) -> Any:
    """Let a function keep nothing for its gradient, and compute it again instead: memory for time.

    Parameters
    ----------
    f : callable or Module
        Of tensors or structures of them. It may use other tensors, such as parameters: they get their gradients, too.

    Returns
    -------
    callable or Module
        Gives what `f` gives; of a module, a module that holds it. The arguments and outputs are kept until the gradient
        is taken, what is computed between them is not. Random draws are the same again, and running statistics are
        not updated a second time. Forward mode keeps nothing: within it, `f` is computed as it is.

    Raises
    ------
    RuntimeError
        When the gradient is taken: if a tensor that `f` uses has got other data since.

    References
    ----------
    Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016.
    """
    if isinstance(f, Module):
        return Checkpointed(f)

    @wraps(f, updated=())
    def recomputed(*args: Any, **kwargs: Any) -> Any:
        return _checkpointed(f, args, kwargs)

    return recomputed


class Checkpointed(Module):
    """A module that keeps nothing for its gradient: what `checkpoint` makes of `module`."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return _checkpointed(self.module, args, kwargs)


def _checkpointed(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `f` gives, as elements of one `Checkpoint` node."""
    if not modes.grad_enabled or any(isinstance(i, Forward) for i in modes.interpreters):
        return f(*args, **kwargs)
    xs, rebuild = tensors_in(args, "checkpoint takes", flags=True)

    def function(inner: Sequence[Tensor]) -> Tensors:
        return tensors_in(f(*rebuild(inner), **kwargs), f"checkpoint: {_name(f)} gives")

    within = _Within()
    draws: list[Any] = []
    ys, rebuild_output = _without_graph(function, xs, within, draws)
    captured = list(within.captured | {y: None for y in ys if y.requires_grad and y not in within.made})

    def rule(out_grads: Sequence[Tensor]) -> list[Any]:
        within.check_constants(_name(f))
        return _gradients_of_again(function, xs, captured, draws, out_grads)

    with keeping_graph(False):
        values = make_tuple(*ys)
    return rebuild_output(list(Checkpoint(_name(f), rule)(values, *xs, *captured)))


def _without_graph(function: Traced, xs: Sequence[Tensor], within: _Within, draws: list[Any]) -> Tensors:
    """What `function` gives for new nodes with the values of `xs`, computed without a graph.

    Meanwhile `within` sees what it uses, and `draws` gets its random draws.
    """
    with keeping_graph(False), interpreting(within), remembering(draws):
        return function([alias(x) for x in xs])


def _gradients_of_again(
    function: Traced, xs: Sequence[Tensor], captured: Sequence[Any], draws: list[Any], out_grads: Sequence[Tensor]
) -> list[Any]:
    """Compute `function` again, with a graph and the same random draws, and give the gradients of `xs` and `captured`.

    It gets new nodes for `xs`, so that the walk back ends there and does not go behind them.
    """
    with differentiating(), recalling(draws):
        inner = [alias(x, requires_grad=True) for x in xs]
        again, _ = function(inner)
    finish(inner)
    return gradients(again, out_grads, [*inner, *captured])


def stop_gradient(tensors: Any) -> Any:
    """The same values, as constants: no derivative of any kind passes. Takes a tensor or a structure of them."""

    def constant(x: Any) -> Any:
        if isinstance(x, Module):
            return with_parameters(x, {id(p): p.detach() for p in x.parameters()})
        return x.detach() if isinstance(x, (Tensor, TensorTuple)) else x

    return rebuilt(tensors, constant)


class _Within:
    """The interpreter that finds out which tensors from outside a function uses, besides its arguments."""

    def __init__(self) -> None:
        self.made: WeakSet[Value] = WeakSet()
        self.captured: dict[Value, None] = {}
        self.constants: WeakKeyDictionary[Value, Any] = WeakKeyDictionary()

    def make(self, kind: type[Any], op: Op, inputs: tuple[Value, ...]) -> Any:
        """Make the node, below this interpreter, and note the inputs that were not made here.

        In `captured`, those that require a gradient; in `constants`, what identifies the data of the others (`stamp`).
        The inputs of an Alias are not noted: they are the arguments.
        """
        for x in inputs if type(op) is not Alias else ():
            if x.requires_grad and x not in self.made:
                self.captured[x] = None
            elif x not in self.made:
                self.constants[x] = stamp(x.cached_data)
        with below(self):
            node = kind.make_from_op(op, inputs)
        self.made.add(node)
        return node

    def check_constants(self, name: str) -> None:
        """Raise if a tensor from outside has other data than it had."""
        for x, before in self.constants.items():
            if before is not None and stamp(x.cached_data) != before:
                raise RuntimeError(
                    f"checkpoint: a tensor of shape {x.shape} that {name} uses was replaced or written in place after "
                    "the forward pass, so that it cannot be computed again; compute the gradient first, or pass it as "
                    "an argument"
                )


def _name(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)
