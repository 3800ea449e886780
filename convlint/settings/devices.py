"""The devices and data types that models run with."""

DEVICES = ("cpu", "cuda", "meta")
MODEL_DTYPES = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128")
INPUT_DTYPES = (*MODEL_DTYPES, "int64", "int32", "int16", "int8", "uint8", "bool")
