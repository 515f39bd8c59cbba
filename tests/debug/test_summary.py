"""`summary` tells shapes, parameters and flops of a model's layers, and leaves the model as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.debug.summary import summary
from needle.listening import listeners
from tests.autograd.graphs import counted_computations, tensor


class Double(ndl.TensorOp):
    """An operator as a student writes it."""

    def compute(self, a: Any) -> Any:
        return a * 2

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad * 2


class Doubling(nn.Module):
    def forward(self, x: Any) -> Any:
        return Double()(x)


def drawing_as_now() -> np.random.RandomState:
    """A generator that will draw what NumPy's global one would draw now."""
    generator = np.random.RandomState()
    generator.set_state(np.random.get_state())
    return generator


def test_rows_come_in_call_order_with_path_class_and_output_shape():
    model = nn.Sequential(nn.Linear(3, 4), nn.Residual(nn.Sequential(nn.ReLU(), nn.Identity())), nn.Flatten())
    rows = summary(model, (8, 3)).rows
    assert [(row.path, row.kind, row.output_shape, row.depth) for row in rows] == [
        ("", "Sequential", (8, 4), 0),
        ("modules.0", "Linear", (8, 4), 1),
        ("modules.1", "Residual", (8, 4), 1),
        ("modules.1.fn", "Sequential", (8, 4), 2),
        ("modules.1.fn.modules.0", "ReLU", (8, 4), 3),
        ("modules.1.fn.modules.1", "Identity", (8, 4), 3),
        ("modules.2", "Flatten", (8, 4), 1),
    ]


def test_parameters_and_flops_of_linear_layers_are_those_of_the_formula():
    model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10, bias=False))
    table = summary(model, (32, 784))
    first, relu, second = (table[f"modules.{i}"] for i in range(3))
    assert (first.parameters, first.flops) == (784 * 100 + 100, 2 * 32 * 784 * 100 + 32 * 100)
    assert (relu.parameters, relu.flops) == (0, 32 * 100)
    assert (second.parameters, second.flops) == (1000, 2 * 32 * 100 * 10)
    assert table.parameters == 79_500 and table.parameter_bytes == 4 * 79_500
    assert table.flops == first.flops + relu.flops + second.flops


def test_a_batched_product_and_an_einsum_count_every_multiplication_and_addition():
    class Products(nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return ndl.einsum("bij,bkj->bik", a @ b, a)

    table = summary(Products(), ((2, 3, 5), (2, 5, 5)))
    assert table.flops == 2 * (2 * 3 * 5 * 5) + 2 * (2 * 3 * 3 * 5)
    assert table.rows[0].output_shape == (2, 3, 3)


def test_nothing_is_computed_drawn_or_changed():
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.LayerNorm1d(5))
    before, attributes = model.state_dict(), [dict(vars(m)) for _, m in model.named_modules()]
    random = drawing_as_now()
    with counted_computations() as counts:
        table = summary(model, (6, 4))
    assert not counts and len(table.rows) == 5 and not listeners
    np.testing.assert_array_equal(random.rand(5), np.random.rand(5))
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert [dict(vars(m)) for _, m in model.named_modules()] == attributes


def test_what_a_module_remembers_of_its_last_call_is_put_back():
    class Memory(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last: Any = "nothing"

        def forward(self, x: Any) -> Any:
            self.last = x
            return x + 1

    model = Memory()
    summary(model, (2,))
    assert model.last == "nothing"


def test_a_shared_module_has_a_row_for_each_call_and_its_parameters_once():
    shared = nn.Linear(4, 4)
    table = summary(nn.Sequential(shared, nn.ReLU(), shared), (1, 4))
    rows = [row for row in table.rows if row.kind == "Linear"]
    assert [row.parameters for row in rows] == [20, 0] and [row.again for row in rows] == [False, True]
    assert rows[0].flops == rows[1].flops == 2 * 16 + 4
    assert table.parameters == 20 == sum(row.parameters for row in table.rows)


def test_a_shared_parameter_counts_once_and_one_of_the_model_itself_counts_for_the_model():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scales = [nn.Parameter(np.ones((3,), "float32"))]
            self.a, self.b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Any) -> Any:
            return self.b(self.a(x)) * self.scales[0]

    table = summary(Tied(), (2, 3))
    assert [row.parameters for row in table.rows] == [3, 9, 0] and table.parameters == 12


def test_modules_that_are_not_called_are_named():
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.forgotten = nn.Linear(2, 2), nn.Linear(2, 7)

        def forward(self, x: Any) -> Any:
            return self.used(x)

    table = summary(Forgetful(), (1, 2))
    assert table.unused == {"forgotten": 21} and "not called: forgotten (21 parameters)" in str(table)
    assert table.parameters == 6 + 21


def test_a_students_operator_counts_one_for_each_element():
    assert summary(nn.Sequential(Doubling()), (3, 5)).flops == 15


def test_a_tensor_stands_for_itself_where_values_matter_and_a_shape_for_zeros():
    class Branching(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2 if float(x.sum()) > 0 else x

    model = Branching()
    given, zeros = summary(model, tensor(np.ones((2, 2)))), summary(model, (2, 2))
    assert (given.flops, given.on_zeros) == (8, False) and (zeros.flops, zeros.on_zeros) == (4, True)
    assert str(zeros).endswith("the model asked for values: they are those for an input of zeros")
    assert str(given).endswith("8 flops forward")


def test_what_a_students_layer_writes_into_its_buffers_is_put_back():
    class Average(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.running = tensor([5.0, 5.0])

        def forward(self, x: Any) -> Any:
            self.running.data = self.running.data * 0.5 + x.data.sum(axes=0)
            return x - self.running

    model = Average()
    summary(model, (3, 2))
    assert model.running.numpy().tolist() == [5, 5]


def test_a_model_that_fails_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(2, 3))
    random = drawing_as_now()
    with pytest.raises(ValueError, match="Linear: the input must have shape"):
        summary(model, (1, 2))
    assert not any("forward" in vars(module) for _, module in model.named_modules()) and not listeners
    np.testing.assert_array_equal(random.rand(5), np.random.rand(5))


def test_every_line_has_at_most_80_columns_however_long_names_and_shapes_are():
    deep: nn.Module = nn.Linear(2, 2)
    for _ in range(30):
        deep = nn.Sequential(deep)
    wide = nn.Sequential(deep, nn.Linear(2, 123_456, bias=False))
    lines = str(summary(wide, (1, 1, 1, 1, 1, 1, 1, 2))).splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) == 1 + 1 + 33 + 1 + 2
    assert lines[-1] == "246,918 parameters (964.5 KiB), 493,834 flops forward"


@pytest.mark.parametrize("shape", [3, "ab", (2.5, 1), (-1, 3), None])
def test_what_is_no_shape_is_refused_in_words(shape: Any):
    with pytest.raises(TypeError, match="a shape is a tuple of extents"):
        summary(nn.ReLU(), shape)


def test_what_is_no_module_is_refused_in_words():
    with pytest.raises(TypeError, match="must be a Module, not a function"):
        summary(lambda x: x, (1,))  # type: ignore[arg-type]
