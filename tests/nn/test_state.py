"""Saving and loading what a module has learned."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from needle import nn


def model(dtype: str = "float32", device=None) -> nn.Module:
    return nn.Sequential(
        nn.Linear(3, 4, dtype=dtype, device=device), nn.BatchNorm1d(4, dtype=dtype, device=device), nn.ReLU()
    )


def snapshot(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: x.numpy() for name, x in [*module.named_parameters(), *module.named_buffers()]}


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_names_are_paths_and_values_numpy_arrays(device):
    state = model(device=device).state_dict()
    assert {name: x.shape for name, x in state.items()} == {
        "modules.0.weight": (3, 4),
        "modules.0.bias": (1, 4),
        "modules.1.weight": (4,),
        "modules.1.bias": (4,),
        "modules.1.running_mean": (4,),
        "modules.1.running_var": (4,),
    }
    assert all(type(x) is np.ndarray and x.dtype == np.float32 and x.flags.c_contiguous for x in state.values())


def test_a_state_is_a_snapshot_both_ways(device):
    module = model(device=device)
    state = module.state_dict()
    kept = {name: x.copy() for name, x in state.items()}
    module(ndl.Tensor(np.ones((2, 3)), device=device, dtype="float32"))
    weight = module.modules[0].weight
    weight.data = weight.data * 2
    assert_same(state, kept)
    module.load_state_dict(state)
    state["modules.0.weight"][:] = 0
    assert_same(snapshot(module), kept)


def test_loading_gives_the_same_outputs_and_keeps_the_parameter_objects(device, mode):
    x = ndl.Tensor(np.random.RandomState(0).randn(5, 3), device=device, dtype="float32", requires_grad=False)
    trained, fresh = model(device=device), model(device=device)
    trained(x)
    objects = fresh.parameters()
    fresh.load_state_dict(trained.state_dict())
    assert fresh.parameters() == objects and all(p.requires_grad and p.is_leaf() for p in objects)
    np.testing.assert_array_equal(fresh.eval()(x).numpy(), trained.eval()(x).numpy())


def test_values_are_cast_to_the_dtype_they_replace_and_may_be_tensors(device):
    source, target = model("float64"), model("float32", device)
    target.load_state_dict(dict([*source.named_parameters(), *source.named_buffers()]))
    for name, value in target.state_dict().items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, source.state_dict()[name].astype(np.float32))
    assert all(p.device == device for p in target.parameters())


def test_one_error_lists_everything_that_does_not_fit_and_nothing_changes():
    module = model()
    before = snapshot(module)
    state = {name: x + 1 for name, x in module.state_dict().items()}
    del state["modules.0.bias"], state["modules.1.running_mean"]
    state["modules.0.weight"] = np.zeros((4, 3), np.float32)
    state["modules.1.weight"] = np.array(["a", "b", "c", "d"])
    state["modules.7.gamma"] = np.zeros(2)
    with pytest.raises(ValueError) as caught:
        module.load_state_dict(state)
    assert str(caught.value).splitlines() == [
        "load_state_dict: the state does not fit this Sequential; nothing was changed.",
        "  wrong shape: 'modules.0.weight' has shape (4, 3); it must have (3, 4)",
        "  missing: 'modules.0.bias' of shape (1, 4)",
        "  not numeric: 'modules.1.weight' has dtype <U1",
        "  missing: 'modules.1.running_mean' of shape (4,)",
        "  unexpected: 'modules.7.gamma' of shape (2,)",
    ]
    assert_same(snapshot(module), before)


def test_shared_parameters_have_one_entry_and_stay_shared():
    shared = nn.Linear(2, 2)
    module = nn.Sequential(shared, nn.Sequential(shared))
    assert list(module.state_dict()) == ["modules.0.weight", "modules.0.bias"]
    module.load_state_dict({"modules.0.weight": np.eye(2), "modules.0.bias": np.ones((1, 2))})
    assert module.modules[0].weight is module.modules[1].modules[0].weight
    np.testing.assert_array_equal(shared.weight.numpy(), np.eye(2))


def test_a_safetensors_file_carries_a_state(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    module, other = model(), model()
    safetensors.save_file(module.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(safetensors.load_file(tmp_path / "model.safetensors"))
    assert_same(snapshot(other), snapshot(module))
