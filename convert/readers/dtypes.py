"""The element types of checkpoints by the names that safetensors and torch give them; all little-endian."""

import ml_dtypes
import numpy as np

# safetensors   torch             storage of torch    NumPy
TABLE = (
    ("F64",     "float64",        "DoubleStorage",    "<f8"),
    ("F32",     "float32",        "FloatStorage",     "<f4"),
    ("F16",     "float16",        "HalfStorage",      "<f2"),
    ("BF16",    "bfloat16",       "BFloat16Storage",  ml_dtypes.bfloat16),
    ("I64",     "int64",          "LongStorage",      "<i8"),
    ("I32",     "int32",          "IntStorage",       "<i4"),
    ("I16",     "int16",          "ShortStorage",     "<i2"),
    ("I8",      "int8",           "CharStorage",      "i1"),
    ("U64",     "uint64",         "",                 "<u8"),
    ("U32",     "uint32",         "",                 "<u4"),
    ("U16",     "uint16",         "",                 "<u2"),
    ("U8",      "uint8",          "ByteStorage",      "u1"),
    ("BOOL",    "bool",           "BoolStorage",      "?"),
    ("C64",     "complex64",      "ComplexFloatStorage",  "<c8"),
    ("C128",    "complex128",     "ComplexDoubleStorage", "<c16"),
    ("F8_E4M3", "float8_e4m3fn",  "",                 ml_dtypes.float8_e4m3fn),
    ("F8_E5M2", "float8_e5m2",    "",                 ml_dtypes.float8_e5m2),
)  # fmt: skip

SAFETENSORS = {name: np.dtype(dtype) for name, _, _, dtype in TABLE}
TORCH = {f"torch.{name}": np.dtype(dtype) for _, name, _, dtype in TABLE}
STORAGES = {f"torch.{name}": np.dtype(dtype) for _, _, name, dtype in TABLE if name}
