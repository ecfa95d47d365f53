"""Makes `tf/` again: tiny weight files as TensorFlow wrote them, and what their programs compute from them.

    pip install tensorflow-cpu==2.15.1 tf-keras==2.15.1 transformers==4.46.3 "numpy<2"   # the last with Keras 2
    python tests/golden/recreate_tf.py

Cases are folders of `config.json`, `tf_model.h5` (or shards, or TensorFlow's form) and `expected.npz`: TFWav2Vec2ForCTC
and TFHubertForCTC of transformers, and the earlier TF port, whose layers are built anew in `port_model` under the names
that its source gives them (thevasudevgupta/gsoc-wav2vec2 at 086881e). `birth.json` states versions and seeds.
"""

import json
import os
import platform
import shutil
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import numpy as np
import tensorflow as tf
import transformers
from transformers import HubertConfig, TFHubertForCTC, TFWav2Vec2ForCTC, TFWav2Vec2Model, Wav2Vec2Config

HERE = Path(__file__).resolve().parent / "tf"
SMALL = dict(
    vocab_size=11, hidden_size=12, num_hidden_layers=1, num_attention_heads=3, intermediate_size=20,
    conv_dim=[8] * 3, conv_kernel=[10, 3, 2], conv_stride=[8, 4, 2], num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=2,
)  # fmt: skip
LV60 = dict(num_hidden_layers=2, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)
SHARDED = dict(max_shard_size="9KB")
SAMPLES = 832  # 13 frames

# case          seed  class             config            real samples changes      saved
TRANSFORMERS = {
    "base":     (401, TFWav2Vec2ForCTC, Wav2Vec2Config,   (832, 832), dict(),      dict()),
    "lv60":     (402, TFWav2Vec2ForCTC, Wav2Vec2Config,   (832, 500), LV60,        SHARDED),
    "body":     (403, TFWav2Vec2Model,  Wav2Vec2Config,   (832, 832), dict(),      dict()),
    "hubert":   (404, TFHubertForCTC,   HubertConfig,     (832, 832), dict(),      dict()),
}  # fmt: skip

PORT = dict(
    vocab_size=11, dropout=0.1, hidden_size=12, num_heads=3, num_layers=1, intermediate_size=20, is_gelu_approx=False,
    layer_norm_eps=1e-5, survival_prob=1.0, pad_id=0, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    filter_sizes=[4, 6, 8], kernal_sizes=[10, 3, 2], strides=[8, 4, 2], conv_bias=False, apply_spec_augment=True,
    mask_time_prob=0.05, mask_time_length=10, attention_norm_type="postnorm", feature_extractor_norm_type="group",
    is_robust=False,
)  # fmt: skip
ROBUST = dict(
    num_layers=2, attention_norm_type="prenorm", feature_extractor_norm_type="layer", is_robust=True, conv_bias=True
)  # fmt: skip
# case               seed  changes
PORTS = {
    "port":         (405, dict(is_gelu_approx=True)),
    "port_robust":  (406, ROBUST),
    "port_trained": (407, dict()),
}  # fmt: skip


def fill(weights, seed: int) -> None:
    """Makes every weight random: initial zeros and ones would hide mistakes."""
    rng = np.random.default_rng(seed)
    for weight in sorted(weights, key=lambda weight: weight.name):
        shape = tuple(weight.shape)
        drawn = rng.standard_normal(shape) * (np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.2)
        scales = weight.name.split("/")[-1] in ("gamma:0", "weight_g:0")  # they lie around one
        weight.assign((1 + 0.3 * np.tanh(drawn) if scales else drawn).astype(np.float32))


def audio_of(seed: int, lengths: tuple = (SAMPLES, SAMPLES)) -> tuple[np.ndarray, np.ndarray]:
    """Draws noise, zero behind the real samples, and gives it with their numbers; coarse, so that it packs well."""
    rng, sizes = np.random.default_rng(seed + 1000), np.array(lengths, np.int32)
    audio = np.round(16 * rng.standard_normal((len(lengths), SAMPLES))).astype(np.float32) / 16
    return audio * (np.arange(SAMPLES) < sizes[:, None]), sizes


