"""Identifiers whose order says nothing about what they name."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

DIGITS = 10
# Numbers a chunk of listings may use for its events: 4096 chunks fit below 2**40.
NUMBER_SPAN = 1 << 28
_BITS = np.uint64(4 * DIGITS)
_MASK = np.uint64((1 << (4 * DIGITS)) - 1)
_ODD = np.uint64(0x9E3779B97F4A7C15 & ((1 << (4 * DIGITS)) - 1))
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def identifiers(letter: str, numbers: npt.NDArray[np.int64], seed: int) -> pa.StringArray:
    """`letter` and ten hexadecimal digits per number: unique below 2**40, in no recognisable order.

    Multiplying by an odd number and folding the high half into the low are both one-to-one on forty bits.
    """
    mixed = numbers.astype(np.uint64) ^ (np.uint64(seed * 0x5851F42D + ord(letter)) & _MASK)
    for _ in range(3):
        mixed = (mixed * _ODD) & _MASK
        mixed ^= mixed >> (_BITS // np.uint64(2))
    written = np.empty((len(numbers), 1 + DIGITS), dtype=np.uint8)
    written[:, 0] = ord(letter)
    for digit in range(DIGITS):
        nibble = (mixed >> np.uint64(4 * digit)) & np.uint64(15)
        written[:, DIGITS - digit] = _HEX[nibble]
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * np.int32(1 + DIGITS)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(written))
