"""Compiled dense algebra of many small systems at once: one system per lane of a vector.

An array whose last axis has `LANES` entries holds one number of each system in a row. Whole rows are loaded, multiplied
and stored as vectors: the compiler is told so, since it cannot know that the arrays do not overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
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


def _spread(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_ROW, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, zeros)


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
        total = _fused(
            builder, _spread(builder, arguments[2]), _load(builder, source), _load(builder, target)
        )
        builder.store(total, target).align = 8
        return context.get_dummy_value()

    return types.void(out, types.intp, types.float64, rows, types.intp), generate


@intrinsic
def add_four_scaled(typing: Any, out: Any, i: Any, a: Any, b: Any, c: Any, d: Any, rows: Any, j: Any) -> Any:
    """out[i] += a·rows[j] + b·rows[j+1] + c·rows[j+2] + d·rows[j+3]: four products for one row stored."""
    del typing
    if not (_is_rows(out) and _is_rows(rows)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        target = _pointer(context, builder, kinds[0], arguments[0], arguments[1])
        total = _load(builder, target)
        for q in range(4):
            row = builder.add(arguments[7], ir.Constant(arguments[7].type, q))
            source = _pointer(context, builder, kinds[6], arguments[6], row)
            total = _fused(builder, _spread(builder, arguments[2 + q]), _load(builder, source), total)
        builder.store(total, target).align = 8
        return context.get_dummy_value()

    real = types.float64
    return types.void(out, types.intp, real, real, real, real, rows, types.intp), generate


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


@intrinsic
def subtract_four_products(
    typing: Any, out: Any, i: Any, left: Any, j: Any, right: Any, k: Any, stride: Any
) -> Any:
    """out[i] −= Σ left[j+q]·right[k+q·stride], q = 0 … 3, lane by lane."""
    del typing
    if not (_is_rows(out) and _is_rows(left) and _is_rows(right)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        target = _pointer(context, builder, kinds[0], arguments[0], arguments[1])
        total = _load(builder, target)
        for q in range(4):
            step = ir.Constant(arguments[3].type, q)
            one = _pointer(context, builder, kinds[2], arguments[2], builder.add(arguments[3], step))
            place = builder.add(arguments[5], builder.mul(arguments[6], step))
            other = _pointer(context, builder, kinds[4], arguments[4], place)
            minus = builder.fneg(_load(builder, one))
            total = _fused(builder, minus, _load(builder, other), total)
        builder.store(total, target).align = 8
        return context.get_dummy_value()

    whole = types.intp
    return types.void(out, whole, left, whole, right, whole, whole), generate


@compiled
def combine(terms: Array, weights: Array, out: Array) -> None:
    """Write Σₖ weightₖ·termₖ; (r, r, k), (k, LANES) → (n, n, LANES) with n ≥ r; k a multiple of four."""
    r, count = terms.shape[0], terms.shape[2]
    n = out.shape[1]
    for a in range(r):
        for b in range(r):
            at = a * n + b
            for lane in range(LANES):
                out[a, b, lane] = 0.0
            for k in range(0, count, 4):
                t = terms[a, b]
                add_four_scaled(out, at, t[k], t[k + 1], t[k + 2], t[k + 3], weights, k)


@compiled
def gather(rows: Array, vectors: Array, out: Array) -> None:
    """Write rows·vectors; (s, r), (r or more, LANES) → (s, LANES)."""
    count, r = rows.shape
    whole = r - r % 4
    for s in range(count):
        row = rows[s]
        for lane in range(LANES):
            out[s, lane] = 0.0
        for k in range(0, whole, 4):
            add_four_scaled(out, s, row[k], row[k + 1], row[k + 2], row[k + 3], vectors, k)
        for k in range(whole, r):
            add_scaled(out, s, row[k], vectors, k)


@compiled
def scatter(rows: Array, values: Array, factor: Array, out: Array) -> None:
    """Add factor·rowsᵀ·values; (s, r), (s, LANES), (LANES,) → (r or more, LANES). `values` are scaled."""
    count, r = rows.shape
    whole = count - count % 4
    for s in range(count):
        for lane in range(LANES):
            values[s, lane] *= factor[lane]
    for s in range(0, whole, 4):
        for k in range(r):
            add_four_scaled(out, k, rows[s, k], rows[s + 1, k], rows[s + 2, k], rows[s + 3, k], values, s)
    for s in range(whole, count):
        for k in range(r):
            add_scaled(out, k, rows[s, k], values, s)


@compiled
def factorize(matrix: Array, n: int) -> None:
    """LU without pivoting (for a positive definite symmetric part), four columns at a time.

    The diagonal is left inverted.
    """
    negative = np.empty((1, LANES))
    for first in range(0, n, 4):
        last = min(first + 4, n)
        # The four columns, and then the four rows.
        for k in range(first, last):
            for lane in range(LANES):
                matrix[k, k, lane] = 1.0 / matrix[k, k, lane]
            for i in range(k + 1, n):
                for lane in range(LANES):
                    matrix[i, k, lane] *= matrix[k, k, lane]
                    negative[0, lane] = -matrix[i, k, lane]
                for j in range(k + 1, last):
                    add_product(matrix, i * n + j, negative, 0, matrix, k * n + j)
        if last - first < 4 or last == n:
            continue
        for k in range(first, last):
            for i in range(k + 1, last):
                for lane in range(LANES):
                    negative[0, lane] = -matrix[i, k, lane]
                for j in range(last, n):
                    add_product(matrix, i * n + j, negative, 0, matrix, k * n + j)
        for i in range(last, n):
            for j in range(last, n):
                subtract_four_products(matrix, i * n + j, matrix, i * n + first, matrix, first * n + j, n)


@compiled
def substitute(matrix: Array, right: Array, n: int) -> None:
    """Overwrite the right-hand side (n, LANES) with the solution."""
    negative = np.empty((1, LANES))
    for first in range(0, n, 4):
        last = min(first + 4, n)
        for j in range(first, last):
            for lane in range(LANES):
                negative[0, lane] = -right[j, lane]
            for i in range(j + 1, last):
                add_product(right, i, matrix, i * n + j, negative, 0)
        for i in range(last, n):
            subtract_four_products(right, i, matrix, i * n + first, right, first, 1)
    for last in range(n, 0, -4):
        first = max(last - 4, 0)
        for j in range(last - 1, first - 1, -1):
            for lane in range(LANES):
                right[j, lane] *= matrix[j, j, lane]
                negative[0, lane] = -right[j, lane]
            for i in range(first, j):
                add_product(right, i, matrix, i * n + j, negative, 0)
        if last - first == 4:
            for i in range(first):
                subtract_four_products(right, i, matrix, i * n + first, right, first, 1)
