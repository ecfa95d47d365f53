"""Makes `fairseq/` again: tiny checkpoints as fairseq itself trains and saves them, and what it computes from them.

Alone needs fairseq 0.12.2, whose Python parts suffice (nothing is built) and which wants libraries of its time:

    pip install torch numpy scipy scikit-learn regex bitarray tqdm cffi sacrebleu
    pip install --no-deps omegaconf==2.0.6 hydra-core==1.0.7 antlr4-python3-runtime==4.8
    pip download --no-deps --no-build-isolation fairseq==0.12.2 && tar xzf fairseq-0.12.2.tar.gz
    PYTHONPATH=fairseq-0.12.2 python tests/golden/recreate_fairseq.py

Every case is `NAME.pt` and `NAME.npz`; `birth.json` states versions and seeds. All random numbers come from NumPy.
"""

import dataclasses
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent / "fairseq"
CONVS = "[(6, 10, 5)] + [(6, 3, 2)] * 4 + [(7,2,2)] + [(8,2,2)]"
SIZES = dict(
    conv_feature_layers=CONVS, encoder_layers=2, encoder_embed_dim=12, encoder_ffn_embed_dim=20,
    encoder_attention_heads=3, conv_pos=16, conv_pos_groups=2,
)  # fmt: skip
QUANTIZED = SIZES | dict(final_dim=8, latent_vars=6, latent_groups=2, quantize_targets=True)
NORMALIZED = dict(normalize=True)
LARGE = NORMALIZED | dict(extractor_mode="layer_norm", layer_norm_first=True, conv_bias=True)
UNITS = dict(labels='["km"]', label_rate=50, final_dim=8)
SPELLED = dict(labels='["ltr"]', label_rate=-1, fine_tuning=True)
LETTERS = ("|", "E", "T", "A", "O", "N", "'")
TUNED = dict(labels="ltr", apply_mask=True, mask_prob=0.65, mask_channel_prob=0.25, mask_channel_length=64,
             final_dropout=0.1, layerdrop=0.05, activation_dropout=0.1)  # fmt: skip
SAMPLES = 4400  # 13 frames

# case               seed  task                  model          config kept as real samples    options
CASES = {
    "pretrained_base":  (301, "audio_pretraining",  "wav2vec2",    "Namespace",   (4400, 4400),   QUANTIZED),
    "pretrained_large": (302, "audio_pretraining",  "wav2vec2",    "DictConfig",  (4400, 2501),   QUANTIZED | LARGE),
    "ctc_base":         (303, "audio_finetuning",   "wav2vec_ctc", "Namespace",   (4400, 4400),   TUNED),
    "ctc_large":        (304, "audio_finetuning",   "wav2vec_ctc", "DictConfig",  (4400, 2501),   TUNED | NORMALIZED),
    "ctc_half":         (305, "audio_finetuning",   "wav2vec_ctc", "dict",        (4400, 2501),   TUNED | NORMALIZED),
    "hubert_base":      (306, "hubert_pretraining", "hubert",      "dict",        (4400, 4400),   SIZES | UNITS),
    "hubert_ctc":       (307, "hubert_pretraining", "hubert_ctc",  "dict",        (4400, 4400),   TUNED | SPELLED),
}  # fmt: skip
# fine-tuned from
PARENTS = {"ctc_base": "pretrained_base", "ctc_large": "pretrained_large", "ctc_half": "pretrained_large",
           "hubert_ctc": "hubert_base"}  # fmt: skip


def prepare_python() -> None:
    """Lets fairseq 0.12.2 run under a newer Python and torch than it was written for."""
    inner = dataclasses._get_field

    def get_field(cls, name, *rest):
        """Lets a config be the default of a field, as Python did until 3.10."""
        default = getattr(cls, name, None)
        default = default.default if isinstance(default, dataclasses.Field) else default
        if dataclasses.is_dataclass(default) and type(default).__hash__ is None:
            type(default).__hash__ = object.__hash__
        return inner(cls, name, *rest)

    dataclasses._get_field = get_field
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # the pretrained model is read again to be fine-tuned


def command_line(case: str) -> list[str]:
    """Gives the arguments of `fairseq-train` for a case."""
    _, task, arch, _, _, options = CASES[case]
    words = [".", "--task", task, "--arch", arch, "--cpu", "--optimizer", "adam", "--no-save-optimizer-state"]
    words += ["--criterion", {"wav2vec2": "wav2vec", "hubert": "hubert"}.get(arch, "ctc")]
    if case in PARENTS:
        options = options | dict(w2v_path=f"{PARENTS[case]}.pt")
    for key, value in options.items():
        flag = "--" + key.replace("_", "-")
        words += [flag] if value is True else [flag, str(value)]
    return words


