"""wav2vec 2.0 speech recognition in TensorFlow.

Public names load on first use: importing this package costs no TensorFlow until a model is asked for.
"""

import importlib

_HOMES = {
    "Wav2Vec2Config":        "config",
    "Wav2Vec2Model":         "model",
    "Wav2Vec2ForCTC":        "model_ctc",
    "Wav2Vec2Processor":     "processor",
    "Wav2Vec2CTCTokenizer":  "text.tokenizer",
    "SubwordTokenizer":      "text.subwords",
    "Transcriber":           "transcriber",
    "CTCLoss":               "ctc",
    "ctc_loss":              "ctc",
}  # fmt: skip

__all__ = sorted(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return __all__
