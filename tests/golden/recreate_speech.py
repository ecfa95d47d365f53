"""Makes speech.json again: what the models of `recreate.py` recognise in real recordings. Alone needs torch.

    python tests/golden/recreate_speech.py ../shared/speech      # needs torch, transformers and soundfile

Random heads prefer one label wherever they are; so each gets a bias that evens its labels out over a first clip. For
every case the file holds that bias, and the best id of each frame as one letter ("A" is id 0), clip by clip, each run
by itself. Clips are told by their paths in the folder: the first of each speaker of AN4's test split at which, in every
model, the best label of every frame leads by more than MARGIN, so that rounding cannot change an id. Comparing is
`tests/wav2vec2_tf/test_speech.py`.
"""

import csv
import json
import platform
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
import transformers
from recreate import CASES

HERE = Path(__file__).parent
MARGIN, CLIPS = 1e-4, 5


def logits_of(model, path: Path) -> np.ndarray:
    """Runs a model on one recording: [T, V]."""
    samples, _ = soundfile.read(path, dtype="float32")
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    values = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.no_grad():
        return model(values).logits[0].numpy()


def evened_model(case: str, path: Path):
    """Loads a golden model and sets the bias of its head, to three decimals."""
    model = transformers.AutoModelForCTC.from_pretrained(HERE / case, attn_implementation="eager").eval()
    bias = model.lm_head.bias.detach().numpy() - logits_of(model, path).mean(0)
    model.lm_head.bias.data = torch.tensor(np.round(bias.astype(np.float64), 3), dtype=torch.float32)
    return model


def best_ids(logits: np.ndarray) -> str | None:
    """Gives the best id of each frame as letters; None if one leads by MARGIN or less."""
    second, best = np.sort(logits, axis=1)[:, -2:].T
    return "".join(chr(ord("A") + i) for i in logits.argmax(1)) if (best - second).min() > MARGIN else None


def main(speech: Path):
    """Goes through the clips until enough are clear in every model, then writes the file."""
    with open(speech / "an4" / "manifest.tsv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["split"] == "test"]
    models, clips = {case: evened_model(case, speech / "an4" / rows[0]["path"]) for case in CASES}, {}
    for path, speaker in ((f"an4/{row['path']}", row["speaker"]) for row in rows):
        ids = {} if speaker in clips else {case: best_ids(logits_of(models[case], speech / path)) for case in CASES}
        if ids and all(ids.values()):
            clips[speaker] = path, ids
        if len(clips) == CLIPS:
            break
    versions = {tool.__name__: tool.__version__ for tool in (torch, transformers, np)}
    birth = dict(command="python tests/golden/recreate_speech.py ../shared/speech", python=platform.python_version())
    cases = {
        case: dict(
            bias=[round(value, 3) for value in model.lm_head.bias.tolist()],
            ids=[ids[case] for _, ids in clips.values()],
        )
        for case, model in models.items()
    }
    golden = birth | versions | dict(margin=MARGIN, clips=[path for path, _ in clips.values()], cases=cases)
    (HERE / "speech.json").write_text(json.dumps(golden, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
