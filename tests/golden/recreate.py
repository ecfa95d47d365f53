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
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

HERE = Path(__file__).parent
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
}  # fmt: skip

# our gradients are checked against these: one tensor of every kind
GRADIENTS = (
    "wav2vec2.feature_extractor.conv_layers.0.conv.weight",
    "wav2vec2.feature_extractor.conv_layers.0.layer_norm.weight",
    "wav2vec2.feature_projection.projection.weight",
    "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1",
    "wav2vec2.encoder.layers.0.attention.q_proj.weight",
    "wav2vec2.encoder.layers.1.feed_forward.output_dense.weight",
    "wav2vec2.encoder.layer_norm.bias",
    "lm_head.weight",
)


def random_model(seed: int, changes: dict) -> Wav2Vec2ForCTC:
    """Builds a model whose every tensor is random: initial zeros and ones would hide mistakes."""
    config = Wav2Vec2Config(**SMALL | changes)
    model = Wav2Vec2ForCTC._from_config(config, attn_implementation="eager").eval()
    rng = np.random.default_rng(seed)
    for name, tensor in sorted(model.state_dict().items()):
        scale = (tensor[0].numel() or 1) ** -0.5 if tensor.dim() > 1 else 0.2
        drawn = scale * rng.standard_normal(tuple(tensor.shape))
        if name.endswith(("norm.weight", "original0")):
            drawn = 1 + 0.3 * np.tanh(drawn)  # scales lie around one
        tensor.copy_(torch.from_numpy(drawn.astype(np.float32)))
    return model


def run(model: Wav2Vec2ForCTC, seed: int, lengths: tuple) -> dict:
    """Runs a model on noise and gives what the tests compare: inputs, states, logits, loss, gradients."""
    rng, sizes = np.random.default_rng(seed + 1000), np.array(lengths)
    audio = np.round(16 * rng.standard_normal((len(lengths), SAMPLES))).astype(np.float32) / 16  # coarse: packs well
    mask = np.arange(SAMPLES) < sizes[:, None]
    audio *= mask
    frames = model._get_feat_extract_output_lengths(torch.tensor(sizes)).numpy()
    labels = rng.integers(1, SMALL["vocab_size"], (len(lengths), 4))
    labels[np.arange(4) >= np.minimum(frames // 2, 4)[:, None]] = -100
    states = []
    for block in model.wav2vec2.encoder.layers:
        block.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
    model.wav2vec2.encoder.register_forward_hook(lambda *found: states.append(found[-1].last_hidden_state))
    padded = None if mask.all() else torch.tensor(mask.astype(np.int64))
    out = model(torch.tensor(audio), attention_mask=padded, labels=torch.tensor(labels))
    out.loss.backward()
    tensors = dict(model.named_parameters())
    gradients = {f"gradient.{name}": tensors[name].grad.numpy() for name in GRADIENTS if name in tensors}
    arrays = dict(audio=audio, num_samples=sizes.astype(np.int32), frames=frames.astype(np.int32))
    arrays |= dict(labels=np.maximum(labels, 0).astype(np.int32), label_lengths=(labels > 0).sum(1).astype(np.int32))
    arrays |= {f"state{i}": state.detach().numpy() for i, state in enumerate(states)}
    return arrays | gradients | dict(logits=out.logits.detach().numpy(), loss=out.loss.detach().numpy())


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
        np.savez_compressed(HERE / case / "outputs.npz", **run(model, seed, lengths))
    np.savez_compressed(HERE / "ctc.npz", **ctc_rows())
    versions = {tool.__name__: tool.__version__ for tool in (torch, transformers, np)}
    seeds = {case: seed for case, (seed, *_) in CASES.items()} | {"ctc": 200}
    birth = dict(command="python tests/golden/recreate.py", python=platform.python_version(), **versions, seeds=seeds)
    (HERE / "birth.json").write_text(json.dumps(birth, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
