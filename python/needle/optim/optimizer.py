"""`Optimizer`: what all optimizers share: the parameters, their gradients, clipping and the state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..autograd import Tensor
from ..backend_selection import settled
from ..listening import announce, listeners
from ..nn.state import check_state


class Update(NamedTuple):
    """A parameter that is to be changed: its position in the list and itself, and its data and gradient as arrays."""

    position: int
    param: Tensor
    data: Any
    grad: Any


class Optimizer:
    """Base class of all optimizers.

    A subclass gives `step`. It names what it remembers in `moments` and `numbers`, and so has a state. Moments live on
    the device where the parameters were when the optimizer was made: move a model to its device before.

    Parameters
    ----------
    params : iterable of Tensor
        What to change, usually ``model.parameters()``. One that is listed twice is changed once.
    lr : float
        Learning rate, assignable at any time (a `Schedule` does).
    """

    #: Names of the attributes that are lists of Tensors, one for each parameter, in its shape.
    moments: ClassVar[tuple[str, ...]] = ()
    #: Names of the attributes that are numbers and change in training.
    numbers: ClassVar[tuple[str, ...]] = ("lr",)

    def __init__(self, params: Iterable[Tensor], lr: float = 0.01) -> None:
        name = type(self).__name__
        if isinstance(params, Tensor):
            raise TypeError(f"{name}: params must be a list of Tensors; got a single Tensor")
        given = list(params)
        for param in given:
            if not isinstance(param, Tensor):
                raise TypeError(f"{name}: params must be Tensors; got a {type(param).__name__}")
        if not given:
            raise ValueError(f"{name}: the list of parameters is empty")
        self.params = list(dict.fromkeys(given))
        self.lr = in_range(f"{name}: lr", lr, 0)

    def step(self) -> None:
        """Change every parameter that has a gradient; never the gradient itself."""
        raise NotImplementedError(f"{type(self).__name__} has no step()")

    def has_stepped(self) -> None:
        """Tell those who listen, at the end of `step`."""
        if listeners:
            announce("stepped", self)

    def reset_grad(self) -> None:
        """Forget the gradients: ``grad = None`` for every parameter."""
        for param in self.params:
            param.grad = None

    def updates(self) -> Iterator[Update]:
        """Yield the parameters that have a gradient, with their data and gradient as arrays.

        Arrays, not Tensors: what is computed from them enters no graph, in lazy mode neither. All lazy gradients are
        computed before the first parameter changes, since they may depend on it.
        """
        ready = [(index, param) for index, param in enumerate(self.params) if param.grad is not None]
        for index, param in ready:
            if not isinstance(param.grad, Tensor):
                raise TypeError(
                    f"{type(self).__name__}: the gradient of parameter {index} must be a Tensor, not a "
                    f"{type(param.grad).__name__}"
                )
            if param.grad.realize_cached_data().shape != param.shape:
                raise ValueError(
                    f"{type(self).__name__}: parameter {index} has shape {param.shape}, its gradient {param.grad.shape}"
                )
        for index, param in ready:
            yield Update(index, param, param.realize_cached_data(), param.grad.realize_cached_data())

    def clip_grad_norm(self, max_norm: float = 0.25) -> float:
        """Scale all gradients by one factor so that their joint norm is at most `max_norm`.

        Parameters
        ----------
        max_norm : float
            Bound for the Euclidean norm of all gradients, taken together as one vector.

        Returns
        -------
        float
            The norm before clipping, computed in float64.

        References
        ----------
        Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
        """
        if not max_norm > 0:
            raise ValueError(f"clip_grad_norm: max_norm must be positive; got {max_norm}")
        norms = [np.linalg.norm(update.param.grad.numpy().astype(np.float64)) for update in self.updates()]
        norm = float(np.linalg.norm(norms))
        if norm > max_norm:
            for update in self.updates():
                update.param.grad = Tensor.make_const(settled(update.grad * (max_norm / norm)))
        return norm

    # State ------------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Copy what the optimizer remembers: numbers by name, moments as NumPy arrays by name and parameter index.

        Adam's, for example: ``{"lr": 0.001, "t": 10, "m.0": array, "m.1": array, ..., "v.0": array, ...}``.
        """
        numbers: dict[str, Any] = {name: getattr(self, name) for name in self.numbers}
        return numbers | {name: moment.numpy() for name, moment in self._named_moments().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what the optimizer remembers to `state`, as `state_dict` gave it; numbers may be 0-d arrays.

        Raises
        ------
        ValueError
            If names are missing or unexpected or shapes differ; it lists all of them, and nothing is changed.
        """
        moments = self._named_moments()
        expected: dict[str, tuple[int, ...]] = dict.fromkeys(self.numbers, ())
        expected |= {name: moment.shape for name, moment in moments.items()}
        arrays = check_state(type(self).__name__, expected, state)
        new = {name: Tensor(arrays[name], device=x.device, dtype=x.dtype) for name, x in moments.items()}
        for name in self.numbers:
            setattr(self, name, arrays[name].item())
        for name, moment in moments.items():
            moment.data = new[name]

    def __repr__(self) -> str:
        numbers = [f"{name}={value}" for name, value in vars(self).items() if isinstance(value, (int, float))]
        return f"{type(self).__name__}({len(self.params)} parameters, {', '.join(numbers)})"

    def _named_moments(self) -> dict[str, Tensor]:
        return {f"{name}.{i}": moment for name in self.moments for i, moment in enumerate(getattr(self, name))}


def in_range(name: str, value: float, low: float, high: float = float("inf")) -> float:
    """Give `value`, if ``low <= value < high``."""
    if not low <= value < high:
        raise ValueError(f"{name} must be at least {low} and less than {high}; got {value}")
    return value


def store(tensor: Tensor, array: Any) -> None:
    """Replace the data of `tensor` by `array`, which is not copied."""
    before, tensor.cached_data = tensor.cached_data, settled(array)
    if listeners:
        announce("replaced", tensor, before)
