"""Recreates golden/readers/: weight files by torch itself, for the readers that do without it.

The only script for them that needs torch (2.13.0) and huggingface_hub (2.4.0 for the shards). Run it from the root of
the repository: `python tests/golden/recreate_readers.py`. Random draws: torch, seed 31.
"""

import argparse
import json
import platform
import shutil
from collections import OrderedDict
from pathlib import Path

import huggingface_hub
import numpy as np
import torch

FOLDER = Path(__file__).with_name("readers")
SEED = 31
NEW_TYPES = ("float8_e4m3fn", "float8_e5m2", "uint16")  # they have no storage in the older form
TYPES = """float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128""".split()


def state() -> OrderedDict:
    """Makes one tensor of each type, and of each way to lie in a storage."""
    drawn = torch.randn(6, 4) * 3
    tensors = OrderedDict((name, (drawn[:3] + 4).to(getattr(torch, name))) for name in [*TYPES, *NEW_TYPES])
    own = torch.nn.Parameter(torch.ones(2))
    own.tag = "attributes of its own"
    tensors |= {
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "whole": drawn,
        "same": drawn,
        "transposed": drawn.t(),
        "window": drawn[1:5:2, 1:],
        "parameter": torch.nn.Parameter(torch.randn(2, 3, 2).permute(2, 0, 1)),
        "parameter_with_state": own,
    }
    tensors._metadata = OrderedDict({"": {"version": 1}})
    return tensors


def checkpoint(tensors: OrderedDict) -> dict:
    """Makes what surrounds a model in older training programs."""
    return {
        "args": argparse.Namespace(arch="tiny", layers=[1, 2], dropout=0.1),
        "model": OrderedDict(tensors),
        "extra": {"set": {3}, "bytes": b"\xff\x00", "size": torch.Size([2, 3]), "type": torch.float16, 1: None},
    }


def as_numpy(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype in (torch.bfloat16, *FLOAT8) else tensor).contiguous().numpy()


FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)


def shards(folder: Path) -> None:
    tensors = {f"layers.{i}.weight": torch.randn(4, 8) for i in range(5)}
    for name, safe in (("shards_bin", False), ("shards_safetensors", True)):
        (folder / name).mkdir()
        huggingface_hub.save_torch_state_dict(tensors, folder / name, max_shard_size=300, safe_serialization=safe)
    np.savez_compressed(folder / "shards.npz", **{name: tensor.numpy() for name, tensor in tensors.items()})


def main():
    torch.manual_seed(SEED)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    tensors = state()
    older = OrderedDict((name, tensor) for name, tensor in tensors.items() if name not in NEW_TYPES)
    torch.save(tensors, FOLDER / "state.bin")
    torch.save(older, FOLDER / "state_legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(checkpoint(tensors), FOLDER / "checkpoint.pt")
    torch.save(checkpoint(older), FOLDER / "checkpoint_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module.pt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), FOLDER / "script.pt")
    np.savez_compressed(FOLDER / "state.npz", **{name: as_numpy(tensor) for name, tensor in tensors.items()})
    shards(FOLDER)
    birth = {
        "command": "python tests/golden/recreate_readers.py",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "huggingface_hub": huggingface_hub.__version__,
        "seed": SEED,
        "types": {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in tensors.items()},
    }
    for path in FOLDER.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes for its owner alone
    (FOLDER / "birth.json").write_text(json.dumps(birth, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
