"""The same shards by Apache Beam (extra `beam`): one element per shard, on any runner that Beam knows.

A machine that writes a shard notes it as finished itself (`progress`), so runs that were stopped go on, and either
runner goes on with what the other one began.
"""

from collections.abc import Sequence
from functools import partial

from data_tools.progress import finish_shard
from data_tools.shard_plan import ShardTask
from data_tools.writer import Recipe


def write_shards(tasks: Sequence[ShardTask], recipe: Recipe, options: Sequence[str]) -> None:
    """Writes shards and waits until all are there.

    Args:
        tasks: What to write.
        recipe: How, and where to: a place that every machine of the runner can write to.
        options: Beam's own, such as --runner=DataflowRunner and --project=NAME; without any, this machine works.
    Raises:
        ImportError: Beam is not installed.
        RuntimeError: A machine failed for good; finished shards are kept.
    """
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise ImportError(
            "--runner beam needs Apache Beam, which is not installed. Install it: pip install 'wav2vec2-tf[beam]'."
        ) from error
    try:
        with apache_beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            shards = pipeline | "Plan" >> apache_beam.Create(tasks) | "Spread" >> apache_beam.Reshuffle()
            _ = shards | "Write" >> apache_beam.Map(partial(_finish, recipe=recipe))
    except Exception as error:  # what it is depends on the runner
        raise RuntimeError(
            f"Apache Beam gave up: {error}. Finished shards are kept; mend the cause and run it again."
        ) from error


def _finish(task: ShardTask, recipe: Recipe) -> str:
    return finish_shard(task, recipe).file
