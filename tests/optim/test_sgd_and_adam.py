"""SGD and Adam: the published formulas, step by step."""

from __future__ import annotations

import gc
from contextlib import nullcontext

import numpy as np
import pytest

import needle as ndl
from needle import backend_ndarray as nd
from needle import init, nn, optim
from needle.fused import FUSED
from needle.listening import Listener, listening
from tests.nn.checks import tensor

SHAPES = [(3, 4), (1, 4), ()]


def gradients(steps: int, dtype="float64"):
    """Random gradients for parameters of `SHAPES`, a list for each step."""
    rng = np.random.RandomState(8)
    return [[np.asarray(rng.randn(*shape), dtype) for shape in SHAPES] for _ in range(steps)]


def parameters(device=None, dtype="float64"):
    rng = np.random.RandomState(9)
    return [nn.Parameter(np.asarray(rng.randn(*shape)), device=device, dtype=dtype) for shape in SHAPES]


def run(optimizer, steps, skip=()):
    """Step with given gradients; parameter `skip[t]` has none in step t."""
    for t, grads in enumerate(gradients(steps)):
        for i, (param, grad) in enumerate(zip(optimizer.params, grads)):
            param.grad = None if (t, i) in skip else ndl.Tensor(grad, device=param.device, dtype=param.dtype)
        optimizer.step()
    return [param.numpy() for param in optimizer.params]


def sgd(w, grads, lr, momentum=0.0, weight_decay=0.0):
    u = np.zeros_like(w)
    for grad in grads:
        g = grad + weight_decay * w
        u = momentum * u + (1 - momentum) * g
        w = w - lr * u
    return w


def adam(w, grads, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    m = v = np.zeros_like(w)
    for t, grad in enumerate(grads, start=1):
        if grad is None:
            continue
        g = grad + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w


SGDS = [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2}, {"lr": 0.0}]
ADAMS = [{"lr": 0.1}, {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 0.1, "weight_decay": 0.2}, {"lr": 1, "beta1": 0}]
CASES = [(optim.SGD, sgd, kwargs) for kwargs in SGDS] + [(optim.Adam, adam, kwargs) for kwargs in ADAMS]


@pytest.mark.parametrize(("make", "reference", "kwargs"), CASES)
def test_steps_follow_the_formula(make, reference, kwargs, device, mode):
    params = parameters(device)
    starts = [p.numpy() for p in params]
    given = run(make(params, **kwargs), steps=5)
    for i, (start, value) in enumerate(zip(starts, given)):
        expected = reference(start, [grads[i] for grads in gradients(5)], **kwargs)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)
        assert params[i].dtype == "float64" and params[i].device == device and params[i].shape == SHAPES[i]


@pytest.mark.parametrize(("make", "reference", "kwargs"), CASES)
def test_steps_in_float32_stay_in_float32(make, reference, kwargs, device):
    params = parameters(device, "float32")
    starts = [p.numpy() for p in params]
    given = run(make(params, **kwargs), steps=5)
    for i, (start, value) in enumerate(zip(starts, given)):
        assert value.dtype == np.float32
        expected = reference(start.astype(np.float64), [grads[i] for grads in gradients(5)], **kwargs)
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-6)


def test_defaults_are_those_of_the_interface():
    params = parameters()
    assert optim.SGD(params).lr == 0.01 and optim.SGD(params).momentum == optim.SGD(params).weight_decay == 0.0
    made = optim.Adam(params)
    assert (made.lr, made.beta1, made.beta2, made.eps, made.weight_decay) == (0.01, 0.9, 0.999, 1e-8, 0.0)
    positional = optim.Adam(params, 0.1, 0.8, 0.9, 1e-6, 0.5)
    assert (positional.lr, positional.beta1, positional.beta2) == (0.1, 0.8, 0.9)
    assert (positional.eps, positional.weight_decay) == (1e-6, 0.5)
    assert optim.SGD(params, 0.1, 0.8, 0.5).momentum == 0.8


def test_adams_first_step_has_the_size_of_the_learning_rate():
    param = nn.Parameter(np.zeros(4), dtype="float64")
    param.grad = tensor([1e-3, -1e3, 7.0, 0.0])
    optim.Adam([param], lr=0.25).step()
    np.testing.assert_allclose(param.numpy(), [-0.25, 0.25, -0.25, 0], rtol=1e-4)


