"""`--plan`: tells what a run would take on given devices, as text."""

from train.plan import GIB, Plan
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ


def describe_plan(plan: Plan) -> str:
    """Tells a plan: model, data, updates and disk; the shapes; memory, of other ways to run too; whether it fits."""
    return "\n".join([*_facts(plan), "", *_shapes(plan), "", *_memory(plan), "", verdict(plan)])


def _facts(plan: Plan) -> list[str]:
    state, config, epoch = plan.variants[0].state, plan.config, plan.epoch.num_batches
    lengths = plan.index.lengths(config.train_split)
    checkpoint, kept = state.weights + state.optimizer, config.keep_last + config.keep_best
    evaluation = f"every {config.eval_every:,} updates" if config.eval_every else "after every epoch"
    return [
        f"model    {state.parameters:,} parameters, of which {state.trainable:,} learn",
        f"devices  {plan.devices.count} with {plan.devices.memory / GIB:g} GiB each",
        f"data     {config.train_split}: {len(lengths):,} utterances, {lengths.sum() / SAMPLE_RATE_HZ / 3600:.2f} h",
        f"updates  {plan.steps:,} of {config.batches.batch_seconds:g} s, which are {plan.steps / epoch:.1f} epochs of "
        f"{epoch:,}; evaluation {evaluation}",
        f"padding  {plan.padding:.1%} of what is computed",
        f"disk     {gib(kept * checkpoint + state.weights)} for {kept} checkpoints of {gib(checkpoint)} and the best "
        f"model, and {gib(checkpoint)} free while the next is written",
    ]


def _shapes(plan: Plan) -> list[str]:
    lines = ["   rows of   updates per epoch   rows per update   parts x rows per device   activations"]
    sizes = zip(plan.buckets.edges, plan.buckets.batch_sizes, plan.updates, strict=True)
    for (edge, rows, updates), (parts, held), size in zip(sizes, plan.cuts, plan.variants[0].activations, strict=True):
        cut = f"{parts} x {held}"
        lines.append(f"{edge / SAMPLE_RATE_HZ:8.1f} s{updates:20,}{rows:18}{cut:>26}{gib(size):>14}")
    return lines


def _memory(plan: Plan) -> list[str]:
    width = max(len(variant.flags) for variant in plan.variants) + 2
    names = ("weights", "optimizer", "gradients", "activations", "in all", "most seconds")
    lines = ["on each device".ljust(max(width, 16)) + "".join(name.rjust(14) for name in names)]
    for variant in plan.variants:
        sizes = variant.state.weights, variant.state.optimizer, variant.gradients, max(variant.activations)
        numbers = "".join(gib(size).rjust(14) for size in (*sizes, variant.bytes))
        most = f"{variant.most_seconds:,}" if variant.most_seconds else "none"
        lines.append((variant.flags or "as configured").ljust(max(width, 16)) + numbers + most.rjust(14))
    return lines


def verdict(plan: Plan) -> str:
    """Says whether a run fits, and if not, what would."""
    if plan.fits:
        return f"plan: FITS, by estimate; --batches.device_seconds up to {plan.variants[0].most_seconds:,} would."
    way = plan.way_out
    if way is None:
        return (
            "plan: DOES NOT FIT, whatever --batches.device_seconds. Take devices with more memory, a smaller model, "
            "--trainable adapters or head, or shards without the longest utterances (--max_seconds)."
        )
    flags = f"{way.flags} --batches.device_seconds {way.most_seconds}".strip()
    return f"plan: DOES NOT FIT as it is. This would, by estimate: {flags}"


def gib(size: float) -> str:
    """Writes bytes in GiB.

    >>> gib(3 * 2**29)
    '1.50 GiB'
    """
    return f"{size / GIB:.2f} GiB"
