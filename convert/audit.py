"""Every tensor of a checkpoint against every weight of a model, before any is read: used, left out by a rule, or told.

Names and rules are `names`; reading and filling is `assign`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from convert.names import Name, canonical, why_ignored
from convert.tensors import Checkpoint, Tensor
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.families import FAMILIES, family

CTC_HEAD = ("lm_head.weight", "lm_head.bias")
CTC_CLASSES = {kind.ctc_class for kind in FAMILIES.values()}


class AuditError(ValueError):
    """A checkpoint that does not fit its config; the message lists every finding."""


@dataclass(frozen=True)
class Audit:
    """What became of every tensor of a checkpoint.

    Args:
        source: The checkpoint, as messages call it.
        used: (name in our table, tensor) for every weight that is filled, in the order of the model's weights.
        ignored: (name in the file, reason) for every tensor that a rule leaves out.
        fresh: Hugging Face names of the weights that keep their random start.
        findings: What is missing, unknown, double, or of another shape or type; () if all is well.
        way_out: What to do about the findings.
    """

    source: str
    used: tuple[tuple[Name, Tensor], ...]
    ignored: tuple[tuple[str, str], ...]
    fresh: tuple[str, ...]
    findings: tuple[str, ...]
    way_out: str

    @property
    def has_fresh_head(self) -> bool:
        """Whether the head is new, as over the body of a pretraining checkpoint."""
        return set(CTC_HEAD) <= set(self.fresh)

    def raise_findings(self, more: tuple[str, ...] = ()) -> None:
        """Raises AuditError with all findings, and those that reading the tensors added; returns if there is none."""
        findings = self.findings + more
        if findings:
            listed = "\n  ".join(findings)
            raise AuditError(f"{self.source} does not fit its config.json:\n  {listed}\n{self.way_out}")


def audit(
    shapes: Mapping[Name, tuple[int, ...]],
    checkpoint: Checkpoint,
    config: Wav2Vec2Config,
    ignore_mismatched_sizes: bool = False,
) -> Audit:
    """Compares the tensors of a checkpoint with the weights of a model, by name, shape and type.

    Args:
        shapes: Every weight of the model -> its shape in our layout.
        checkpoint: The tensors.
        config: What the model was made from.
        ignore_mismatched_sizes: A head of another size is left out, and the model's starts at random.
    Returns:
        The audit, with its findings.
    """
    by_name: dict[str, list[Tensor]] = {}
    for tensor in checkpoint.tensors:
        by_name.setdefault(canonical(tensor.name, config.model_type), []).append(tensor)
    wanted = {name.theirs: (name, shape) for name, shape in shapes.items()}
    ignored = {name: reason for name in by_name.keys() - wanted.keys() if (reason := why_ignored(name))}
    if ignore_mismatched_sizes and any(
        name in by_name and _in_our_layout(wanted[name][0], by_name[name][0]) != wanted[name][1] for name in CTC_HEAD
    ):
        ignored |= {name: "head of another size" for name in CTC_HEAD if name in by_name}
    found = {name: tensors for name, tensors in by_name.items() if name not in ignored}
    fresh = (_may_be_absent(found, checkpoint, config) | ignored.keys()) & wanted.keys() - found.keys()
    wrong = _contradictions(config, {name: tensors[0].shape for name, tensors in found.items()})
    findings = [f"config: {name} is {ours!r}, the tensors are those of {theirs!r}" for name, ours, theirs in wrong]
    findings += [f"missing: {name}" for name in sorted(wanted.keys() - found.keys() - fresh)]
    findings += [f"unknown: {found[name][0].name}" for name in sorted(found.keys() - wanted.keys())]
    for name in sorted(found.keys()):
        findings += _misfits(name, found[name], wanted.get(name))
    return Audit(
        source=checkpoint.source,
        used=tuple((name, found[name.theirs][0]) for name in shapes if name.theirs in found),
        ignored=tuple((by_name[name][0].name, ignored[name]) for name in sorted(ignored)),
        fresh=tuple(name for name in wanted if name in fresh),
        findings=tuple(findings),
        way_out=_way_out(wrong),
    )


def _may_be_absent(found, checkpoint: Checkpoint, config: Wav2Vec2Config) -> set[str]:
    """The mask vector, which fine-tuned checkpoints drop; the whole head, unless the checkpoint is one of CTC."""
    absent = {f"{family(config.model_type).prefix}.masked_spec_embed"}
    is_ctc = CTC_CLASSES & set((checkpoint.config or {}).get("architectures") or ())
    if not is_ctc and not any(name in found for name in CTC_HEAD):
        absent |= set(CTC_HEAD)
    return absent


def _misfits(name: str, tensors: list[Tensor], wanted) -> Iterator[str]:
    if len(tensors) > 1:
        yield f"double: {name} is given by {', '.join(f'{tensor.name} in {tensor.file}' for tensor in tensors)}"
    if wanted is None:
        return
    ours, shape = wanted
    for tensor in tensors:
        if not (np.issubdtype(tensor.dtype, np.floating) or tensor.dtype.name == "bfloat16"):
            yield f"wrong type: {tensor.name} is {tensor.dtype.name}; weights are floats (quantised files do not load)"
        if _in_our_layout(ours, tensor) != shape:
            theirs = ours.to_theirs(np.broadcast_to(np.float32(0), shape)).shape
            yield f"wrong shape: {tensor.name} is {tensor.shape}, the config asks for {theirs}"


def _in_our_layout(name: Name, tensor: Tensor) -> tuple[int, ...] | None:
    try:
        return name.to_ours(np.broadcast_to(np.float32(0), tensor.shape)).shape
    except ValueError:  # another number of axes
        return None


def _contradictions(config: Wav2Vec2Config, shapes: Mapping[str, tuple]) -> list[tuple]:
    """Lists (field, value in the config, value that the tensors tell) where the two differ."""
    start = family(config.model_type).prefix + "."
    conv, block = start + "feature_extractor.conv_layers.", start + "encoder.layers."
    told = {}
    if conv + "0.conv.weight" in shapes:
        told["feat_extract_norm"] = "layer" if conv + "1.layer_norm.weight" in shapes else "group"
        told["conv_bias"] = conv + "0.conv.bias" in shapes
        told["feat_proj_layer_norm"] = start + "feature_projection.layer_norm.weight" in shapes
        told["conv_pos_batch_norm"] = start + "encoder.pos_conv_embed.batch_norm.weight" in shapes
    blocks = {int(found[1]) for name in shapes if (found := re.match(re.escape(block) + r"(\d+)\.", name))}
    if blocks:
        told["num_hidden_layers"] = max(blocks) + 1
    for field, name in (
        ("hidden_size", start + "feature_projection.projection.bias"),
        ("intermediate_size", block + "0.feed_forward.intermediate_dense.bias"),
        ("vocab_size", "lm_head.bias"),
        ("adapter_attn_dim", block + "0.adapter_layer.linear_1.bias"),
    ):
        if len(shapes.get(name, ())) == 1:
            told[field] = shapes[name][0]
    own = told.keys() - family(config.model_type).absent  # what this kind of model can have in more than one way
    pairs = [(name, getattr(config, name), value) for name, value in told.items() if name in own]
    return [(name, ours, theirs) for name, ours, theirs in pairs if ours != theirs]


def _way_out(wrong: list[tuple]) -> str:
    changes = {name: value for name, _, value in wrong}
    if not changes:
        return "Check that config.json and weights belong together, and that the download is whole."
    if "feat_extract_norm" in changes:  # the two go together in every published checkpoint
        changes["do_stable_layer_norm"] = changes["feat_extract_norm"] == "layer"
    given = ", ".join(f"{name}={value!r}" for name, value in changes.items())
    head = " A new head over its body: ignore_mismatched_sizes=True." if "vocab_size" in changes else ""
    return f"Correct config.json, or give what the tensors tell: from_pretrained(..., {given}).{head}"