def test_a_parameter_without_gradient_is_skipped_while_adams_count_goes_on(device):
    params = parameters(device)
    starts = [p.numpy() for p in params]
    skip = {(1, 0), (2, 0), (0, 1)}
    given = run(optim.Adam(params, lr=0.1, weight_decay=0.3), 4, skip)
    for i, (start, value) in enumerate(zip(starts, given)):
        grads = [None if (t, i) in skip else grads[i] for t, grads in enumerate(gradients(4))]
        np.testing.assert_allclose(value, adam(start, grads, 0.1, weight_decay=0.3), rtol=1e-12)


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_parameters_that_never_get_a_gradient_stay(make):
    params = parameters()
    before = [p.cached_data for p in params]
    make(params, weight_decay=0.5).step()
    assert all(p.cached_data is data for p, data in zip(params, before))


@pytest.mark.parametrize(("make", "kwargs"), [(case[0], case[2]) for case in CASES])
def test_a_step_leaves_the_gradient_alone(make, kwargs, device, mode):
    params = parameters(device)
    loss = sum(((p * p).sum() for p in params), start=ndl.Tensor(0.0, device=device, dtype="float64"))
    loss.backward()
    grads = [p.grad for p in params]
    values = [g.numpy() for g in grads]
    make(params, **kwargs).step()
    for param, grad, value in zip(params, grads, values):
        assert param.grad is grad
        np.testing.assert_array_equal(grad.numpy(), value)


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_reset_grad_forgets_every_gradient(make):
    optimizer = make(parameters())
    run(optimizer, 1)
    optimizer.reset_grad()
    assert all(p.grad is None for p in optimizer.params)


@pytest.mark.parametrize(("make", "kwargs"), [(optim.SGD, {"momentum": 0.9}), (optim.Adam, {"weight_decay": 0.1})])
def test_a_step_keeps_no_graph_alive(make, kwargs, device, mode):
    param = nn.Parameter(np.ones((3, 3)), device=device, dtype="float32")
    optimizer = make([param], **kwargs)

    def step():
        optimizer.reset_grad()
        (param * param).sum().backward()
        optimizer.step()
        optimizer.reset_grad()

    step()
    gc.collect()
    before = ndl.autograd.TENSOR_COUNTER
    for _ in range(20):
        step()
    assert before == ndl.autograd.TENSOR_COUNTER
    assert param.is_leaf() and param.requires_grad and param.cached_data is not None


def test_lazy_gradients_that_depend_on_each_others_parameters_are_computed_before_any_changes(device):
    def step(mode):
        a, b = tensor([2.0], device), tensor([3.0], device)
        with mode():
            (a * b * b).sum().backward()
            optim.SGD([a, b], lr=0.1).step()
        return a.numpy().item(), b.numpy().item()

    assert step(ndl.lazy_mode) == step(ndl.enable_grad) == (2 - 0.1 * 9, 3 - 0.1 * 12)


def test_lr_may_be_changed_between_steps():
    param = nn.Parameter(np.zeros(1), dtype="float64")
    optimizer = optim.SGD([param], lr=1.0)
    for lr in (0.5, 0.25):
        optimizer.lr = lr
        param.grad = tensor([1.0])
        optimizer.step()
    assert param.numpy().item() == -0.75


def test_a_parameter_that_is_listed_twice_is_changed_once():
    param = nn.Parameter(np.zeros(1), dtype="float64")
    param.grad = tensor([1.0])
    optim.SGD(iter([param, param]), lr=1.0).step()
    assert param.numpy().item() == -1


@pytest.mark.parametrize(
    ("make", "kwargs"), [(optim.SGD, {"lr": 0.1, "momentum": 0.9}), (optim.Adam, {"lr": 0.1})], ids=["SGD", "Adam"]
)
def test_the_minimum_of_an_ill_conditioned_quadratic_is_found(make, kwargs):
    scale, target = tensor([[1.0, 20.0]], requires_grad=False), tensor([[3.0, -2.0]], requires_grad=False)
    w = nn.Parameter(np.zeros((1, 2)), dtype="float64")
    optimizer = make([w], **kwargs)
    for _ in range(600):
        (scale * (w - target) ** 2).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(w.numpy(), target.numpy(), atol=1e-3)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (optim.SGD, "lr", -0.1),
        (optim.SGD, "momentum", 1.0),
        (optim.SGD, "weight_decay", -1),
        (optim.Adam, "lr", float("nan")),
        (optim.Adam, "beta1", 1.0),
        (optim.Adam, "beta2", -0.1),
        (optim.Adam, "eps", -1e-8),
        (optim.Adam, "weight_decay", -1),
    ],
)
def test_numbers_out_of_range_are_named(make, name, value):
    with pytest.raises(ValueError, match=f"{make.__name__}: {name} must be .*; got {value}"):
        make(parameters(), **{name: value})


