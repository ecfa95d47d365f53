"""Recreates tokenizer.json: what transformers' Wav2Vec2CTCTokenizer and Wav2Vec2FeatureExtractor answer.

The only script here that needs transformers (5.23.0 when the file was made; no network, no weights). Run it from the
root of the repository: `python tests/golden/recreate_tokenizer.py`. Random draws: NumPy, seed 20.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import transformers

TOKENS = ["<pad>", "<s>", "</s>", "<unk>", "|"]
VOCABULARIES = {  # name: (characters, settings)
    "english": (list("ETAONIHSRDLUMWCFGYPBVK'XJQZ"), {}),
    "german": (list("eantriodhsulgcmbfzkwpväüöjßyxq"), {}),
    "chinese": (list("广州市房地产中介协会分析砸自己的脚"), {}),
    "capitals": (list("ETAONIHSRDLUMWCFGYPBVK'XJQZ"), {"do_lower_case": True, "replace_word_delimiter_char": "_"}),
    "syllables": (["sch", "ch", "SS", *"achsbt"], {}),
}
TEXTS = [
    "HE BEGAN A CONFUSED COMPLAINT AGAINST THE WIZARD WHO HAD VANISHED BEHIND THE CURTAIN ON THE LEFT",
    "I'M ABIGAIL CLAFLIN YOU CAN CALL ME ABBIE",
    "Mr. Quilter is the apostle of the middle classes, and we are glad to welcome his gospel.",
    "außerdem standen wieder regelmäßig neukompositionen von mathias rüegg auf dem programm",
    "Das Leben als San’yaku bringt eine Reihe besonderer Vergünstigungen mit sich.",
    "广州市房地产中介协会分析",
    "砸自己的脚",
    "",
    "  two  spaces ",
    "A <s> B<unk>C </s>",
    "a|b",
    "schach  sch ch SS sstb",
]


def answers(characters: list[str], settings: dict, random: np.random.Generator) -> dict:
    vocab = {token: index for index, token in enumerate(TOKENS + characters)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.json"
        path.write_text(json.dumps(vocab), encoding="utf-8")
        tokenizer = transformers.Wav2Vec2CTCTokenizer(str(path), **settings)
    frames = [random.integers(0, len(vocab), size=40).repeat(random.integers(1, 3, size=40)).tolist() for _ in range(4)]
    frames.append([0] * 5)
    return {
        "vocab": vocab,
        "settings": settings,
        "encode": [[text, tokenizer(text).input_ids] for text in TEXTS],
        "decode": [[ids, tokenizer.decode(ids), tokenizer.decode(ids, group_tokens=False)] for ids in frames],
    }


def normalised(random: np.random.Generator) -> dict:
    rows = [(random.normal(size=n) * 0.1 + 0.05).astype(np.float32).round(4) for n in (30, 47)]
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    batch = extractor(rows, padding=True, sampling_rate=16_000, return_tensors="np")
    return {
        "speech": [row.tolist() for row in rows],
        "single": [extractor(row, sampling_rate=16_000).input_values[0].tolist() for row in rows],
        "padded": batch.input_values.tolist(),
        "attention_mask": batch.attention_mask.tolist(),
    }


def main():
    random = np.random.default_rng(20)
    golden = {"made_with": f"transformers {transformers.__version__}"}
    golden["tokenizers"] = {name: answers(*how, random) for name, how in VOCABULARIES.items()}
    golden["features"] = normalised(random)
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    Path(__file__).with_name("tokenizer.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
