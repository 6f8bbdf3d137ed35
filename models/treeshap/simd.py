"""Lanes: one SIMD value of many float lanes inside numba code, so that vectorisation is written down and not hoped for.

LLVM splits a wide value over whatever registers the machine has (AVX-512, AVX2, SSE2, NEON); the source stays the same.
A set of lanes is named by the bits of an unsigned integer, lane 0 being bit 0.
Source: numba's extension interface, https://numba.readthedocs.io/en/stable/extending/index.html.
"""

import hashlib
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


SOURCES = _sources_digest()


_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False, "fastmath": False}


def inline_kernel(function: Callable[..., Any]) -> Any:
    """A part of a kernel that becomes part of its callers: lanes returned by a call would travel through memory."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


def compile_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel with IEEE arithmetic (no fast-math: it deletes NaN tests) and unchecked indices.

    numba caches beside the source or, where that is read-only, in the user's cache folder or `NUMBA_CACHE_DIR`. Where
    none can be written, each process compiles anew.
    """
    try:
        kernel: Any = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return numba.njit(**_OPTIONS)(function)
    # numba stamps a cache with the age of the kernel's own file only, and would run on with an old copy of what was
    # inlined from another (https://numba.readthedocs.io/en/stable/user/faq.html); so all sources are the stamp.
    kernel._cache._cache_file._source_stamp = SOURCES
    return kernel


# numba publishes no types for these.
_struct_proxy: Any = cgutils.create_struct_proxy
_function_named: Any = cgutils.get_or_insert_function
_register_model: Any = register_model
_lower_builtin: Any = lower_builtin
_infer_global: Any = infer_global
_signature: Any = signature


class LanesType(types.Type):
    """The numba type of `width` lanes of one float type."""

    def __init__(self, element: Any, width: int) -> None:
        self.element, self.width = element, width
        super().__init__(name=f"Lanes({element}, {width})")


@_register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """Lanes are an LLVM vector in registers and in memory."""

    def __init__(self, manager: Any, lanes: LanesType) -> None:
        element = manager.lookup(lanes.element).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(element, lanes.width))  # type: ignore[no-untyped-call]


class _SameLanes(AbstractTemplate):
    """Lane by lane arithmetic takes two values of the same lanes."""

    def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        """The signature for two equal lane types; None for all others."""
        if len(args) == 2 and not kws and isinstance(args[0], LanesType) and args[0] == args[1]:
            return _signature(args[0], *args)
        return None


def _declare(operation: Any, instruction: str) -> None:
    _infer_global(operation)(type(f"Lanes_{operation.__name__}", (_SameLanes,), {"key": operation}))

    def lower(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)

    _lower_builtin(operation, LanesType, LanesType)(lower)


_declare(operator.add, "fadd")
_declare(operator.sub, "fsub")
_declare(operator.mul, "fmul")
_declare(operator.truediv, "fdiv")


def _operation(typing: Callable[..., Any]) -> Any:
    """An operation that writes its own LLVM instructions; widths reach it as literals."""
    return intrinsic(prefer_literal=True)(typing)


def _address(context: Any, builder: Any, array_type: Any, arguments: Any, vector: Any) -> Any:
    array, offset = arguments
    data = _struct_proxy(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())


def _size(array_type: Any) -> int:
    return int(array_type.dtype.bitwidth // 8)


def _splat(builder: Any, scalar: Any, width: int) -> Any:
    vector = ir.VectorType(scalar.type, width)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), order)


def _selection(builder: Any, bits: Any, width: int) -> Any:
    narrow = builder.trunc(bits, ir.IntType(width)) if bits.type.width > width else bits
    return builder.bitcast(narrow, ir.VectorType(ir.IntType(1), width))


@_operation
def load(_typing: Any, array: Any, _offset: Any, width: Any) -> Any:
    """Lanes `load(array, offset, width)`: `width` neighbours of a flat float array from `offset` on, unchecked."""
    lanes = LanesType(array.dtype, width.literal_value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = context.get_value_type(sig.return_type)
        return builder.load(_address(context, builder, sig.args[0], args[:2], vector), align=_size(sig.args[0]))

    return lanes(array, types.intp, width), generate


@_operation
def store(_typing: Any, array: Any, _offset: Any, lanes: Any) -> Any:
    """`store(array, offset, lanes)`: write the lanes to a flat float array from `offset` on, unchecked."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = _address(context, builder, sig.args[0], args[:2], args[2].type)
        builder.store(args[2], address, align=_size(sig.args[0]))
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@_operation
def splat(_typing: Any, scalar: Any, width: Any) -> Any:
    """Lanes `splat(scalar, width)`: the same float in every lane."""
    lanes = LanesType(scalar, width.literal_value)

    def generate(_context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _splat(builder, args[0], sig.return_type.width)

    return lanes(scalar, width), generate


@_operation
def where(_typing: Any, bits: Any, lanes: Any, others: Any) -> Any:
    """Lanes `where(bits, lanes, others)`: the first value in the lanes whose bit is 1, the second elsewhere."""

    def generate(_context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(_selection(builder, args[0], sig.return_type.width), args[1], args[2])

    return lanes(bits, lanes, others), generate


@_operation
def multiply_add(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Lanes `multiply_add(a, b, c)` = a·b + c, rounded once where the machine can."""

    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        vector = args[0].type
        suffix = f"v{vector.count}f{32 if isinstance(vector.element, ir.FloatType) else 64}"
        function_type = ir.FunctionType(vector, [vector] * 3)
        function = _function_named(builder.module, function_type, f"llvm.fmuladd.{suffix}")
        return builder.call(function, args)

    return a(a, b, c), generate


@_operation
def widen(_typing: Any, lanes: Any) -> Any:
    """Lanes `widen(lanes)`: the same numbers in float64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = context.get_value_type(sig.return_type)
        return args[0] if args[0].type == wide else builder.fpext(args[0], wide)

    return LanesType(types.float64, lanes.width)(lanes), generate


@_operation
def ordered_sum(_typing: Any, lanes: Any) -> Any:
    """Scalar `ordered_sum(lanes)`: 0 + lane 0 + lane 1 + ..., rounded in this order."""

    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        total = ir.Constant(args[0].type.element, 0.0)
        for lane in range(args[0].type.count):
            total = builder.fadd(total, builder.extract_element(args[0], ir.Constant(ir.IntType(32), lane)))
        return total

    return lanes.element(lanes), generate


@_operation
def bits_within(_typing: Any, codes: Any, _offset: Any, _low: Any, _span: Any, width: Any) -> Any:
    """Bits `bits_within(codes, offset, low, span, width)`: which neighbours from `offset` on are in low .. low + span.

    Unsigned arithmetic wraps around, so one comparison tests both ends.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = sig.args[4].literal_value
        element = context.get_value_type(sig.args[0].dtype)
        vector = ir.VectorType(element, lanes)
        address = _address(context, builder, sig.args[0], args[:2], vector)
        word = builder.load(address, align=_size(sig.args[0]))
        low_lanes, span_lanes = (_splat(builder, builder.trunc(args[place], element), lanes) for place in (2, 3))
        inside = builder.icmp_unsigned("<=", builder.sub(word, low_lanes), span_lanes)
        bits = builder.bitcast(inside, ir.IntType(lanes))
        return bits if lanes == 64 else builder.zext(bits, ir.IntType(64))

    return types.uint64(codes, types.intp, types.uint64, types.uint64, width), generate