def build(case: str):
    """Builds the model as `fairseq-train` does.

    Returns:
        The model, what the trainer would save, and the parsed command line.
    """
    from fairseq import options, tasks
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf
    from fairseq.trainer import Trainer

    args = options.parse_args_and_arch(options.get_training_parser(CASES[case][1]), command_line(case))
    cfg = convert_namespace_to_omegaconf(args)
    task = tasks.setup_task(cfg.task)
    model = task.build_model(cfg.model)
    fill(model, CASES[case][0])
    trainer = Trainer(cfg, task, model, task.build_criterion(cfg.criterion))
    trainer._build_optimizer()
    return model.eval(), trainer.state_dict(), args


def fill(model, seed: int) -> None:
    """Makes every tensor random: initial zeros and ones would hide mistakes."""
    import torch

    rng = np.random.default_rng(seed)
    for name, tensor in sorted(model.state_dict().items()):
        scale = (tensor[0].numel() or 1) ** -0.5 if tensor.dim() > 1 else 0.2
        drawn = scale * rng.standard_normal(tuple(tensor.shape))
        if tensor.dim() == 1 and name.endswith("weight") or name.endswith("weight_g"):
            drawn = 1 + 0.3 * np.tanh(drawn)  # scales lie around one
        tensor.copy_(torch.from_numpy(drawn.astype(np.float32)))


def run(model, seed: int, lengths: tuple) -> dict:
    """Runs a model on noise; gives inputs and the scores (fine-tuned) or last states (pretrained) of real frames."""
    import torch

    rng, sizes = np.random.default_rng(seed + 1000), np.array(lengths)
    audio = np.round(16 * rng.standard_normal((len(lengths), SAMPLES))).astype(np.float32) / 16  # coarse: packs well
    padding = torch.tensor(np.arange(SAMPLES) >= sizes[:, None])
    inputs = dict(source=torch.tensor(audio * ~padding.numpy()), padding_mask=padding if padding.any() else None)
    with torch.no_grad():
        if hasattr(model, "w2v_encoder"):
            found = model(**inputs)["encoder_out"].transpose(0, 1)
        else:
            found = model.extract_features(**inputs, mask=False)
            found = found["x"] if isinstance(found, dict) else found[0]
    return dict(audio=inputs["source"].numpy(), num_samples=sizes.astype(np.int32), expected=found.numpy())


def make(case: str) -> None:
    """Writes one case into the working folder."""
    import torch
    from omegaconf import OmegaConf

    model, state, args = build(case)
    seed, _, _, kept, lengths, _ = CASES[case]
    if case == "hubert_ctc":  # 0.12.2 forgets it in a copy; the versions of the published checkpoints did not
        state["cfg"]["model"]["w2v_args"] = OmegaConf.to_container(model.cfg.w2v_args, enum_to_str=True)
    # the other groups tell of the training run, at length
    state["cfg"] = {group: state["cfg"][group] for group in ("model", "task", "criterion", "lr_scheduler")}
    if kept == "DictConfig":
        state["cfg"] = OmegaConf.create(state["cfg"])  # as fairseq saved it until 2021
    if kept == "Namespace":  # as fairseq saved it until 2020, in the file form of that time and without a dictionary
        if case in PARENTS:
            args.w2v_args = torch.load(args.w2v_path)["args"]
        state = {"args": args} | {key: state[key] for key in ("model", "optimizer_history", "extra_state")}
    if case.endswith("half"):
        model = model.half().float()
        state["model"] = {name: tensor.half() for name, tensor in state["model"].items()}
    torch.save(state, f"{case}.pt", _use_new_zipfile_serialization=kept != "Namespace")
    np.savez_compressed(f"{case}.npz", **run(model, seed, lengths))


def main():
    """Writes the folder anew, then the birth certificate."""
    prepare_python()
    import fairseq
    import omegaconf
    import torch

    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # configs keep the paths they were given
        for name, symbols in (("ltr", LETTERS), ("km", "0123456")):
            Path(f"dict.{name}.txt").write_text("".join(f"{symbol} 1\n" for symbol in symbols))
        for case in CASES:
            make(case)
        for file in ("dict.ltr.txt", *(f"{case}.{kind}" for case in CASES for kind in ("pt", "npz"))):
            shutil.copy(file, HERE)
    versions = {tool.__name__: tool.__version__ for tool in (fairseq, torch, omegaconf, np)}
    birth = dict(command="python tests/golden/recreate_fairseq.py", python=platform.python_version(), **versions)
    birth["seeds"] = {case: seed for case, (seed, *_) in CASES.items()}
    (HERE / "birth.json").write_text(json.dumps(birth, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
