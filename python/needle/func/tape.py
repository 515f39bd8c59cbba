"""`GradientTape`: gradients of what a block of code computes, TensorFlow's idiom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

from ..autograd import Tensor
from ..modes import differentiating, keeping_graph, modes, no_grad
from ..ops import broadcast_to, ones_like, permute
from ..ops.shape import zeros
from ..reverse import gradients
from .derivatives import unit_vectors
from .structures import matching, tensors_in, zeros_for
from .vectorize import vmap

__all__ = ["GradientTape"]

#: How many tapes are watching tensors that require no gradient otherwise.
_WATCHING: dict[Tensor, int] = {}
_LOCK = Lock()


def _hold(tensors: Iterable[Tensor]) -> None:
    """Let tensors require a gradient until they are released as often as they were held."""
    with _LOCK:
        for x in tensors:
            _WATCHING[x] = _WATCHING.get(x, 0) + 1
            x.requires_grad = True


def _release(tensors: Iterable[Tensor]) -> None:
    with _LOCK:
        for x in tensors:
            _WATCHING[x] -= 1
            if not _WATCHING[x]:
                del _WATCHING[x]
                x.requires_grad = False


class GradientTape:
    """Within the block, what is computed from tensors that require a gradient, or are watched, can be differentiated.

    Parameters
    ----------
    persistent : bool
        Whether gradients may be asked for more than once.

    Notes
    -----
    Needle's graph is the tape: every tensor remembers how it was made if what it was made of requires a gradient.
    The block only makes tensors require one for a while (`watch`). Gradients that are taken within the block of
    another tape, or of this one, are part of a graph again: that is how tapes nest. Elsewhere they are plain data.

    >>> import needle as ndl
    >>> x = ndl.Tensor(2.0)
    >>> with ndl.GradientTape() as tape:
    ...     y = x * x
    >>> tape.gradient(y, x).item()
    4.0
    """

    def __init__(self, persistent: bool = False) -> None:
        self.persistent = persistent
        self._used = False
        self._watched: dict[Tensor, None] = {}
        self._block: ExitStack | None = None

    def __enter__(self) -> GradientTape:
        if self._block is not None:
            raise RuntimeError("GradientTape: this tape is recording already")
        self._block = ExitStack()
        self._block.enter_context(differentiating())
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._block is not None:
            self._block.close()
            self._block = None
        _release(self._watched)

    def watch(self, tensors: Any) -> None:
        """Let tensors, or structures of them, that require no gradient be differentiated by, in this block."""
        if self._block is None:
            raise RuntimeError("GradientTape.watch: the tape records only within its block: with tape: ...")
        given = dict.fromkeys(tensors_in(tensors, "GradientTape.watch takes")[0])
        with _LOCK:
            new = {x: None for x in given if x not in self._watched and (x in _WATCHING or not x.requires_grad)}
        _hold(new)
        self._watched |= new

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Within the block, what is computed is constant to the tape."""
        with no_grad():
            yield

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = "none",
        create_graph: bool | None = None,
    ) -> Any:
        """The gradient of `target` by each of `sources`.

        Parameters
        ----------
        target : Tensor or structure
            What to differentiate; if it has several elements, their sum is.
        sources : Tensor or structure
            By what; a module stands for its parameters.
        output_gradients : optional
            Adjoints of the targets, in their structure; ones by default.
        unconnected_gradients : "none" or "zero"
            What a source gets that the target does not depend on.
        create_graph : bool, optional
            Whether the gradients can be differentiated in turn; by default if something is recording.

        Returns
        -------
        Tensor or structure
            In the structure of `sources`.

        Raises
        ------
        RuntimeError
            If this tape is not persistent and was asked before.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(f"unconnected_gradients must be 'none' or 'zero', not {unconnected_gradients!r}")
        with keeping_graph(True):
            ys, _ = tensors_in(target, "GradientTape.gradient differentiates")
        adjoints = [ones_like(y) for y in ys]
        if output_gradients is not None:
            adjoints = matching(output_gradients, target, "output gradient", "target")
        xs, rebuild = tensors_in(sources, "GradientTape.gradient differentiates by")
        self._check_use()
        shares = self._walk(ys, adjoints, xs, create_graph)
        return rebuild(list(zeros_for(shares, xs)) if unconnected_gradients == "zero" else shares)

    def jacobian(self, target: Tensor, sources: Any) -> Any:
        """The derivatives of every element of `target` by every element of `sources`.

        Returns
        -------
        Tensor or structure
            Of shape (*target.shape, *source.shape), in the structure of `sources`; zeros where there is no dependence.
        """
        self._check_use()
        _check_tensor("jacobian: the target", target)
        xs, rebuild = tensors_in(sources, "GradientTape.jacobian differentiates by")
        rows = vmap(lambda u: tuple(zeros_for(self._walk([target], [u], xs), xs)))(unit_vectors(target))
        return rebuild([row.reshape((*target.shape, *x.shape)) for row, x in zip(rows, xs)])

    def batch_jacobian(self, target: Tensor, source: Tensor) -> Tensor:
        """The Jacobian of each example of a batch, where no example of `target` depends on another one of `source`.

        Parameters
        ----------
        target, source : Tensor
            Of shapes (n, *out) and (n, *in).

        Returns
        -------
        Tensor
            Of shape (n, *out, *in); it takes as many adjoints as one example of the target has elements.
        """
        self._check_use()
        _check_tensor("batch_jacobian: the target", target)
        _check_tensor("batch_jacobian: the source", source)
        if not target.shape or target.shape[:1] != source.shape[:1]:
            raise ValueError(
                f"batch_jacobian: target {target.shape} and source {source.shape} must hold equally many examples"
            )

        def rows(u: Tensor) -> Tensor:
            adjoint = broadcast_to(u, target.shape)
            return next(zeros_for(self._walk([target], [adjoint], [source]), [source]))

        if not target.shape[0]:
            return zeros((*target.shape, *source.shape[1:]), source.dtype, source.device)
        several = vmap(rows)(unit_vectors(target[0].detach()))
        order = [1, 0, *range(2, several.ndim)]
        return permute(several, order).reshape((*target.shape, *source.shape[1:]))

    def _walk(
        self, ys: Sequence[Tensor], adjoints: Sequence[Tensor], xs: Sequence[Tensor], create_graph: bool | None = None
    ) -> list[Any]:
        if create_graph is None:
            create_graph = bool(modes.differentiating and modes.grad_enabled)
        _hold(self._watched)
        try:
            connected = [x for x in xs if x.requires_grad]
            with keeping_graph(create_graph):
                found = dict(zip(connected, gradients(ys, adjoints, connected, through=True)))
        finally:
            _release(self._watched)
        self._used = True
        return [found.get(x) for x in xs]

    def _check_use(self) -> None:
        if self._used and not self.persistent:
            raise RuntimeError(
                "this GradientTape has given its gradients; ndl.GradientTape(persistent=True) gives them several times"
            )


def _check_tensor(what: str, x: Any) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"GradientTape.{what} must be a Tensor, not {type(x).__name__}")
