// Batch normalisation of a matrix: over the rows, for each column; its adjoint; mean and variance.
//
// Every sum over the rows is made of the sums of chunks of rows and columns, which are cut by size
// alone, so results do not depend on the number of threads. The adjoint computes mean and variance
// anew: that is cheaper than to keep them.
#include <cmath>
#include <memory>

#include "rows.h"

namespace needle::NEEDLE_ISA {

namespace {

constexpr int64_t kGrain = 16384;  // elements of a chunk
constexpr int64_t kChunkColumns = 512;
constexpr int64_t kChunkRows = 256;

// A matrix whose rows are dense.
template <typename T>
struct Matrix {
  const T* data;
  int64_t stride;  // from row to row
  explicit Matrix(const View& view) : data(view.data<T>()), stride(view.strides[0]) {}
  const T* at(int64_t row, int64_t column) const { return data + row * stride + column; }
};

// Some rows and columns of a matrix.
struct Chunk {
  int64_t row;
  int64_t rows;
  int64_t column;
  int64_t columns;
};

class Chunks {
 public:
  Chunks(int64_t rows, int64_t columns)
      : rows_(rows),
        columns_(columns),
        chunk_columns_(std::clamp<int64_t>(columns, 1, kChunkColumns)),
        chunk_rows_(std::clamp<int64_t>(kGrain / chunk_columns_, 1, kChunkRows)),
        across_((columns + chunk_columns_ - 1) / chunk_columns_),
        down_((rows + chunk_rows_ - 1) / chunk_rows_) {}
  int64_t down() const { return down_; }

  // Calls body(chunk, number of the chunk from the top), on the threads of the pool.
  template <typename Body>
  void parallel(Body&& body) const {
    parallel_for(down_ * across_, [&](int64_t i) {
      const int64_t row = i / across_ * chunk_rows_, column = i % across_ * chunk_columns_;
      body(Chunk{row, std::min(chunk_rows_, rows_ - row), column,
                 std::min(chunk_columns_, columns_ - column)},
           i / across_);
    });
  }

 private:
  int64_t rows_;
  int64_t columns_;
  int64_t chunk_columns_;
  int64_t chunk_rows_;
  int64_t across_;
  int64_t down_;
};

// sums[j] += term(i, j) for the rows i and the columns j of a chunk, counted from its corner.
template <typename T, typename Term>
void add_terms(const Chunk& chunk, Term term, T* sums) {
  int64_t i = 0;
  for (; i + 4 <= chunk.rows; i += 4) {
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < chunk.columns; ++j) {
      sums[j] += (term(i, j) + term(i + 1, j)) + (term(i + 2, j) + term(i + 3, j));
    }
  }
  for (; i < chunk.rows; ++i) {
    NEEDLE_INDEPENDENT
    for (int64_t j = 0; j < chunk.columns; ++j) sums[j] += term(i, j);
  }
}

// sums[j] <- the sum of column j of some terms; add(chunk, its sums) adds up those of a chunk.
template <typename T, typename AddChunk>
void sum_columns(const Chunks& chunks, int64_t columns, AddChunk add, T* sums) {
  const std::unique_ptr<T[]> partial(new T[chunks.down() * columns + 1]());
  chunks.parallel([&](const Chunk& chunk, int64_t number) {
    add(chunk, &partial[number * columns + chunk.column]);
  });
  std::fill_n(sums, columns, T{0});
  reduce_rows(Add{}, chunks.down(), partial.get(), columns, columns, sums);
}

// sums[j] <- the sum of column j of x.
template <typename T>
void sum_columns(const Chunks& chunks, int64_t columns, const Matrix<T>& x, T* sums) {
  const auto add = [&](const Chunk& chunk, T* to) {
    const T* const data = x.at(chunk.row, chunk.column);
    reduce_rows(Add{}, chunk.rows, data, x.stride, chunk.columns, to);
  };
  sum_columns(chunks, columns, add, sums);
}

// Mean and (biased) variance of every column.
template <typename T>
struct Statistics {
  std::unique_ptr<T[]> mean;
  std::unique_ptr<T[]> var;