def make_transformers(case: str) -> None:
    """Writes one case of transformers."""
    seed, model_class, config_class, lengths, changes, saved = TRANSFORMERS[case]
    model = model_class(config_class(**SMALL | changes))
    audio, sizes = audio_of(seed, lengths)
    model(audio)
    fill(model.weights, seed)
    model.save_pretrained(HERE / case, safe_serialization=False, **saved)
    (HERE / case / "generation_config.json").unlink(missing_ok=True)
    mask = (np.arange(SAMPLES) < sizes[:, None]).astype(np.int32)
    found = model(audio, attention_mask=None if mask.all() else mask)[0]
    np.savez_compressed(HERE / case / "expected.npz", audio=audio, num_samples=sizes, expected=found.numpy())


def make_port(case: str) -> None:
    """Writes one case of the port."""
    seed, changes = PORTS[case]
    config = PORT | changes
    model, (audio, sizes) = port_model(config), audio_of(seed)
    logits, file = model(audio), "tf_model.h5"
    if case == "port_trained":  # the form of its training, which holds the optimizer too
        model.compile(tf.keras.optimizers.legacy.Adam(), "mse")
        model.fit(audio, tf.zeros_like(logits), verbose=0)
        file = "tf_model"
    fill(model.weights, seed)
    (HERE / case).mkdir()
    (HERE / case / "config.json").write_text(json.dumps(config), "utf-8")
    model.save_weights(HERE / case / file)
    (HERE / case / "checkpoint").unlink(missing_ok=True)
    np.savez_compressed(HERE / case / "expected.npz", audio=audio, num_samples=sizes, expected=model(audio).numpy())


def gelu(config, x):
    """The port's GELU, exact or by tanh."""
    return tf.nn.gelu(x, approximate=config["is_gelu_approx"])


