"""Recreates subwords.json: what transformers makes of the subwords we save (tokenizer.json).

Needs transformers, and sentencepiece to train (the versions are in the file; no network, no weights). Run it from the
root of the repository: `python -m tests.golden.recreate_subwords`. Random draws: NumPy, seed 21.
"""

import base64
import json
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
import transformers

from wav2vec2_tf import SubwordTokenizer, Wav2Vec2Processor

TEXTS = [
    "HE BEGAN A CONFUSED COMPLAINT AGAINST THE WIZARD WHO HAD VANISHED BEHIND THE CURTAIN ON THE LEFT",
    "I'M ABIGAIL CLAFLIN YOU CAN CALL ME ABBIE",
    "THE WIZARD HAD VANISHED AND THE CURTAIN WAS ON THE LEFT OF THE WIND",
    "A CONFUSED CAT BEGAN TO CALL THE WIZARD",
    "",
    "AAA A AA",
    "ÜBER THE ÖL",
]


def answers(kind: str, random: np.random.Generator) -> dict:
    ours = SubwordTokenizer.train(TEXTS[:3], 48, kind)
    with tempfile.TemporaryDirectory() as folder:
        Wav2Vec2Processor(tokenizer=ours).save_pretrained(folder)
        theirs = transformers.Wav2Vec2Processor.from_pretrained(folder).tokenizer
        saved = json.loads((Path(folder) / "tokenizer.json").read_text(encoding="utf-8"))
    frames = [random.integers(0, 48, size=30).repeat(random.integers(1, 3, size=30)).tolist() for _ in range(4)]
    return {
        "model": base64.b64encode(ours.model).decode(),
        "saved": saved,
        "encode": [[text, theirs(text, add_special_tokens=False).input_ids] for text in TEXTS],
        "decode": [[ids, theirs.decode(ids, skip_special_tokens=True)] for ids in frames],
    }


def main():
    random = np.random.default_rng(21)
    golden = {"made_with": f"transformers {transformers.__version__}, sentencepiece {sentencepiece.__version__}"}
    golden |= {kind: answers(kind, random) for kind in ("bpe", "unigram")}
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    Path(__file__).with_name("subwords.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
