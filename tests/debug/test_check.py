"""`check` names each common mistake in a sentence with its place, and leaves a healthy model alone and as it was."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn, ops
from needle.debug.check import Report, check
from tests.autograd.graphs import nd_only, tensor

CLASSES = 5


def batch(examples: int = 32, features: int = 20) -> tuple[Any, Any]:
    images = tensor(np.random.randn(examples, features), requires_grad=False)
    return images, tensor(np.random.randint(0, CLASSES, examples), requires_grad=False)


def mlp(*middle: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(20, 16), *middle, nn.ReLU(), nn.Linear(16, CLASSES))


def rules(report: Report) -> set[str]:
    return {finding.rule for finding in report}


def scale(parameter: Any, factor: float) -> None:
    parameter.data = tensor(parameter.numpy() * factor)


@pytest.fixture(autouse=True)
def seeded() -> None:
    np.random.seed(0)


def line_of(function: Any, text: str) -> str:
    """``file.py:12`` for the line of a function that holds `text`."""
    lines, first = inspect.getsourcelines(function)
    return f"test_check.py:{first + next(i for i, line in enumerate(lines) if text in line)}"


class Net(nn.Module):
    """Two layers, with something between them that a subclass does wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(20, 16), nn.Linear(16, CLASSES)

    def forward(self, x: Any) -> Any:
        return self.second(self.between(ndl.relu(self.first(x))))

    def between(self, h: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("middle", [(), (nn.BatchNorm1d, 16), (nn.Dropout, 0.5)])
def test_a_healthy_model_draws_no_complaint_over_20_seeds(middle: Any):
    for seed in range(20):
        np.random.seed(seed)
        layers = [middle[0](middle[1])] if middle else []
        model = nn.Sequential(nn.Linear(20, 16), *layers, nn.ReLU(), nn.Linear(16, CLASSES))
        assert check(model, batch(16)) == [], f"seed {seed}"


def test_an_empty_report_says_that_nothing_was_found():
    assert str(check(mlp(), batch())) == "nothing found"


def test_the_model_is_afterwards_what_it_was():
    model = mlp(nn.BatchNorm1d(16), nn.Dropout(0.5))
    images, labels = batch()
    nn.SoftmaxLoss()(model(images), labels).backward()
    model.modules[1].training = False
    state, grads = model.state_dict(), [parameter.grad for parameter in model.parameters()]
    arrays = [parameter.cached_data for parameter in model.parameters()]
    expected = np.random.RandomState(7).rand()
    np.random.seed(7)
    check(model, (images, labels))
    assert np.random.rand() == expected
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    for parameter, grad, array in zip(model.parameters(), grads, arrays, strict=True):
        assert parameter.grad is grad and parameter.cached_data is array
    assert [module.training for _, module in model.named_modules()] == [True, True, False, True, True, True]


def test_the_model_is_what_it_was_after_an_error_too():
    class Broken(Net):
        def between(self, h: Any) -> Any:
            self.first.weight.data = self.first.weight * 2
            raise ZeroDivisionError

    model = Broken()
    weight = model.first.weight.numpy()
    with pytest.raises(ZeroDivisionError):
        check(model, batch())
    np.testing.assert_array_equal(model.first.weight.numpy(), weight)


def test_a_parameter_that_requires_no_gradient_is_named():
    model = mlp()
    model.modules[0].weight.requires_grad = False
    (finding,) = check(model, batch())
    assert (finding.rule, finding.where) == ("requires no gradient", "modules.0.weight")


@pytest.mark.parametrize("lazy", [False, True])
def test_a_detached_tensor_is_named_with_its_line(lazy: bool):
    class Cut(Net):
        def between(self, h: Any) -> Any:
            return h.detach()

    if lazy:
        with ndl.lazy_mode():
            report = check(Cut(), batch())
    else:
        report = check(Cut(), batch())
    assert {(each.rule, each.where) for each in report} == {
        ("not reached", "first.weight"),
        ("not reached", "first.bias"),
    }
    assert "detached" in report[0].message
    line = line_of(Cut.between, "h.detach") if lazy else line_of(Net.forward, "self.second")
    assert line in report[0].message


def test_a_module_that_is_never_called_is_named():
    class Spare(Net):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Linear(3, 4, bias=False)

        def between(self, h: Any) -> Any:
            return h

    (finding,) = check(Spare(), batch())
    assert (finding.rule, finding.where) == ("not reached", "spare.weight")
    assert "a Linear, is never called" in finding.message


def test_a_result_that_is_not_used_is_named_with_its_line():
    class Forgets(Net):
        def between(self, h: Any) -> Any:
            ndl.exp(self.extra)
            return h

        def __init__(self) -> None:
            super().__init__()
            self.extra = nn.Parameter(tensor([1.0]))

    (finding,) = check(Forgets(), batch())
    assert finding.where == "extra" and line_of(Forgets.between, "ndl.exp") in finding.message


def test_an_op_that_gives_no_gradient_is_reported():
    class Deaf(ndl.autograd.TensorOp):
        def compute(self, a: Any) -> Any:
            return a + 0

        def gradient(self, out_grad: Any, node: Any) -> Any:
            return None

    class Model(Net):
        def between(self, h: Any) -> Any:
            return Deaf()(h)

    assert {(each.rule, each.where) for each in check(Model(), batch())} == {
        ("no gradient", "first.weight"),
        ("no gradient", "first.bias"),
    }


def test_dead_relus_are_reported_with_their_module():
    model = mlp()
    model.modules[0].bias.data = tensor(np.full((1, 16), -100.0))
    report = check(model, batch())
    assert [each.where for each in report if each.rule == "dead relus"] == ["modules.1 (ReLU)"]
    assert [each.where for each in report if each.rule == "zero gradient"] == ["modules.0.weight", "modules.2.weight"]


@pytest.mark.parametrize("layer", [nn.Tanh, nn.Sigmoid])
def test_saturated_units_are_reported_with_their_module(layer: Any):
    model = nn.Sequential(nn.Linear(20, 16), layer(), nn.Linear(16, CLASSES))
    scale(model.modules[0].weight, 1000)
    findings = [each for each in check(model, batch()) if each.rule == "saturated"]
    assert [each.where for each in findings] == [f"modules.1 ({layer.__name__})"]


def test_a_vanishing_gradient_is_reported_for_the_first_layers_and_not_for_the_last():
    layers = [layer for _ in range(14) for layer in (nn.Linear(20, 20), nn.Sigmoid())]
    report = check(nn.Sequential(*layers, nn.Linear(20, CLASSES)), batch())
    where = [each.where for each in report if each.rule == "vanishing gradient"]
    assert "modules.0.weight" in where and "modules.28.weight" not in where


def test_an_exploding_gradient_is_reported():
    model = mlp()
    scale(model.modules[2].weight, 1e5)
    assert [each.where for each in check(model, batch()) if each.rule == "exploding gradient"] == ["modules.0.weight"]


def test_data_in_the_range_of_pixels_is_reported():
    images, labels = batch()
    pixels = tensor(np.random.randint(0, 256, images.shape), requires_grad=False)
    (finding,) = [each for each in check(mlp(), (pixels, labels)) if each.rule == "data range"]
    assert f"{pixels.numpy().mean():.4g}" in finding.message and "255" in finding.message
    scaled = tensor(pixels.numpy() / 255, requires_grad=False)
    assert "data range" not in rules(check(mlp(), (scaled, labels)))


def test_labels_from_1_are_called_off_by_one():
    images, labels = batch()
    (finding,) = check(mlp(), (images, labels + 1))
    assert finding.rule == "labels off by one" and "0 to 4: subtract 1" in finding.message


@pytest.mark.parametrize("wrong", [7.0, -1.0, 0.5])
def test_a_label_that_is_no_class_is_named_with_its_position(wrong: float):
    images, labels = batch()
    values = labels.numpy()
    values[3] = wrong
    (finding,) = check(mlp(), (images, tensor(values, requires_grad=False)))
    assert finding.rule == "labels out of range" and f"label {wrong:g} at position 3" in finding.message


@pytest.mark.parametrize("function", [ops.softmax, ops.logsoftmax])
def test_softmax_before_the_loss_is_reported_with_its_line(function: Any):
    class Twice(Net):
        def between(self, h: Any) -> Any:
            return h

        def forward(self, x: Any) -> Any:
            return function(super().forward(x))

    (finding,) = [each for each in check(Twice(), batch()) if each.rule == "softmax twice"]
    assert line_of(Twice.forward, "function(super") in finding.where


def test_a_softmax_of_ones_own_is_recognized_by_its_rows():
    class Own(nn.Module):
        def forward(self, x: Any) -> Any:
            e = ndl.exp(x)
            return e / ndl.summation(e, 1, keepdims=True)

    assert "softmax twice" in rules(check(nn.Sequential(mlp(), Own()), batch()))


def test_a_gradient_of_the_wrong_sign_shows_in_a_loss_that_does_not_fall():
    class Wrong(ndl.autograd.TensorOp):
        def compute(self, a: Any) -> Any:
            return a * 1

        def gradient(self, out_grad: Any, node: Any) -> Any:
            return -out_grad

    class Model(Net):
        def between(self, h: Any) -> Any:
            return h

        def forward(self, x: Any) -> Any:
            return Wrong()(super().forward(x))

    (finding,) = check(Model(), batch())
    assert finding.rule == "loss does not fall"


def test_a_trained_model_is_not_told_that_its_loss_does_not_fall():
    model, (images, labels) = mlp(), batch(8)
    optimizer = ndl.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(100):
        nn.SoftmaxLoss()(model(images), labels).backward(create_graph=False)
        optimizer.step()
    assert nn.SoftmaxLoss()(model(images), labels).item() < 0.05
    assert check(model, (images, labels)) == []


def test_nan_is_reported_where_it_comes_first():
    images, labels = batch()
    values = images.numpy()
    values[0, 0] = np.nan
    assert [each.where for each in check(mlp(), (tensor(values), labels))] == ["images"]
    model = mlp()
    scale(model.modules[2].bias, np.nan)
    assert [each.where for each in check(model, (images, labels))] == ["modules.2.bias"]

    class Log(Net):
        def between(self, h: Any) -> Any:
            return ndl.log(h - 1)

    with np.errstate(invalid="ignore"):
        (finding,) = [each for each in check(Log(), (images, labels)) if each.rule == "nan"]
    assert line_of(Log.between, "ndl.log") in finding.where and "Log()" in finding.message


def test_a_loss_of_ones_own_may_have_targets_of_any_kind():
    targets = tensor(np.random.randn(32, CLASSES), requires_grad=False)

    def squared(output: Any, target: Any) -> Any:
        return ((output - target) ** 2).mean()

    assert check(mlp(), (batch()[0], targets), squared) == []


def test_what_is_no_batch_and_no_loss_is_refused():
    with pytest.raises(TypeError, match=r"pair of Tensors, \(images, labels\); got \(Tensor, ndarray\)"):
        check(mlp(), (batch()[0], np.zeros(32)))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Tensor of one element"):
        check(mlp(), batch(), lambda output, target: output)
    with pytest.raises(ValueError, match="labels \\(batch,\\)"):
        check(mlp(), (batch()[0], tensor(np.zeros((32, 1)))))


@nd_only
def test_a_compiled_model_is_looked_into_and_compiles_nothing():
    model = mlp()
    model.modules[0].bias.data = tensor(np.full((1, 16), -100.0))
    compiled = ndl.compile(lambda output, target: nn.SoftmaxLoss()(output, target))
    assert "dead relus" in rules(check(model, batch(), compiled))
    assert len(compiled.programs) == 0


def test_examples_that_are_mixed_are_found_by_their_first_operation():
    class Mixing(Net):
        def between(self, h: Any) -> Any:
            return h - ndl.max(h, axes=(0,), keepdims=True)

    report = check(Mixing(), batch())
    (finding,) = [finding for finding in report if finding.rule == "examples mixed"]
    assert line_of(Mixing.between, "ndl.max") in finding.where and "changes if there are 32" in finding.message


def test_a_model_that_draws_numbers_also_in_evaluation_mode_is_not_said_to_mix_examples():
    class Drawing(Net):
        def between(self, h: Any) -> Any:
            return h + ndl.init.randn(*h.shape, requires_grad=False)

    assert "examples mixed" not in rules(check(Drawing(), batch()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((lambda x: x, batch()), "the model must be a Module, not a function"),
        ((mlp(), batch()[0]), r"a pair of Tensors, \(images, labels\); got one Tensor"),
        ((mlp(), batch(0)), r"the batch is empty: images of shape \(0, 20\)"),
    ],
)
def test_what_cannot_be_checked_is_refused(arguments: Any, message: str):
    with pytest.raises((TypeError, ValueError), match=message):
        check(*arguments)
