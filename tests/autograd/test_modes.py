"""Modes: no_grad, enable_grad and lazy mode as blocks and decorators, nested, and one per thread."""

from __future__ import annotations

import threading

import pytest

import needle as ndl
from tests.autograd.graphs import tensor


def is_recording() -> bool:
    """Whether a node of a tensor that requires a gradient keeps its graph."""
    return (tensor([1.0]) * 2).requires_grad


def is_lazy() -> bool:
    """Whether a new node is only recorded."""
    return (tensor([1.0]) * 2).cached_data is None


def test_no_grad_is_a_block():
    x = tensor([1.0])
    with ndl.no_grad():
        y = x * 2
        assert not y.requires_grad and y.op is None and y.inputs == ()
    assert is_recording()


def test_no_grad_is_a_decorator():
    @ndl.no_grad()
    def double(x):
        """Twice x."""
        return x * 2

    for _ in range(2):
        assert not double(tensor([1.0])).requires_grad
    assert double.__name__ == "double" and double.__doc__ == "Twice x."
    assert is_recording()


def test_enable_grad_undoes_an_outer_no_grad():
    with ndl.no_grad():
        with ndl.enable_grad():
            assert is_recording()
        assert not is_recording()


def test_a_mode_ends_when_an_exception_leaves_its_block():
    with pytest.raises(KeyError), ndl.no_grad(), ndl.lazy_mode():
        raise KeyError
    assert is_recording() and not is_lazy()


def test_modes_nest():
    with ndl.lazy_mode():
        with ndl.lazy_mode():
            assert is_lazy()
        assert is_lazy()
        with ndl.no_grad():
            assert is_lazy() and not is_recording()
    assert not is_lazy()


def test_a_leaf_made_without_grad_still_requires_what_it_asks_for():
    with ndl.no_grad():
        assert tensor([1.0]).requires_grad


def test_every_thread_has_its_own_modes():
    entered, leave, seen = threading.Event(), threading.Event(), {}

    def other() -> None:
        seen["recording"], seen["lazy"] = is_recording(), is_lazy()
        with ndl.no_grad(), ndl.lazy_mode():
            entered.set()
            leave.wait(10)

    with ndl.no_grad(), ndl.lazy_mode():
        thread = threading.Thread(target=other)
        thread.start()
        assert entered.wait(10)
    seen["after"] = is_recording() and not is_lazy()
    leave.set()
    thread.join()
    assert seen == {"recording": True, "lazy": False, "after": True}


def test_backward_runs_in_several_threads_at_once():
    def differentiate(results: list, start: threading.Barrier) -> None:
        x = tensor([2.0, 3.0])
        start.wait(10)
        for _ in range(50):
            (x * x * x).sum().backward(create_graph=False)
        results.append(x.grad.numpy().tolist())

    results: list = []
    start = threading.Barrier(3)
    threads = [threading.Thread(target=differentiate, args=(results, start)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [[12, 27]] * 3


def test_the_flag_of_the_module_is_lazy_mode_everywhere(monkeypatch):
    monkeypatch.setattr(ndl.autograd, "LAZY_MODE", True)
    assert is_lazy()
    y = tensor([2.0]) * 3
    assert y.cached_data is None and y.numpy().tolist() == [6]
    seen = []
    thread = threading.Thread(target=lambda: seen.append(is_lazy()))
    thread.start()
    thread.join()
    assert seen == [True]


def test_the_flag_is_false_by_default():
    assert ndl.autograd.LAZY_MODE is False
