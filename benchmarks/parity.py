"""Does every architecture, at its real size, give the numbers PyTorch's transformers gives, on real recordings?

    python -m benchmarks.parity --torch-python PATH --speech FOLDER [--models base large_lv60 ...]

PyTorch makes each model with random weights of every scale that matters, saves it, and runs it on four recordings: each
alone, and all in one padded batch where transformers itself is unmoved by padding. We load the same folder and compare
logits, the state before and after every block, and the greedy transcripts. Ends with 1 if one lies beyond the bound.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BOUND, CLIPS = 2e-4, 4
LARGE = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
STABLE = dict(feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True)
XLS_R_1B = dict(hidden_size=1280, num_hidden_layers=48, num_attention_heads=16, intermediate_size=5120)
D2V = dict(conv_bias=True, num_conv_pos_embeddings=5, conv_pos_kernel_size=19)

# name                   class in transformers     differences                            unmoved by padding
MODELS = {
    "base":              ("Wav2Vec2",              dict(),                                False),
    "large":             ("Wav2Vec2",              LARGE,                                 False),
    "large_lv60":        ("Wav2Vec2",              LARGE | STABLE,                        True),
    "mms_300m_adapter":  ("Wav2Vec2",              LARGE | STABLE | dict(adapter_attn_dim=16), True),
    "xls_r_1b":          ("Wav2Vec2",              XLS_R_1B | STABLE,                     True),
    "hubert_base":       ("Hubert",                dict(),                                False),
    "hubert_large":      ("Hubert",                LARGE | STABLE,                        True),
    "data2vec_base":     ("Data2VecAudio",         D2V,                                   False),
    "wavlm_base":        ("WavLM",                 dict(),                                False),
    "wavlm_large":       ("WavLM",                 LARGE | STABLE,                        True),
}  # fmt: skip
DEFAULT = [name for name in MODELS if name != "xls_r_1b"]  # that one takes 12 GB of memory

TORCH = """
import json, sys
import numpy as np, soundfile, torch, transformers
order = json.loads(sys.argv[1])
torch.manual_seed(order["seed"])
config = getattr(transformers, order["kind"] + "Config")(vocab_size=32, **order["changes"])
kind = getattr(transformers, order["kind"] + "ForCTC")
model = kind._from_config(config, attn_implementation="eager").eval()
for name, tensor in sorted(model.state_dict().items()):
    if not tensor.is_floating_point():
        continue
    drawn = torch.randn(tensor.shape) * ((tensor[0].numel() or 1) ** -0.5 if tensor.dim() > 1 else 0.2)
    if name.endswith(("norm.weight", "original0", "gru_rel_pos_const")):
        drawn = 1 + 0.3 * torch.tanh(drawn)
    if name.endswith(("out_proj.weight", "output_dense.weight")):
        drawn *= 0.3  # else all frames of a deep random model become one
    tensor.copy_(drawn)
extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
extractor.save_pretrained(order["folder"])
states = []
body = getattr(model, model.base_model_prefix)
for block in body.encoder.layers:
    block.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0].numpy()))
body.encoder.register_forward_hook(lambda *found: states.append(found[-1][0].numpy()))
speech = [soundfile.read(path, dtype="float32")[0] for path in order["clips"]]
with torch.no_grad():
    def run(audio, **settings):
        states.clear()
        inputs = extractor(audio, sampling_rate=16_000, return_tensors="pt", padding=True)
        mask = inputs.attention_mask if len(inputs.input_values) > 1 else None
        return model(inputs.input_values, attention_mask=mask).logits.numpy()
    # random heads prefer one label wherever they are
    bias = model.lm_head.bias - torch.tensor(run(speech[0]))[0].mean(0)
    model.lm_head.bias.copy_(bias)
    arrays = {}
    for i, audio in enumerate(speech):
        arrays[f"logits{i}"] = run(audio)[0]
        arrays[f"states{i}"] = np.stack([state[0] for state in states])
    if order["padded"]:
        arrays["padded"] = run(speech)