class Norm(tf.keras.layers.Layer):
    """The port's group norm with as many groups as channels: statistics over time."""

    def build(self, shape):
        self.gamma, self.beta = (self.add_weight(name, (shape[-1],)) for name in ("gamma", "beta"))

    def call(self, x):
        mean, variance = tf.nn.moments(x, [1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, self.beta, self.gamma, 1e-5)


class Convolution(tf.keras.layers.Layer):
    """A convolution of the feature encoder, "feature_extractor/conv_layers/I"."""

    def __init__(self, config, i):
        super().__init__(name=f"feature_extractor/conv_layers/{i}")
        sizes = (config[key][i] for key in ("filter_sizes", "kernal_sizes", "strides"))
        self.conv = tf.keras.layers.Conv1D(*sizes, use_bias=config["conv_bias"], name="conv")
        self.norm, self.config = (lambda x: x), config
        if config["feature_extractor_norm_type"] == "layer":
            self.norm = tf.keras.layers.LayerNormalization(epsilon=1e-5, name="layer_norm")
        elif i == 0:
            self.norm = Norm(name="layer_norm")

    def call(self, x):
        return gelu(self.config, self.norm(self.conv(x)))


class Projection(tf.keras.layers.Layer):
    """The layer between convolutions and encoder."""

    def __init__(self, config):
        super().__init__(name="feature_projection")
        self.layer_norm = tf.keras.layers.LayerNormalization(epsilon=config["layer_norm_eps"], name="layer_norm")
        self.projection = tf.keras.layers.Dense(config["hidden_size"], name="projection")

    def call(self, x):
        return self.projection(self.layer_norm(x))


class PositionalKernel(tf.keras.layers.Layer):
    """The convolution of the positions: weight_v (k, in / groups, out) scaled by weight_g (k, 1, 1) over each tap."""

    def __init__(self, config):
        super().__init__(name="conv")
        self.config = config

    def build(self, shape):
        taps, groups = self.config["num_conv_pos_embeddings"], self.config["num_conv_pos_embedding_groups"]
        self.bias = self.add_weight("bias", (shape[-1],))
        self.weight_v = self.add_weight("weight_v", (taps, shape[-1] // groups, shape[-1]))
        self.weight_g = self.add_weight("weight_g", (taps, 1, 1))

    def call(self, x):
        taps, groups = self.config["num_conv_pos_embeddings"], self.config["num_conv_pos_embedding_groups"]
        kernel = tf.nn.l2_normalize(self.weight_v, axis=[1, 2]) * self.weight_g
        x = tf.pad(x, ((0, 0), (taps // 2, taps // 2), (0, 0)))
        parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        return tf.concat([tf.nn.conv1d(part, taps, 1, "VALID") for part, taps in parts], -1) + self.bias


class Positions(tf.keras.layers.Layer):
    """The positional embedding; an even kernel gives one frame too many."""

    def __init__(self, config):
        super().__init__(name="pos_conv_embed")
        self.conv, self.config = PositionalKernel(config), config

    def call(self, x):
        return gelu(self.config, self.conv(x)[:, : x.shape[1]])


class Attention(tf.keras.layers.Layer):
    """Self-attention."""

    def __init__(self, config):
        super().__init__(name="attention")
        names = ("q_proj", "k_proj", "v_proj", "out_proj")
        self.projections = [tf.keras.layers.Dense(config["hidden_size"], name=name) for name in names]
        self.heads = config["num_heads"]

    def call(self, x):
        q, k, v = (tf.stack(tf.split(dense(x), self.heads, -1), 1) for dense in self.projections[:3])
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * q.shape[-1] ** -0.5)
        return self.projections[3](tf.concat(tf.unstack(tf.matmul(weights, v), axis=1), -1))


class Block(tf.keras.layers.Layer):
    """A transformer block, "layers/I"."""

    def __init__(self, config, i):
        super().__init__(name=f"layers/{i}")
        dense, norm = tf.keras.layers.Dense, tf.keras.layers.LayerNormalization
        self.attention, self.config = Attention(config), config
        self.layer_norm = norm(epsilon=config["layer_norm_eps"], name="layer_norm")
        self.intermediate = dense(config["intermediate_size"], name="feed_forward/intermediate_dense")
        self.attn_output = dense(config["hidden_size"], name="feed_forward/output_dense")
        self.final_layer_norm = norm(epsilon=config["layer_norm_eps"], name="final_layer_norm")

    def feed_forward(self, x):
        return self.attn_output(gelu(self.config, self.intermediate(x)))

    def call(self, x):
        if self.config["attention_norm_type"] == "prenorm":
            x = x + self.attention(self.layer_norm(x))
            return x + self.feed_forward(self.final_layer_norm(x))
        x = self.layer_norm(x + self.attention(x))
        return self.final_layer_norm(x + self.feed_forward(x))


class Encoder(tf.keras.layers.Layer):
    """Positions and blocks."""

    def __init__(self, config):
        super().__init__(name="encoder")
        self.pos_conv_embed = Positions(config)
        self.layer_norm = tf.keras.layers.LayerNormalization(epsilon=config["layer_norm_eps"], name="layer_norm")
        self.blocks = [Block(config, i) for i in range(config["num_layers"])]
        self.prenorm = config["attention_norm_type"] == "prenorm"

    def call(self, x):
        x = x + self.pos_conv_embed(x)
        x = x if self.prenorm else self.layer_norm(x)
        for block in self.blocks:
            x = block(x)
        return self.layer_norm(x) if self.prenorm else x


class Body(tf.keras.Model):
    """The port's Wav2Vec2Model."""

    def __init__(self, config):
        super().__init__(name="wav2vec2")
        self.convolutions = [Convolution(config, i) for i in range(len(config["filter_sizes"]))]
        self.projection, self.encoder, self.width = Projection(config), Encoder(config), config["hidden_size"]

    def build(self, shape):
        self.masked_spec_embed = self.add_weight("masked_spec_embed", (self.width,))

    def call(self, x):
        x = x[..., tf.newaxis]
        for convolution in self.convolutions:
            x = convolution(x)
        return self.encoder(self.projection(x))


def port_model(config: dict) -> tf.keras.Model:
    """Builds the port's Wav2Vec2ForCTC with its layer and weight names."""

    class WithHead(tf.keras.Model):
        """Body and head."""

        def __init__(self):
            super().__init__(name="wav2vec2-ctc")
            self.model, self.lm_head = Body(config), tf.keras.layers.Dense(config["vocab_size"], name="lm_head")

        def call(self, x):
            return self.lm_head(self.model(x))

    return WithHead()


def main():
    """Writes the folder anew, then the birth certificate."""
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    for case in TRANSFORMERS:
        make_transformers(case)
    for case in PORTS:
        make_port(case)
    versions = {tool.__name__: tool.__version__ for tool in (tf, transformers, h5py, np)}
    seeds = {case: seed for case, (seed, *_) in (TRANSFORMERS | PORTS).items()}
    birth = dict(command="python tests/golden/recreate_tf.py", python=platform.python_version(), **versions)
    birth["seeds"] = seeds
    (HERE / "birth.json").write_text(json.dumps(birth, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
