"""Recreates alignment.npz: the paths that torchaudio's forced_align finds for random log-probabilities and labels.

The only script here that needs torchaudio (2.11.0 with torch 2.13.0 when the file was made; no network, no weights).
Run it from the root of the repository: `python tests/golden/recreate_alignment.py`. Random draws: NumPy, seed 60.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torchaudio

# frames, labels of the vocabulary, labels of the text, those the text draws from (few: many repeats)
CASES = [(12, 5, 4, 4), (40, 8, 15, 2), (60, 32, 30, 31), (200, 6, 60, 3), (9, 4, 5, 1)]


def main():
    random = np.random.default_rng(60)
    arrays = {"made_with": f"torchaudio {torchaudio.__version__}, torch {torch.__version__}"}
    for case, (frames, size, length, drawn) in enumerate(CASES):
        log_probs = np.log(random.dirichlet(np.full(size, 0.5), frames)).clip(-50).astype(np.float32)
        labels = random.integers(1, drawn + 1, length)
        assert length + sum(a == b for a, b in pairwise(labels)) <= frames
        path, scores = torchaudio.functional.forced_align(torch.tensor(log_probs)[None], torch.tensor(labels)[None])
        arrays |= {f"log_probs_{case}": log_probs, f"labels_{case}": labels.astype(np.int8)}
        arrays |= {f"path_{case}": path[0].numpy().astype(np.int8), f"scores_{case}": scores[0].numpy()}
    np.savez_compressed(Path(__file__).with_name("alignment.npz"), **arrays)


if __name__ == "__main__":
    main()