  Statistics(const Chunks& chunks, const Matrix<T>& x, int64_t rows, int64_t columns)
      : mean(new T[columns + 1]), var(new T[columns + 1]) {
    const T count = static_cast<T>(rows);
    sum_columns(chunks, columns, x, mean.get());
    for (int64_t j = 0; j < columns; ++j) mean[j] /= count;
    sum_columns(
        chunks, columns,
        [&](const Chunk& chunk, T* sums) {
          const T* const data = x.at(chunk.row, chunk.column);
          const T* const m = &mean[chunk.column];
          const int64_t stride = x.stride;
          const auto square = [=](int64_t i, int64_t j) {
            const T deviation = data[i * stride + j] - m[j];
            return deviation * deviation;
          };
          add_terms(chunk, square, sums);
        },
        var.get());
    for (int64_t j = 0; j < columns; ++j) var[j] /= count;
  }
  // 1 / sqrt(var + eps), in the place of the variance.
  const T* scale(int64_t columns, T eps) {
    for (int64_t j = 0; j < columns; ++j) var[j] = 1 / std::sqrt(var[j] + eps);
    return var.get();
  }
};

template <typename T>
void batch_norm_of(const View& x_view, const View& weight, const View& bias, T eps, T* out) {
  const int64_t rows = x_view.shape[0], columns = x_view.shape[1];
  const Matrix<T> x(x_view);
  const Chunks chunks(rows, columns);
  Statistics<T> statistics(chunks, x, rows, columns);
  const T* const scale = statistics.scale(columns, eps);
  chunks.parallel([&](const Chunk& chunk, int64_t) {
    const T *const m = &statistics.mean[chunk.column], *const r = scale + chunk.column;
    const T* const w = weight.data<T>() + chunk.column;
    const T* const b = bias.data<T>() + chunk.column;
    for (int64_t i = chunk.row; i < chunk.row + chunk.rows; ++i) {
      const T* const row = x.at(i, chunk.column);
      T* const y = out + i * columns + chunk.column;
      NEEDLE_INDEPENDENT
      for (int64_t j = 0; j < chunk.columns; ++j) y[j] = w[j] * ((row[j] - m[j]) * r[j]) + b[j];
    }
  });
}

template <typename T>
void batch_norm_gradient_of(const View& x_view, const View& weight, const View& g_view, T eps,
                            T* dx, const View& dweight, const View& dbias) {
  const int64_t rows = x_view.shape[0], columns = x_view.shape[1];
  const Matrix<T> x(x_view), g(g_view);
  const Chunks chunks(rows, columns);
  Statistics<T> statistics(chunks, x, rows, columns);
  const T *const mean = statistics.mean.get(), *const scale = statistics.scale(columns, eps);
  const std::unique_ptr<T[]> sum(new T[columns + 1]), product(new T[columns + 1]);
  sum_columns(chunks, columns, g, sum.get());
  sum_columns(
      chunks, columns,
      [&](const Chunk& chunk, T* sums) {
        const T *const data = x.at(chunk.row, chunk.column), *const m = mean + chunk.column;
        const T *const h = g.at(chunk.row, chunk.column), *const r = scale + chunk.column;
        const int64_t x_stride = x.stride, g_stride = g.stride;
        const auto term = [=](int64_t i, int64_t j) {
          return h[i * g_stride + j] * ((data[i * x_stride + j] - m[j]) * r[j]);
        };
        add_terms(chunk, term, sums);
      },
      product.get());
  const T count = static_cast<T>(rows);
  chunks.parallel([&](const Chunk& chunk, int64_t) {
    const int64_t column = chunk.column;
    const T *const m = mean + column, *const r = scale + column, *const s = &sum[column];
    const T *const p = &product[column], *const w = weight.data<T>() + column;
    for (int64_t i = chunk.row; i < chunk.row + chunk.rows; ++i) {
      const T *const row = x.at(i, column), *const h = g.at(i, column);
      T* const d = dx + i * columns + column;
      NEEDLE_INDEPENDENT
      for (int64_t j = 0; j < chunk.columns; ++j) {
        const T normal = (row[j] - m[j]) * r[j];
        d[j] = w[j] * r[j] * (h[j] - s[j] / count - normal * (p[j] / count));
      }
    }
  });
  for (int64_t j = 0; j < columns; ++j) {
    dweight.data<T>()[j * dweight.strides[0]] = product[j];
    dbias.data<T>()[j * dbias.strides[0]] = sum[j];
  }
}

}  // namespace

void batch_norm(const View& x, const View& weight, const View& bias, double eps, const View& out) {
  if (out.size() == 0) return;
  const CompactResult result(out);
  dispatch_float("batch_norm", x.dtype(), [&](auto element) {
    using T = decltype(element);
    batch_norm_of<T>(with_dense_rows(x), with_dense_rows(weight), with_dense_rows(bias),
                     static_cast<T>(eps), result.data<T>());
  });
  result.finish();
}

void batch_norm_gradient(const View& x, const View& weight, const View& g, double eps,
                         const View& dx, const View& dweight, const View& dbias) {
  const CompactResult result(dx);
  dispatch_float("batch_norm_gradient", x.dtype(), [&](auto element) {
    using T = decltype(element);
    batch_norm_gradient_of<T>(with_dense_rows(x), with_dense_rows(weight), with_dense_rows(g),
                              static_cast<T>(eps), result.data<T>(), dweight, dbias);
  });
  result.finish();
}

void moments(const View& x, const View& mean, const View& var) {
  const View rows = with_dense_rows(x);
  dispatch_float("moments", x.dtype(), [&](auto element) {
    using T = decltype(element);
    const int64_t count = x.shape[0], columns = x.shape[1];
    const Statistics<T> found(Chunks(count, columns), Matrix<T>(rows), count, columns);
    for (int64_t j = 0; j < columns; ++j) {
      mean.data<T>()[j * mean.strides[0]] = found.mean[j];
      var.data<T>()[j * var.strides[0]] = found.var[j];
    }
  });
}

}  // namespace needle::NEEDLE_ISA
