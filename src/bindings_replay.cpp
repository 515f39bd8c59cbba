// Replay: kernel calls that were recorded, done again in one go.
//
// The calls are the very functions that Python calls, with arguments that were made once; what
// changes from replay to replay (the memory of some views, some numbers) is put into them before.
// So a replayed kernel is the eager kernel, checks included, without any Python in between.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "bindings_sharing.h"

namespace needle::bindings {
namespace {

ViewObject* as_view_object(const py::handle& object) {
  if (Py_TYPE(object.ptr()) != view_type) throw py::type_error("Replay: a View is needed here");
  return reinterpret_cast<ViewObject*>(object.ptr());
}

// A call: a function and its arguments, which live as long as the Replay.
struct Call {
  py::object function;
  std::vector<py::object> owned;
  std::vector<PyObject*> arguments;
};

// Memory that is put in anew at each replay: the views over it, and the layout it must have.
class Slot {
 public:
  // `like` is a view of the memory as it was recorded; the views lie relative to it.
  Slot(const View& like, std::vector<py::object> views) : like_(like), views_(std::move(views)) {
    like_.array.reset();
    dtype_ = like.dtype();
    for (const py::object& object : views_) {
      View& view = as_view_object(object)->view;
      std::int64_t first = view.offset - like.offset;
      relative_.push_back(first);
      std::int64_t last = first;
      bool empty = false;
      for (int axis = 0; axis < view.ndim; ++axis) {
        empty |= view.shape[axis] == 0;
        const std::int64_t reach = (view.shape[axis] - 1) * view.strides[axis];
        (reach < 0 ? first : last) += reach;
      }
      if (!empty) {
        least_ = std::min(least_, first);
        most_ = std::max(most_, last);
      }
    }
  }

  bool fits(const View& given) const {
    if (given.dtype() != dtype_ || given.ndim != like_.ndim) return false;
    for (int axis = 0; axis < given.ndim; ++axis) {
      if (given.shape[axis] != like_.shape[axis]) return false;
      if (given.strides[axis] != like_.strides[axis] && given.shape[axis] != 1) return false;
    }
    return given.offset + least_ >= 0 &&
           (most_ < least_ || given.offset + most_ < given.array->size());
  }

  void bind(const View& given) {
    for (std::size_t i = 0; i < views_.size(); ++i) {
      View& view = reinterpret_cast<ViewObject*>(views_[i].ptr())->view;
      view.array = given.array;
      view.offset = given.offset + relative_[i];
    }
  }

  // Lets go of the memory, so that nobody takes it for shared.
  void release() {
    for (const py::object& object : views_) {
      reinterpret_cast<ViewObject*>(object.ptr())->view.array = nowhere();
    }
  }

 private:
  static const std::shared_ptr<Array>& nowhere() {
    static const auto* array = new std::shared_ptr<Array>(new Array(0, DType::kFloat32));
    return *array;
  }

  View like_;
  DType dtype_;
  std::vector<py::object> views_;
  std::vector<std::int64_t> relative_;
  std::int64_t least_ = 0;
  std::int64_t most_ = -1;
};

// Where a value that is computed in Python goes.
struct Feed {
  std::size_t call;
  std::size_t argument;
  std::size_t value;
};

class Replay {
 public:
  Replay(const py::list& calls, const py::list& slots,
         const std::vector<std::array<std::size_t, 3>>& feeds) {
    for (const py::handle& item : calls) {
      const auto pair = py::cast<py::tuple>(item);
      Call call{pair[0], {}, {}};
      for (const py::handle& argument : py::cast<py::tuple>(pair[1])) {
        call.owned.push_back(py::reinterpret_borrow<py::object>(argument));
        call.arguments.push_back(argument.ptr());
      }
      calls_.push_back(std::move(call));
    }
    for (const py::handle& item : slots) {
      const auto pair = py::cast<py::tuple>(item);
      std::vector<py::object> views;
      for (const py::handle& view : py::cast<py::list>(pair[1])) {
        as_view_object(view);
        views.push_back(py::reinterpret_borrow<py::object>(view));
      }
      slots_.emplace_back(as_view_object(pair[0])->view, std::move(views));
      slots_.back().release();
    }
    for (const auto& [call, argument, value] : feeds) {
      calls_.at(call).arguments.at(argument);
      feeds_.push_back({call, argument, value});
    }
  }

