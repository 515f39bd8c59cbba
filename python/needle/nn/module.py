"""`Module`: a function with parameters, and the tree that modules form.

A module holds its parameters and its child modules as plain attributes, also inside lists, tuples and dicts. Nothing is
registered: whatever asks (`parameters`, `train`, `state_dict`, ...) walks over the attributes.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from ..autograd import Tensor
from ..backend_selection import Device
from ..listening import call_announced, listeners
from ..recording import module_called
from .state import check_state

M = TypeVar("M", bound="Module")


class Parameter(Tensor):
    """A tensor that a module learns: `Module.parameters` finds it, and an optimizer changes it."""


class Module:
    """Base class of all layers and models.

    A subclass makes its parameters and child modules in ``__init__`` and computes in `forward`; calling the module
    calls `forward`.

    Attributes
    ----------
    training : bool
        Whether the module is being trained (the default) or evaluated; Dropout and BatchNorm differ between the two.
    """

    training: bool = True

    def __init__(self) -> None:
        self.training = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's output."""
        module_called(self)
        if listeners:
            return call_announced(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass says how."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    # The tree ---------------------------------------------------------------------------------------------------------

    def parameters(self) -> list[Parameter]:
        """List the parameters of this module and of all modules in it, each once.

        They come in the order in which attributes were set, depth first. A parameter that several modules share is
        listed where it is met first.
        """
        return [parameter for _, parameter in self.named_parameters()]

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """List ``(name, parameter)`` for `parameters`; a name is a path of attributes, as in ``modules.0.weight``."""
        return [(name, value) for name, value in self._walk() if isinstance(value, Parameter)]

    def named_buffers(self) -> list[tuple[str, Tensor]]:
        """List ``(name, tensor)`` for the tensors that are kept but not learned, such as ``running_mean``.

        Any Tensor that is not a Parameter counts, unless a part of its name starts with an underscore: that marks
        what a module remembers only for the moment.
        """
        return [
            (name, value)
            for name, value in self._walk()
            if isinstance(value, Tensor) and not isinstance(value, Parameter) and "._" not in f".{name}"
        ]

    def named_modules(self) -> list[tuple[str, Module]]:
        """List ``(name, module)`` for this module (its name is empty) and all modules in it, each once."""
        return [(name, value) for name, value in self._walk() if isinstance(value, Module)]

    def _children(self) -> list[Module]:
        """List all modules in this one, at any depth, each once."""
        return [module for _, module in self.named_modules()[1:]]

    def _walk(self) -> Iterator[tuple[str, Module | Tensor]]:
        """Yield this module and every module and tensor in it with its name: depth first, each once."""
        seen: set[int] = set()
        stack: list[tuple[str, Module | Tensor]] = [("", self)]
        while stack:
            name, value = stack.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            yield name, value
            if isinstance(value, Module):
                stack.extend(reversed(list(_held_by(vars(value), name))))

    # Modes and devices ------------------------------------------------------------------------------------------------

    def train(self: M) -> M:
        """Set this module and all modules in it to training mode; gives the module itself."""
        for _, module in self.named_modules():
            module.training = True
        return self

    def eval(self: M) -> M:
        """Set this module and all modules in it to evaluation mode; gives the module itself."""
        for _, module in self.named_modules():
            module.training = False
        return self

    def to(self: M, device: Device) -> M:
        """Move all parameters, their gradients, and all other tensors to `device`; gives the module itself."""
        for _, value in self._walk():
            if isinstance(value, Tensor):
                value.data = _moved(value, device)
                if value.grad is not None:
                    value.grad = _moved(value.grad, device)
        return self

    # State ------------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy all parameters and buffers into NumPy arrays, by name.

        The copies are a snapshot: they belong to no graph or device, and training on does not change them. A tensor
        that several modules share has one entry. ``safetensors.numpy.save_file(model.state_dict(), path)`` and
        ``np.savez(path, **model.state_dict())`` save them.
        """
        return {name: np.array(tensor.numpy(), order="C") for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set all parameters and buffers to the values in `state`, arrays or Tensors by name.

        Values are cast to the dtype of the tensor they replace. Parameters stay the same objects, so an optimizer
        keeps its hold on them.

        Raises
        ------
        ValueError
            If names are missing or unexpected or shapes differ; it lists all of them, and nothing is changed.
        """
        tensors = self._state()
        arrays = check_state(type(self).__name__, {name: x.shape for name, x in tensors.items()}, state)
        new = {name: Tensor(arrays[name], device=x.device, dtype=x.dtype) for name, x in tensors.items()}
        for name, tensor in tensors.items():
            tensor.data = new[name]

    def _state(self) -> dict[str, Tensor]:
        return dict([*self.named_parameters(), *self.named_buffers()])

    # Display ----------------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Give the arguments that `repr` shows, such as ``in_features=784, out_features=10``."""
        return ""

    @reprlib.recursive_repr("...")
    def __repr__(self) -> str:
        children = [f"({name}): {value!r}" for name, value in _held_by(vars(self)) if isinstance(value, Module)]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = "\n".join(filter(None, [self.extra_repr(), *children])).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {lines}\n)"


def _held_by(value: Any, name: str = "") -> Iterator[tuple[str, Module | Tensor]]:
    """Yield `value` if it is a module or tensor; else those that it holds, in nested lists, tuples and dicts."""
    if isinstance(value, (Module, Tensor)):
        yield name, value
    elif isinstance(value, (dict, list, tuple)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _held_by(item, f"{name}.{key}" if name else str(key))


def _moved(tensor: Tensor, device: Device) -> Tensor:
    return Tensor(tensor.detach(), device=device, dtype=tensor.dtype, requires_grad=False)
