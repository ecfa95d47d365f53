"""SpecAugment as wav2vec 2.0 uses it: random spans of frames, and of channels, as a function of a seed pair."""

import tensorflow as tf

from wav2vec2_tf.layers.chance import fold, uniform


def span_mask(lengths, size: int, probability: float, span: int, min_spans: int, seed):
    """Draws spans to mask on the valid part of each row.

    Each row gets int(probability * length / span + U[0, 1)) spans, at least `min_spans`, with different starts in
    [0, length - span); spans may overlap, and reach no further than the valid length. Rows too short for a span get
    none.

    Args:
        lengths: [B] int32 valid frames (or channels) of each row.
        size: Width of the mask, T (or C).
        probability: Expected share of masked positions if spans did not overlap.
        span: Length of one span, at least 1.
        min_spans: Fewest spans per row that has room for them.
        seed: int32 [2].
    Returns:
        [B, size] bool, true where masked.
    Source: fairseq `compute_mask_indices` (static, no overlap limit); wav2vec 2.0, section 3.1.
    """
    batch = tf.shape(lengths)[0]
    expected = probability * tf.cast(lengths, tf.float32) / span
    num_spans = tf.cast(expected + uniform([batch], fold(seed, 0)), tf.int32)
    num_spans = tf.maximum(num_spans, min_spans)
    starts = tf.range(size)[None] < lengths[:, None] - span  # [B, size] allowed
    order = tf.where(starts, uniform([batch, size], fold(seed, 1)), 2.0)
    rank = tf.argsort(tf.argsort(order, axis=1), axis=1)
    begins = tf.cast(starts & (rank < num_spans[:, None]), tf.int32)
    begun = tf.cumsum(begins, axis=1)
    ended = tf.pad(begun, [[0, 0], [span, 0]])[:, :size]  # begun `span` positions ago
    return begun > ended


def mask_time(x, frames, embedding, config, seed):
    """Puts the learned vector in place of random spans of frames.

    Args:
        x: [B, T, C] projected features.
        frames: [B] int32 valid frames.
        embedding: [C], `masked_spec_embed`.
        config: Wav2Vec2Config.
        seed: int32 [2].
    Returns:
        [B, T, C].
    """
    shape = (config.mask_time_prob, config.mask_time_length, config.mask_time_min_masks)
    masked = span_mask(frames, _static(x, 1), *shape, seed)
    return tf.where(masked[..., None], tf.cast(embedding, x.dtype), x)


def mask_channels(x, config, seed):
    """Zeroes random spans of channels over all frames: [B, T, C] -> [B, T, C]."""
    channels = tf.fill([tf.shape(x)[0]], x.shape[2])
    shape = (config.mask_feature_prob, config.mask_feature_length, config.mask_feature_min_masks)
    masked = span_mask(channels, x.shape[2], *shape, seed)
    return tf.where(masked[:, None, :], tf.zeros([], x.dtype), x)


def _static(x, axis: int):
    return x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis]