model.save_pretrained(order["folder"])
np.savez(order["folder"] + "/outputs.npz", **arrays)
print("PyTorch", torch.__version__, "transformers", transformers.__version__, flush=True)
"""


def by_torch(python: str, folder: Path, name: str, clips: list[Path]) -> str:
    """Has PyTorch make and run one model; gives the versions it was."""
    kind, changes, padded = MODELS[name]
    order = dict(kind=kind, changes=changes, padded=padded, folder=str(folder), seed=sorted(MODELS).index(name))
    order["clips"] = [str(clip) for clip in clips]
    done = subprocess.run([python, "-c", TORCH, json.dumps(order)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"PyTorch failed on {name}:\n{done.stderr}")
    return done.stdout.strip().splitlines()[-1]


def compare(folder: Path, name: str, clips: list[Path]) -> dict:
    """Loads the folder with this package, runs the same recordings, and gives the largest differences."""
    import tensorflow as tf

    from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor
    from wav2vec2_tf.audio import load
    from wav2vec2_tf.features import read_feature

    truth = np.load(folder / "outputs.npz")
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    processor = Wav2Vec2Processor(feature=read_feature(folder, folder))
    speech = [load(clip) for clip in clips]
    row = dict(name=name, parameters=model.count_params(), logits=0.0, states=0.0, padded=None, frames=0, same=0)
    row["texts"] = 0
    for i, audio in enumerate(speech):
        values = tf.constant(processor(audio)[None])
        logits = model(values).numpy()[0]
        _, states = model.wav2vec2(values, output_hidden_states=True)
        theirs, their_states = truth[f"logits{i}"], truth[f"states{i}"]
        row["logits"] = max(row["logits"], float(np.abs(logits - theirs).max()))
        for ours, other in zip(states, their_states, strict=True):
            row["states"] = max(row["states"], float(np.abs(ours.numpy()[0] - other).max()))
        row["frames"] += len(logits)
        row["same"] += int((logits.argmax(-1) == theirs.argmax(-1)).sum())
        row["texts"] += processor.decode(logits.argmax(-1)) == processor.decode(theirs.argmax(-1))
    if MODELS[name][2]:
        batch = processor.pad(speech)
        logits = model(batch.input_values, batch.num_samples).numpy()
        real = np.arange(logits.shape[1]) < np.asarray(model.frame_lengths(batch.num_samples))[:, None]
        row["padded"] = float(np.abs(logits - truth["padded"])[real].max())
    return row


def table(rows: list[dict]) -> str:
    """Lays out one line per model."""
    head = [
        "| model | parameters | logits | states | padded batch | same greedy frames | same transcripts |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for row in rows:
        padded = "-" if row["padded"] is None else f"{row['padded']:.1e}"
        head.append(
            f"| {row['name']} | {row['parameters'] / 1e6:.0f} M | {row['logits']:.1e} | {row['states']:.1e} | "
            f"{padded} | {row['same']} of {row['frames']} | {row['texts']} of {CLIPS} |"
        )
    return "\n".join(head)


def recordings(speech: Path) -> list[Path]:
    """Picks recordings of different lengths: those of AN4's test split at even places of the list by length."""
    with open(speech / "an4" / "manifest.tsv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["split"] == "test"]
    rows.sort(key=lambda row: float(row["duration_s"]))
    return [speech / "an4" / rows[len(rows) * (2 * i + 1) // (2 * CLIPS)]["path"] for i in range(CLIPS)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", required=True, help="Python of an environment with PyTorch and transformers")
    parser.add_argument("--speech", type=Path, required=True, help="folder that holds an4/manifest.tsv")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=DEFAULT, help="default: all but xls_r_1b")
    options = parser.parse_args()
    clips, rows, versions = recordings(options.speech), [], ""
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            versions = by_torch(options.torch_python, Path(folder), name, clips)
            rows.append(compare(Path(folder), name, clips))
        print(rows[-1], file=sys.stderr, flush=True)
    print(f"{versions}, float32; largest differences, bound {BOUND}\n")
    print(table(rows))
    beyond = [row for row in rows if max(row["logits"], row["states"], row["padded"] or 0) > BOUND]
    return 1 if beyond or any(row["texts"] < CLIPS for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