def test_what_is_no_list_of_tensors_is_rejected():
    with pytest.raises(ValueError, match="SGD: the list of parameters is empty"):
        optim.SGD([])
    with pytest.raises(TypeError, match="Adam: params must be a list of Tensors; got a single Tensor"):
        optim.Adam(init.ones(3))
    with pytest.raises(TypeError, match="SGD: params must be Tensors; got a ndarray"):
        optim.SGD([np.ones(3)])


def test_a_gradient_of_another_shape_is_named_and_nothing_changes():
    params = parameters()
    before = [p.numpy() for p in params]
    params[0].grad = tensor(np.ones((3, 4)))
    params[1].grad = tensor(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"Adam: parameter 1 has shape \(1, 4\), its gradient \(3, 4\)"):
        optim.Adam(params).step()
    for param, value in zip(params, before):
        np.testing.assert_array_equal(param.numpy(), value)


def test_a_subclass_must_say_how_it_steps():
    with pytest.raises(NotImplementedError, match="Optimizer has no step"):
        optim.Optimizer(parameters()).step()


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_a_gradient_that_is_no_tensor_is_named(make):
    param = nn.Parameter(np.ones(3))
    param.grad = np.ones(3)
    with pytest.raises(TypeError, match=r"the gradient of parameter 0 must be a Tensor, not a ndarray"):
        make([param]).step()
    assert (param.numpy() == 1).all()


# In place -------------------------------------------------------------------------------------------------------------

OPTIMIZERS = [
    pytest.param(lambda params: optim.SGD(params, lr=0.1), id="SGD"),
    pytest.param(lambda params: optim.SGD(params, lr=0.1, momentum=0.9), id="momentum"),
    pytest.param(lambda params: optim.Adam(params, lr=0.1), id="Adam"),
]
needs_kernels = pytest.mark.skipif(not FUSED, reason="only kernels write in place")


def squares(make):
    """A parameter and its optimizer after two steps, and the step."""
    param = nn.Parameter(np.arange(1.0, 7.0).reshape(2, 3))
    optimizer = make([param])

    def step():
        optimizer.reset_grad()
        (param * param).sum().backward(create_graph=False)
        optimizer.step()

    step()
    step()
    return param, optimizer, step


@needs_kernels
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_step_writes_where_the_old_data_was(make):
    param, optimizer, _ = squares(make)
    own = [param, *(moment for name in optimizer.moments for moment in getattr(optimizer, name))]
    before, values = [tensor.cached_data._handle.ptr() for tensor in own], param.numpy()
    allocations = nd.cpu().memory_stats()["allocations"]
    optimizer.step()
    assert nd.cpu().memory_stats()["allocations"] == allocations
    assert [tensor.cached_data._handle.ptr() for tensor in own] == before
    assert (param.numpy() != values).all()


HOLDERS = {
    "detached": lambda param: param.data,
    "array": lambda param: param.cached_data,
    "view": lambda param: param.cached_data.reshape((6,)),
    "other parameter": lambda param: ndl.Tensor.make_const(param.cached_data, requires_grad=True),
    "export": lambda param: np.asarray(param.cached_data),
    "handle": lambda param: param.cached_data._handle,
    "node": lambda param: ndl.reshape(param, (6,)),
}


@needs_kernels
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_step_leaves_old_data_to_those_who_hold_it(make, holder):
    param, _, step = squares(make)
    old, where = param.numpy(), param.cached_data._handle.ptr()
    held = HOLDERS[holder](param)
    step()
    assert param.cached_data._handle.ptr() != where
    if holder != "handle":
        np.testing.assert_array_equal(np.asarray(held.numpy() if hasattr(held, "numpy") else held).ravel(), old.ravel())
    after = param.cached_data._handle.ptr()
    del held
    step()
    assert param.cached_data._handle.ptr() == after


def three_steps(make, *, device=None, hold=lambda params: None, listener=None):
    """Two parameters after three steps; one may be on another device, or held by somebody, or the kernels be heard."""
    params = [nn.Parameter(np.arange(6.0).reshape(2, 3)), nn.Parameter(np.ones(4), device=device)]
    optimizer = make(params)
    for _ in range(3):
        held = hold(params)
        old = None if held is None else held.numpy()
        for param, grad in zip(params, ([[1.0, -1.0, 2.0]] * 2, [0.5, -3.0, 0.0, 1.0])):
            param.grad = ndl.Tensor(grad, device=param.device)
        with nd.cpu().listening(listener) if listener else nullcontext():
            optimizer.step()
        np.testing.assert_array_equal(None if held is None else held.numpy(), old)
    return [param.numpy() for param in params]


