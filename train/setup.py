"""From a config to the things a run works with: shards, processor, model, buckets. Every mismatch ends here, early.

The update is left to `step`, the order of things to `loop`.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import keras

from convert.sources import open_checkpoint
from convert.tensors import Checkpoint
from data_tools.index import Index
from data_tools.place import Place
from data_tools.plan import ORDER_VERSION
from data_tools.reader import Buckets, plan_buckets
from data_tools.vocabulary import label_options, load_vocabulary, vocabulary_file
from train.config import BatchConfig, RunConfig, architecture
from train.recipes import check_recipe
from wav2vec2_tf import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC, Wav2Vec2Processor
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.features import FEATURE_FILES, FeatureSettings, read_feature
from wav2vec2_tf.lengths import frames_for, hop_samples
from wav2vec2_tf.remote import fetch


class DataError(ValueError):
    """Shards and model, or shards and config, do not fit together."""


def load_processor(config: RunConfig) -> Wav2Vec2Processor:
    """Gives the run's processor: that of `init_from`, else a normalising one with the shards' vocabulary.

    A checkpoint without a head, or whose head makes way, has no vocabulary that matters: it takes that of the shards.

    Raises:
        OSError: The shards have no vocabulary, or `init_from` is not there, cannot be reached, or lacks a file.
        DataError: `init_from` has another vocabulary than the shards.
        ValueError: The recipe is for other checkpoints, or there is none to tune.
    """
    data = Place.of(config.data)  # a URL that is a Path has lost a slash
    if config.init_from is None:
        if config.recipe or config.new_head:
            flag = f"--recipe {config.recipe}" if config.recipe else "--new_head"
            raise ValueError(f"{flag} is for a pretrained model. Name its folder or hub id with --init_from.")
        return Wav2Vec2Processor(tokenizer=load_vocabulary(data))
    checkpoint = open_checkpoint(config.init_from).checkpoint
    feature = _feature(config.init_from, checkpoint)
    if config.recipe:
        architecture = Wav2Vec2Config.from_dict(checkpoint.config)
        check_recipe(config.recipe, architecture, feature.do_normalize, config.init_from)
    if any(tensor.name == "lm_head.weight" for tensor in checkpoint.tensors) and not config.new_head:
        processor = Wav2Vec2Processor.from_pretrained(config.init_from)
        check_vocabulary(processor.tokenizer, data, config.init_from)
        return processor
    return Wav2Vec2Processor(tokenizer=load_vocabulary(data), feature=feature)


def _feature(source: str, checkpoint: Checkpoint) -> FeatureSettings:
    """Gives what a checkpoint says about audio, in its files or in itself; normalising where it says nothing."""
    fetched = fetch(source, lambda names: [name for name in FEATURE_FILES if name in names])
    found = read_feature(fetched.folder, fetched.name)
    return found or FeatureSettings(do_normalize=checkpoint.normalize is not False)


def check_vocabulary(tokenizer: Wav2Vec2CTCTokenizer, data: Path | Place, model: str) -> None:
    """Refuses shards whose vocabulary is not the model's.

    Args:
        tokenizer: The model's.
        data: Folder of shards, local or gs://.
        model: Where the model is from, for the error.
    Raises:
        DataError: A token is missing on one side, or has another id.
    """
    data = Place.of(data)
    theirs = load_vocabulary(data)
    differing = {token for token, _ in theirs.vocab.items() ^ tokenizer.vocab.items()}
    if differing:
        shown = " ".join(sorted(differing)[:10])
        raise DataError(
            f"{data / vocabulary_file(theirs)} and the vocabulary of {model} differ in {len(differing)} tokens "
            f"({shown}). Make the shards with the model's vocabulary, give the model a new head with --new_head true, "
            f"or train without --init_from."
        )


def build_model(config: RunConfig, tokenizer: Wav2Vec2CTCTokenizer) -> Wav2Vec2ForCTC:
    """Makes the run's model: random weights from the seed, or those of `init_from`, under a new head if it has none.

    Raises:
        OSError: `init_from` is not there, cannot be reached, or holds no model.
        ValueError: The architecture breaks a rule, or is not that of `init_from`.
    """
    keras.config.set_dtype_policy(config.precision)
    keras.utils.set_random_seed(config.seed)
    facts = dict(vocab_size=max(tokenizer.vocab.values()) + 1, pad_token_id=tokenizer.pad_token_id)
    if config.init_from is None:
        model = Wav2Vec2ForCTC(architecture(config, **facts))
    else:
        changes = config.model_changes | facts
        model = Wav2Vec2ForCTC.from_pretrained(config.init_from, ignore_mismatched_sizes=config.new_head, **changes)
        if config.new_head:
            model.new_head(facts["vocab_size"])
    choose_trainable(model, config)
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    return model


def choose_trainable(model: Wav2Vec2ForCTC, config: RunConfig) -> None:
    """Fixes the weights that shall not learn: they get no gradient, and the optimizer keeps nothing about them.

    Raises:
        ValueError: Adapters shall learn, and the model has none.
    """
    if config.freeze_feature_encoder:
        model.freeze_feature_encoder()
    if config.trainable == "all":
        return
    model.wav2vec2.trainable = False
    if config.trainable == "head":
        return
    adapters = [block.adapter_layer for block in model.wav2vec2.encoder.blocks if block.adapter_layer is not None]
    if not adapters:
        raise ValueError(
            "--trainable adapters needs a model with adapters (adapter_attn_dim, and do_stable_layer_norm, in its "
            "config.json), such as facebook/mms-1b-all. Train the whole model, or --trainable head."
        )
    for adapter in adapters:
        adapter.trainable = True


def check_feasible(index: Index, split: str, convs, tokenizer: Wav2Vec2CTCTokenizer) -> None:
    """Refuses a model whose frames are too few for every utterance of a split.

    Args:
        index: The shards.
        split: Name of the split.
        convs: The model's convolutions.
        tokenizer: The vocabulary; subwords are counted as if all were as long as the longest.
    Raises:
        DataError: No utterance has as many frames as labels.
    """
    fewest = -(-index.label_counts(split) // tokenizer.longest)
    if not (frames_for(index.lengths(split), convs) >= fewest).any():
        raise DataError(
            f"no utterance of {index.folder}, {split}, has as many frames as labels: the model gives one frame per "
            f"{hop_samples(convs)} samples. Choose smaller --model.conv_stride."
        )


def plan(index: Index, split: str, config: BatchConfig) -> Buckets:
    """Cuts the lengths of a split into a few batch shapes.

    Raises:
        DataError: There is no such split, or it is empty.
    """
    for name in split.split("+"):
        if name not in index.splits or not len(index.lengths(name)):
            raise DataError(
                f"{index.folder} holds no utterance of a split {name!r}; it has {', '.join(index.splits)}. "
                f"Name one with --train_split, --dev_split or --split."
            )
    lengths = index.lengths(split)
    return plan_buckets(lengths, index.label_counts(split), config.batch_seconds, config.max_buckets)


def reader_options(tokenizer: Wav2Vec2CTCTokenizer) -> dict:
    """Gives what `data_tools.reader.batches` wants to know about the vocabulary."""
    return label_options(tokenizer)


def order_digest(config: RunConfig, index: Index, num_hosts: int = 1) -> str:
    """Names what the order of batches depends on: a run is resumed only with the same.

    Args:
        config: Seed, split, batch settings and augmentation enter.
        index: Names and lengths of the shards enter.
        num_hosts: Hosts that share every update.
    Returns:
        A short hexadecimal digest.
    """
    shards = [[shard.file, shard.records, shard.bytes] for shard in index.shards(config.train_split)]
    batches = asdict(config.batches)
    del batches["device_seconds"]  # how an update is computed changes no order
    parts = [config.seed, config.train_split, batches, shards, ORDER_VERSION]
    if config.augment.changes_anything:  # without, the digest is that of runs begun before there was augmentation
        parts.append(asdict(config.augment))
    if num_hosts > 1:
        parts.append(num_hosts)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
