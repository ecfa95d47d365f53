"""Makes the goldens again: random transformers models, and PyTorch's CTC in float64. Alone needs torch.

    python tests/golden/recreate.py        # writes beside itself; needs torch, transformers and safetensors

Every case is a folder of `config.json`, `model.safetensors` and `outputs.npz`; `birth.json` states versions and seeds.
All random numbers come from NumPy generators, so that a newer torch draws the same weights. Comparing is the tests'
business (`tests/wav2vec2_tf/test_golden.py`, `test_ctc.py`).
"""

import json
import platform
import shutil
from pathlib import Path

import numpy as np
import torch
import transformers

HERE = Path(__file__).parent
CLASSES = {
    "wav2vec2":       (transformers.Wav2Vec2Config,      transformers.Wav2Vec2ForCTC),
    "hubert":         (transformers.HubertConfig,        transformers.HubertForCTC),
    "data2vec-audio": (transformers.Data2VecAudioConfig, transformers.Data2VecAudioForCTC),
    "wavlm":          (transformers.WavLMConfig,         transformers.WavLMForCTC),
}  # fmt: skip
SMALL = dict(
    vocab_size=11, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
    conv_dim=[4, 5, 6, 7, 8, 9, 10], num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    mask_time_prob=0.05, ctc_loss_reduction="sum",
)  # fmt: skip
STABLE = dict(feat_extract_norm="layer", do_stable_layer_norm=True)
SAMPLES = 4400  # 13 frames

# case                seed  real samples of each row   differences from SMALL
CASES = {
    "base_like":      (101, (4400, 4400),       dict()),
    "base_bias_odd":  (102, (4400, 4400),       dict(conv_bias=True, num_conv_pos_embeddings=15)),
    "post_padded":    (103, (4400, 2500, 400),  dict(feat_extract_norm="layer", num_conv_pos_embedding_groups=3)),
    "relu_gelu_new":  (104, (4400, 4400),       dict(hidden_act="relu", feat_extract_activation="gelu_new")),
    "lv60_like":      (105, (4400, 2501, 719),  dict(**STABLE, conv_bias=True)),
    "lv60_unpadded":  (106, (4400, 4400),       dict(**STABLE, num_conv_pos_embeddings=5)),
    "group_stable":   (107, (4400, 4400),       dict(do_stable_layer_norm=True, layer_norm_eps=1e-3)),
    "mms_adapter":    (108, (4400, 3001),       dict(**STABLE, conv_bias=True, adapter_attn_dim=4)),
    "hubert_post":    (109, (4400, 2501),       dict(model_type="hubert")),
    "hubert_stable":  (110, (4400, 2501, 719),  dict(model_type="hubert", **STABLE, adapter_attn_dim=4)),
    "hubert_batch_norm": (111, (4400, 3001),    dict(model_type="hubert", conv_pos_batch_norm=True,
                                                     feat_proj_layer_norm=False)),
    "data2vec":       (112, (4400, 2501, 719),  dict(model_type="data2vec-audio", num_conv_pos_embeddings=3,
                                                     conv_pos_kernel_size=5)),
    "data2vec_even":  (113, (4400, 4400),       dict(model_type="data2vec-audio", num_conv_pos_embeddings=2,
                                                     conv_pos_kernel_size=4, conv_bias=True)),
    "wavlm_post":     (114, (4400, 2501),       dict(model_type="wavlm", num_buckets=12, max_bucket_distance=8)),
    "wavlm_stable":   (115, (4400, 2501, 719),  dict(model_type="wavlm", **STABLE, num_buckets=9,
                                                     max_bucket_distance=40)),
}  # fmt: skip

# transformers lets padding change these, and so runs their rows one by one; we run them as one batch
ALONE = {"hubert_post", "hubert_batch_norm", "data2vec", "wavlm_post"}

# our gradients are checked against these, below the body's prefix: one tensor of every kind
GRADIENTS = (
    "feature_extractor.conv_layers.0.conv.weight",
    "feature_extractor.conv_layers.0.layer_norm.weight",
    "feature_projection.projection.weight",
    "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
    "encoder.pos_conv_embed.conv.weight",
    "encoder.pos_conv_embed.batch_norm.weight",
    "encoder.pos_conv_embed.batch_norm.bias",
    "encoder.pos_conv_embed.layers.0.conv.weight",
    "encoder.pos_conv_embed.layers.1.conv.bias",
    "encoder.layers.0.attention.q_proj.weight",
    "encoder.layers.0.attention.rel_attn_embed.weight",
    "encoder.layers.0.attention.gru_rel_pos_const",
    "encoder.layers.1.attention.gru_rel_pos_const",
    "encoder.layers.1.attention.gru_rel_pos_linear.weight",
    "encoder.layers.1.attention.gru_rel_pos_linear.bias",
    "encoder.layers.1.feed_forward.output_dense.weight",
    "encoder.layer_norm.bias",
    "lm_head.weight",
)


def random_model(seed: int, changes: dict) -> transformers.PreTrainedModel:
    """Builds a model whose every tensor is random: initial zeros and ones would hide mistakes."""
    fields = SMALL | changes
    config_class, model_class = CLASSES[fields.pop("model_type", "wav2vec2")]
    model = model_class._from_config(config_class(**fields), attn_implementation="eager").eval()
    rng = np.random.default_rng(seed)
    for name, tensor in sorted(model.state_dict().items()):
        if not tensor.is_floating_point():
            continue  # a counter
        scale = (tensor[0].numel() or 1) ** -0.5 if tensor.dim() > 1 else 0.2
        drawn = scale * rng.standard_normal(tuple(tensor.shape))
        if name.endswith(("norm.weight", "original0", "running_var", "gru_rel_pos_const")):
            drawn = 1 + 0.3 * np.tanh(drawn)  # scales lie around one
        tensor.copy_(torch.from_numpy(drawn.astype(np.float32)))
    return model