@needs_kernels
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_step_in_one_call_is_that_of_one_parameter_after_the_other(make):
    heard = []
    expected = three_steps(make)
    others = {
        "somebody listens": {"listener": lambda name, kernel, args: heard.append(name) or kernel(*args)},
        "a parameter is held": {"hold": lambda params: params[1].data},
        "a parameter is elsewhere": {"device": nd.cpu_numpy()},
    }
    for name, other in others.items():
        for found, wanted in zip(three_steps(make, **other), expected):
            np.testing.assert_allclose(found, wanted, rtol=1e-6 if "device" in other else 0, err_msg=name)
    assert sum(name.startswith(("sgd", "adam")) for name in heard) == 6
    assert not any(name.endswith("_step") for name in heard)


@needs_kernels
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_parameter_without_elements_holds_nothing_up(make):
    params = [nn.Parameter(np.ones((0, 3))), nn.Parameter(np.ones(3))]
    optimizer = make(params)
    for param in params:
        param.grad = ndl.Tensor(np.ones(param.shape))
    allocations = nd.cpu().memory_stats()["allocations"]
    optimizer.step()
    assert nd.cpu().memory_stats()["allocations"] == allocations
    assert params[0].shape == (0, 3) and (params[1].numpy() < 1).all()


@needs_kernels
def test_a_parameter_that_repeats_elements_gets_memory_of_its_own():
    for view in (lambda a: a.broadcast_to((3,)), lambda a: nd.array([1.0, 1.0]).as_strided((3,), (0,))):
        param = ndl.Tensor.make_const(view(nd.array([1.0])), requires_grad=True)
        optimizer = optim.SGD([param], lr=1.0)
        param.grad = ndl.Tensor([1.0, 2.0, 3.0])
        optimizer.step()
        np.testing.assert_array_equal(param.numpy(), [0.0, -1.0, -2.0])


@needs_kernels
@pytest.mark.parametrize("compiled", [False, True])
def test_memory_that_another_library_lent_is_not_written_to(compiled):
    lent = np.array([1.0, 2.0], np.float32)
    param = ndl.Tensor.make_const(nd.from_dlpack(lent), requires_grad=True)
    optimizer = optim.SGD([param], lr=0.25)

    def step():
        optimizer.reset_grad()
        (param * param).sum().backward(create_graph=False)
        optimizer.step()

    step = ndl.compile(step) if compiled else step
    for _ in range(3):
        step()
        param.cached_data = nd.from_dlpack(lent)
    step()
    np.testing.assert_array_equal(lent, [1.0, 2.0])
    np.testing.assert_array_equal(param.numpy(), [0.5, 1.0])


@needs_kernels
def test_parameters_that_share_an_array_are_not_written_in_place():
    array = nd.array([1.0, 2.0])
    params = [ndl.Tensor.make_const(array, requires_grad=True) for _ in range(2)]
    del array
    optimizer = optim.SGD(params, lr=0.5)
    for param in params:
        param.grad = ndl.Tensor([2.0, 2.0])
    optimizer.step()
    assert [param.numpy().tolist() for param in params] == [[0.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_an_update_that_is_written_anew_is_the_one_that_is_done(name, monkeypatch):
    """As in a source in which the line above ``_updated`` is gone, while that above ``step`` still stands."""
    textbook = getattr(optim, name)
    definition = getattr(textbook._updated, "__wrapped__", textbook._updated)
    calls = []
    monkeypatch.setattr(textbook, "_updated", lambda self, *arrays: calls.append(1) or definition(self, *arrays))
    param, _, step = squares(lambda params: textbook(params, lr=0.1))
    before = param.numpy()
    step()
    assert len(calls) == 3 and (param.numpy() != before).all()


def test_a_subclass_may_compare_the_new_data_with_the_old():
    class Watched(optim.SGD):
        def _updated(self, u, w, g):
            u, new = super()._updated(u, w, g)
            self.moved = new - w
            return u, new

    param, optimizer, step = squares(lambda params: Watched(params, lr=0.1))
    old = param.numpy()
    step()
    np.testing.assert_array_equal(np.asarray(optimizer.moved), param.numpy() - old)
    assert (param.numpy() != old).all()


@needs_kernels
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_who_listens_sees_the_old_data_and_the_new(make):
    class Watcher(Listener):
        def __init__(self):
            self.seen = []

        def replaced(self, tensor, before):
            if tensor is param:
                self.seen.append((before.numpy(), tensor.numpy()))

    param, _, step = squares(make)
    old = param.numpy()
    with listening(Watcher()) as watcher:
        step()
    ((before, after),) = watcher.seen
    np.testing.assert_array_equal(before, old)
    np.testing.assert_array_equal(after, param.numpy())
    assert (after != before).all()


@needs_kernels
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_graph_from_before_a_step_cannot_be_differentiated_behind_it(make):
    param, optimizer, _ = squares(make)
    loss = (param * param).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match=r"EWiseMul needs its input [01] .* replaced or written in place"):
        loss.backward()
