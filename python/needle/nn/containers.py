"""Modules that are made of other modules."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from .module import Module


class Sequential(Module):
    """Apply modules one after the other: ``Sequential(f, g)(x) = g(f(x))``.

    Attributes
    ----------
    modules : tuple of Module
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        for position, module in enumerate(modules):
            if not callable(module):
                raise TypeError(f"Sequential: give modules, as in Sequential(a, b); argument {position} is {module!r}")
        self.modules = modules

    def forward(self, x: Any) -> Any:
        """Give ``modules[-1](... modules[0](x))``."""
        for module in self.modules:
            x = module(x)
        return x


class Residual(Module):
    """Add a module's output to its input: ``Residual(f)(x) = f(x) + x``.

    References
    ----------
    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016.
    """

    def __init__(self, fn: Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        """Give ``fn(x) + x``; `fn` must keep the shape."""
        y: Tensor = self.fn(x)
        if y.shape != x.shape:
            raise ValueError(f"Residual: fn must keep the shape {x.shape} of its input; its output has shape {y.shape}")
        return y + x
