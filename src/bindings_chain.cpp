// Chain, a list of elementwise steps, and the kernel `chain` that does them.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bindings_kernels.h"
#include "chain.h"

namespace needle::bindings {
namespace {

// A step as Python writes it: the name of a kernel, and the numbers of one or two values.
using NamedStep = std::pair<std::string, std::vector<int>>;

// What the kernel of a step is, and whether it takes its operands in the opposite order.
struct Operator {
  Chain::Step step;
  bool reversed;
};

const std::map<std::string, Operator>& operators() {
  static const auto* found = [] {
    constexpr const char* unaries[] = {"neg",  "abs",  "sign", "relu", "log",    "exp",
                                       "tanh", "sqrt", "sin",  "cos",  "sigmoid"};
    const std::pair<const char*, Binary> binaries[] = {
        {"add", Binary::kAdd}, {"sub", Binary::kSub},         {"mul", Binary::kMul},
        {"div", Binary::kDiv}, {"maximum", Binary::kMaximum}, {"minimum", Binary::kMinimum},
        {"eq", Binary::kEq},   {"ne", Binary::kNe},           {"ge", Binary::kGe},
        {"gt", Binary::kGt},   {"le", Binary::kLe},           {"lt", Binary::kLt}};
    auto* map = new std::map<std::string, Operator>;
    for (std::size_t i = 0; i < std::size(unaries); ++i) {
      (*map)[std::string("ewise_") + unaries[i]] = {{false, static_cast<Unary>(i), {}, 0, 0},
                                                    false};
    }
    for (const auto& [name, op] : binaries) {
      (*map)[std::string("ewise_") + name] = {{true, {}, op, 0, 0}, false};
      (*map)[std::string("scalar_") + name] = {{true, {}, op, 0, 0}, false};
    }
    (*map)["scalar_rsub"] = {{true, {}, Binary::kSub, 0, 0}, true};
    (*map)["scalar_rdiv"] = {{true, {}, Binary::kDiv, 0, 0}, true};
    return map;
  }();
  return *found;
}

// Gives each result a register, and takes it back after the last step that reads it.
void assign_registers(Chain& chain) {
  const int count = static_cast<int>(chain.steps.size());
  std::vector<int> last(chain.inputs + count, -1);  // the step that reads a value last
  for (int s = 0; s < count; ++s) {
    last[chain.steps[s].a] = s;
    if (chain.steps[s].is_binary) last[chain.steps[s].b] = s;
  }
  for (const int value : chain.outputs) last[value] = count;
  std::vector<int> free;
  const auto release = [&](int value, int s) {
    if (value < chain.inputs || last[value] != s) return;
    free.push_back(chain.steps[value - chain.inputs].position);
    last[value] = -1;  // once, if a step reads it twice
  };
  for (int s = 0; s < count; ++s) {
    Chain::Step& step = chain.steps[s];
    release(step.a, s);  // before the result has its place: a row function may write to an operand
    if (step.is_binary) release(step.b, s);
    if (free.empty()) free.push_back(chain.registers++);
    step.position = free.back();
    free.pop_back();
  }
}

Chain make_chain(int inputs, const std::vector<NamedStep>& steps, std::vector<int> outputs) {
  Chain chain{inputs, {}, std::move(outputs)};
  if (inputs < 1 || steps.empty() || steps.size() + inputs > kMostChainValues) {
    throw py::value_error("Chain: 1 input, 1 step, and " + std::to_string(kMostChainValues) +
                          " of both together at most");
  }
  for (const auto& [name, operands] : steps) {
    const auto found = operators().find(name);
    if (found == operators().end()) throw py::value_error("Chain: no step may be a " + name);
    Chain::Step step = found->second.step;
    if (operands.size() != (step.is_binary ? 2 : 1)) {
      throw py::value_error("Chain: a wrong number of operands for " + name);
    }
    const int known = inputs + static_cast<int>(chain.steps.size());
    for (const int value : operands) {
      if (value < 0 || value >= known) {
        throw py::value_error("Chain: " + name + " reads value " + std::to_string(value) +
                              ", which is not there yet");
      }
    }
    step.a = operands.front();
    step.b = operands.back();
    if (found->second.reversed) std::swap(step.a, step.b);
    chain.steps.push_back(step);
  }
  for (const int value : chain.outputs) {
    if (value < inputs || value >= inputs + static_cast<int>(steps.size())) {
      throw py::value_error("Chain: an output must be the result of a step");
    }
  }
  if (chain.outputs.empty()) throw py::value_error("Chain: an output is needed");
  assign_registers(chain);
  return chain;
}

// After how many elements, in row-major order, a view begins again: it is broadcast along its first
// axes and compact along the others.
std::int64_t period_of(const char* name, const View& view) {
  std::int64_t period = 1;
  int axis = view.ndim - 1;
  for (; axis >= 0; --axis) {
    if (view.shape[axis] != 1 && view.strides[axis] != period) break;
    period *= view.shape[axis];
  }
  for (; axis >= 0; --axis) {
    if (view.shape[axis] != 1 && view.strides[axis] != 0) {
      throw py::value_error(std::string(name) + ": an operand must be compact, or broadcast " +
                            "along its first axes, not " + describe(view));
    }
  }
  return period;
}

PyObject* chain(const char* name, PyObject* const* args, Py_ssize_t count) {
  if (count < 1) require_count(name, count, 1);
  if (!py::isinstance<Chain>(args[0])) {
    throw py::type_error("chain: the first argument must be a Chain, not " +
                         std::string(Py_TYPE(args[0])->tp_name));
  }
  const auto& chain = py::cast<const Chain&>(py::handle(args[0]));
  const auto outputs = static_cast<Py_ssize_t>(chain.outputs.size());
  require_count(name, count, 1 + chain.inputs + outputs);

  std::array<const View*, kMostChainValues> outs;
  for (Py_ssize_t i = 0; i < outputs; ++i) {
    outs[i] = &view_of(args[1 + chain.inputs + i], name, "out");
    require_shape(name, *outs[0], *outs[i]);
    require_dtype(name, "out", *outs[i], outs[0]->dtype());
    if (outs[i]->size() != 0 && period_of(name, *outs[i]) != outs[i]->size()) {
      throw py::value_error(std::string(name) + ": an output must be compact");
    }
  }
  const View& out = *outs[0];
  if (!is_float(out.dtype())) wrong_dtype(name, "out", out, "a float");
  std::array<ChainInput, kMostChainValues> inputs;
  alignas(8) unsigned char numbers[kMostChainValues][8];
  for (int i = 0; i < chain.inputs; ++i) {
    PyObject* const argument = args[1 + i];
    if (Py_TYPE(argument) == view_type) {
      const View& view = reinterpret_cast<ViewObject*>(argument)->view;
      require_shape(name, out, view);
      require_dtype(name, "an input", view, out.dtype());
      const std::int64_t period = view.size() == 0 ? 1 : period_of(name, view);
      const auto first = view.offset * static_cast<std::int64_t>(item_size(view.dtype()));
      inputs[i] = {view.array->data<char>() + first, period};
    } else {
      dispatch_float(name, out.dtype(), [&](auto element) {
        using T = decltype(element);
        new (numbers[i]) T(number_of<T>(argument));
      });
      inputs[i] = {numbers[i], 1};
    }
  }
  const auto work = out.size() * static_cast<std::int64_t>(chain.steps.size());
  without_gil(work, [&] { kernels().chain(chain, inputs.data(), outs.data()); });
  for (Py_ssize_t i = 0; i < outputs; ++i) outs[i]->array->raise_version();
  return none();
}

}  // namespace

void add_chain(py::module_& module) {
  py::class_<Chain>(module, "Chain", "A list of elementwise steps. See ndarray_backend_numpy.")
      .def(py::init(&make_chain), py::arg("inputs"), py::arg("steps"), py::arg("outputs"));
  static Table table;
  table.add<chain>("chain", "chain, *operands");
  if (PyModule_AddFunctions(module.ptr(), table.finish()) != 0) throw py::error_already_set();
}

}  // namespace needle::bindings
