"""Compiled dense algebra of many small systems at once: one system per lane of a vector.

An array whose last axis has `LANES` entries holds one number of each system in a row. Whole rows are loaded, multiplied
and stored as vectors: the compiler is told so, since it cannot know that the arrays do not overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

Array = NDArray[np.float64]

LANES = 8
"""Systems per row."""

_ROW = ir.VectorType(ir.DoubleType(), LANES)

# Products may be fused with sums; nothing else is reordered.
compiled = njit(cache=True, fastmath={"contract"})
threaded = njit(cache=True, parallel=True, fastmath={"contract"})


def _pointer(context: Any, builder: Any, kind: Any, value: Any, row: Any) -> Any:
    data = context.make_array(kind)(context, builder, value).data
    start = builder.mul(row, ir.Constant(row.type, LANES))
    return builder.bitcast(builder.gep(data, [start]), _ROW.as_pointer())


def _load(builder: Any, pointer: Any) -> Any:
    loaded = builder.load(pointer)
    loaded.align = 8
    return loaded


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_ROW, [_ROW] * 3), f"llvm.fma.v{LANES}f64"
    )
    return builder.call(function, [a, b, c])


def _is_rows(kind: Any) -> bool:
    return isinstance(kind, types.Array) and kind.layout == "C" and kind.dtype == types.float64


@intrinsic
def add_scaled(typing: Any, out: Any, i: Any, value: Any, rows: Any, j: Any) -> Any:
    """out[i] += value·rows[j], rows counted through all leading axes."""
    del typing
    if not (_is_rows(out) and _is_rows(rows)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        target = _pointer(context, builder, kinds[0], arguments[0], arguments[1])
        source = _pointer(context, builder, kinds[3], arguments[3], arguments[4])
        spread = ir.Constant(_ROW, ir.Undefined)
        first = builder.insert_element(spread, arguments[2], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        spread = builder.shuffle_vector(first, spread, zeros)
        total = _fused(builder, spread, _load(builder, source), _load(builder, target))
        builder.store(total, target).align = 8
        return context.get_dummy_value()

    return types.void(out, types.intp, types.float64, rows, types.intp), generate


@intrinsic
def add_product(typing: Any, out: Any, i: Any, left: Any, j: Any, right: Any, k: Any) -> Any:
    """out[i] += left[j]·right[k], lane by lane."""
    del typing
    if not (_is_rows(out) and _is_rows(left) and _is_rows(right)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        target, a, b = (
            _pointer(context, builder, kinds[n], arguments[n], arguments[n + 1]) for n in (0, 2, 4)
        )
        total = _fused(builder, _load(builder, a), _load(builder, b), _load(builder, target))
        builder.store(total, target).align = 8
        return context.get_dummy_value()

    return types.void(out, types.intp, left, types.intp, right, types.intp), generate


@compiled
def combine(terms: Array, weights: Array, out: Array) -> None:
    """Write Σₖ weightₖ·termₖ; (k, r, r), (k, LANES) → (n, n, LANES) with n ≥ r."""
    count, r = terms.shape[0], terms.shape[1]
    n = out.shape[1]
    for a in range(r):
        for b in range(r):
            for lane in range(LANES):
                out[a, b, lane] = 0.0
        for k in range(count):
            for b in range(r):
                add_scaled(out, a * n + b, terms[k, a, b], weights, k)


@compiled
def gather(columns: Array, vectors: Array, out: Array) -> None:
    """Write columnsᵀ·vectors; (r, s), (r or more, LANES) → (s, LANES)."""
    r, count = columns.shape
    for s in range(count):
        for lane in range(LANES):
            out[s, lane] = 0.0
    for k in range(r):
        for s in range(count):
            add_scaled(out, s, columns[k, s], vectors, k)


@compiled
def scatter(rows: Array, values: Array, factor: Array, out: Array) -> None:
    """Add factor·rowsᵀ·values; (s, r), (s, LANES), (LANES,) → (r or more, LANES). `values` are scaled."""
    count, r = rows.shape
    for s in range(count):
        for lane in range(LANES):
            values[s, lane] *= factor[lane]
        for k in range(r):
            add_scaled(out, k, rows[s, k], values, s)


@compiled
def add_weighted_gram(rows: Array, weight: Array, factor: Array, out: Array, work: Array) -> None:
    """Add factor·Σₛ weightₛ·rowₛ·rowₛᵀ.

    Parameters
    ----------
    rows : (s, r) array
    weight, factor : (s or more, LANES), (LANES,) arrays
    out : (n, n, LANES) array
        n ≥ r.
    work : (r + 1 or more, LANES) array
    """
    count, r = rows.shape
    n = out.shape[1]
    for a in range(r):
        for b in range(a + 1):
            for lane in range(LANES):
                work[b, lane] = 0.0
        for s in range(count):
            value = rows[s, a]
            for lane in range(LANES):
                work[r, lane] = value * weight[s, lane]
            for b in range(a + 1):
                add_scaled(work, b, rows[s, b], work, r)
        for b in range(a + 1):
            add_product(out, a * n + b, work, b, factor, 0)
            if b < a:
                add_product(out, b * n + a, work, b, factor, 0)


@compiled
def factorize(matrix: Array, n: int) -> None:
    """LU without pivoting (for a positive definite symmetric part); the diagonal is left inverted."""
    negative = np.empty((1, LANES))
    for k in range(n):
        for lane in range(LANES):
            matrix[k, k, lane] = 1.0 / matrix[k, k, lane]
        for i in range(k + 1, n):
            for lane in range(LANES):
                matrix[i, k, lane] *= matrix[k, k, lane]
                negative[0, lane] = -matrix[i, k, lane]
            for j in range(k + 1, n):
                add_product(matrix, i * n + j, negative, 0, matrix, k * n + j)


@compiled
def substitute(matrix: Array, right: Array, n: int) -> None:
    """Overwrite the right-hand side (n, LANES) with the solution."""
    negative = np.empty((1, LANES))
    for j in range(n):
        for lane in range(LANES):
            negative[0, lane] = -right[j, lane]
        for i in range(j + 1, n):
            add_product(right, i, matrix, i * n + j, negative, 0)
    for j in range(n - 1, -1, -1):
        for lane in range(LANES):
            right[j, lane] *= matrix[j, j, lane]
            negative[0, lane] = -right[j, lane]
        for i in range(j):
            add_product(right, i, matrix, i * n + j, negative, 0)