  // Whether views for the first slots have the layouts that were recorded.
  bool fits(const py::list& views) const {
    if (views.size() > slots_.size()) return false;
    for (std::size_t i = 0; i < views.size(); ++i) {
      if (!slots_[i].fits(as_view_object(views[i])->view)) return false;
    }
    return true;
  }

  // Does the calls with the memory of `views` and the numbers in `values`.
  void run(const py::list& views, const py::list& values) {
    if (views.size() != slots_.size() || !fits(views)) {
      throw py::value_error("Replay.run: one view of the recorded layout for each slot");
    }
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      slots_[i].bind(reinterpret_cast<ViewObject*>(PyList_GET_ITEM(views.ptr(), i))->view);
    }
    for (const Feed& feed : feeds_) {
      calls_[feed.call].arguments[feed.argument] =
          PyList_GetItem(values.ptr(), static_cast<Py_ssize_t>(feed.value));
    }
    const bool done = call_all();
    for (Slot& slot : slots_) slot.release();
    if (!done) throw py::error_already_set();
  }

  // The call that raised last.
  std::size_t failed() const { return failed_; }

 private:
  bool call_all() {
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      const Call& call = calls_[i];
      PyObject* result = PyObject_Vectorcall(call.function.ptr(), call.arguments.data(),
                                             call.arguments.size(), nullptr);
      if (!result) {
        failed_ = i;
        return false;
      }
      Py_DECREF(result);
    }
    return true;
  }

  std::vector<Call> calls_;
  std::vector<Slot> slots_;
  std::vector<Feed> feeds_;
  std::size_t failed_ = 0;
};

// Of arrays that tuples hold, each tuple those of one buffer: an array is known to its tuple, and
// its view to the array.
bool unshared_tuples(const py::list& tuples) {
  for (const py::handle& item : tuples) {
    const auto arrays = py::cast<py::tuple>(item);
    if (!unshared(&PyTuple_GET_ITEM(arrays.ptr(), 0), PyTuple_GET_SIZE(arrays.ptr()), {1, 1})) {
      return false;
    }
  }
  return true;
}

// The positions of those data that somebody else holds. Each is known to its tensor and to the list
// `data`, its view to the array and to so many lists of views.
std::vector<Py_ssize_t> held(const py::list& data, Py_ssize_t view_lists) {
  std::vector<Py_ssize_t> found;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(data.ptr()); ++i) {
    PyObject* const array = PyList_GET_ITEM(data.ptr(), i);
    if (!unshared(&array, 1, {2, 1 + view_lists})) found.push_back(i);
  }
  return found;
}

}  // namespace

void add_replay(py::module_& module) {
  py::class_<Replay>(module, "Replay", "Kernel calls that were recorded, done again in one go.")
      .def(py::init<const py::list&, const py::list&,
                    const std::vector<std::array<std::size_t, 3>>&>(),
           py::arg("calls"), py::arg("slots"), py::arg("feeds"))
      .def("run", &Replay::run, py::arg("views"), py::arg("values"),
           "Do the calls with the memory of `views`, one for each slot, and the numbers in "
           "`values`.")
      .def("fits", &Replay::fits, py::arg("views"),
           "Whether views for the first slots have the recorded layouts.")
      .def_property_readonly("failed", &Replay::failed, "The index of the call that raised last.");
  module.def("unshared", &unshared_tuples, py::arg("tuples"),
             "Whether nobody holds the arrays in these tuples; those of a tuple view one buffer.");
  module.def(
      "held", &held, py::arg("data"), py::arg("view_lists") = 0,
      "The positions of the arrays that somebody holds beside a tensor each, and the list; or "
      "whose views, beside so many lists of them.");
}

}  // namespace needle::bindings