def run(model: transformers.PreTrainedModel, seed: int, lengths: tuple, alone: bool) -> dict:
    """Runs a model on noise and gives what the tests compare: inputs, states, logits, loss, gradients."""
    rng, sizes = np.random.default_rng(seed + 1000), np.array(lengths)
    audio = np.round(16 * rng.standard_normal((len(lengths), SAMPLES))).astype(np.float32) / 16  # coarse: packs well
    mask = np.arange(SAMPLES) < sizes[:, None]
    audio *= mask
    frames = model._get_feat_extract_output_lengths(torch.tensor(sizes)).numpy()
    labels = rng.integers(1, SMALL["vocab_size"], (len(lengths), 4))
    labels[np.arange(4) >= np.minimum(frames // 2, 4)[:, None]] = -100
    if alone:
        rows = [outputs(model, audio[i : i + 1, :size], None, labels[i : i + 1]) for i, size in enumerate(sizes)]
        found = {name: padded([row[name] for row in rows]) for name in rows[0] if name != "loss"}
        found["loss"] = np.sum([row["loss"] for row in rows], dtype=np.float32)
    else:
        found = outputs(model, audio, None if mask.all() else torch.tensor(mask.astype(np.int64)), labels)
    prefix, tensors = model.base_model_prefix, dict(model.named_parameters())
    names = [name if name.startswith("lm_head") else f"{prefix}.{name}" for name in GRADIENTS]
    gradients = {f"gradient.{name}": tensors[name].grad.numpy() for name in names if name in tensors}
    arrays = dict(audio=audio, num_samples=sizes.astype(np.int32), frames=frames.astype(np.int32))
    arrays |= dict(labels=np.maximum(labels, 0).astype(np.int32), label_lengths=(labels > 0).sum(1).astype(np.int32))
    states = {name: found[name] for name in found if name.startswith("state")}
    return arrays | states | gradients | dict(logits=found["logits"], loss=found["loss"])


def outputs(model: transformers.PreTrainedModel, audio, attention_mask, labels) -> dict:
    """Gives states, logits and loss of one batch; gradients pile up in the model."""
    states, encoder = [], model.base_model.encoder
    hooks = [block.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0])) for block in encoder.layers]
    hooks += [encoder.register_forward_hook(lambda *found: states.append(found[-1].last_hidden_state))]
    out = model(torch.tensor(audio), attention_mask=attention_mask, labels=torch.tensor(labels))
    out.loss.backward()
    for hook in hooks:
        hook.remove()
    found = {f"state{i}": state.detach().numpy() for i, state in enumerate(states)}
    return found | dict(logits=out.logits.detach().numpy(), loss=out.loss.detach().numpy())


def padded(rows: list) -> np.ndarray:
    """Joins [1, T, C] arrays of several lengths to [B, T, C], zeros behind them."""
    longest = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, [(0, 0), (0, longest - row.shape[1]), (0, 0)]) for row in rows])


def ctc_rows(seed: int = 200) -> dict:
    """Runs PyTorch's CTC in float64 (its float32 gradients are off by 1e-3 on long rows), rows of every kind."""
    # frames, labels:  plain, repeats, empty, exactly fitting, infeasible by a repeat, too long, no frames, one frame
    rows = [
        (30, [1, 2, 3, 4, 5]), (30, [3, 3, 3, 2, 2]), (17, []), (6, [1, 2, 3, 4, 5, 1]), (6, [1, 1, 2, 3, 4, 5]),
        (3, [1, 2, 3, 4]), (0, []), (0, [1]), (1, [4]), (12, [5]), (30, [1, 2, 1, 2, 1, 2, 1, 2]),
    ]  # fmt: skip
    frames, sizes = np.array([row[0] for row in rows]), np.array([len(row[1]) for row in rows])
    labels = np.array([row[1] + [0] * (8 - len(row[1])) for row in rows])
    logits = (4 * np.random.default_rng(seed).standard_normal((len(rows), 30, 6))).astype(np.float32)
    leaf = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    arguments = (torch.log_softmax(leaf, -1).transpose(0, 1), torch.tensor(labels), torch.tensor(frames))
    losses = torch.nn.functional.ctc_loss(*arguments, torch.tensor(sizes), reduction="none", zero_infinity=True)
    losses.sum().backward()
    lengths = dict(frames=frames.astype(np.int32), label_lengths=sizes.astype(np.int32))
    found = dict(losses=losses.detach().numpy(), gradient=leaf.grad.numpy())
    return dict(logits=logits, labels=labels.astype(np.int32)) | lengths | found


def main():
    """Writes every folder anew, then the birth certificate."""
    for case, (seed, lengths, changes) in CASES.items():
        shutil.rmtree(HERE / case, ignore_errors=True)
        model = random_model(seed, changes)
        model.save_pretrained(HERE / case)
        (HERE / case / "generation_config.json").unlink(missing_ok=True)
        np.savez_compressed(HERE / case / "outputs.npz", **run(model, seed, lengths, case in ALONE))
    np.savez_compressed(HERE / "ctc.npz", **ctc_rows())
    versions = {tool.__name__: tool.__version__ for tool in (torch, transformers, np)}
    seeds = {case: seed for case, (seed, *_) in CASES.items()} | {"ctc": 200}
    birth = dict(command="python tests/golden/recreate.py", python=platform.python_version(), **versions, seeds=seeds)
    (HERE / "birth.json").write_text(json.dumps(birth, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
