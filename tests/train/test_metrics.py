import json

import numpy as np
import tensorflow as tf

from train.metrics import MetricsLog, summarize
from train.step import Counts

UPDATE = Counts(
    loss=2.0, utterances=4, infeasible=1, seconds=30, padded_seconds=40, frames=100, blanks=80, grad_norm=3.0,
    heard=np.array([80.0, 0, 20]), block_norms=np.array([1.0, 2.0]),
)  # fmt: skip


def test_progress_sums_up_the_updates():
    updates = [UPDATE, UPDATE._replace(loss=4.0, blanks=0, grad_norm=float("inf"))]
    now = summarize(updates, step=20, rate=1e-3, epoch=1.5, wall_seconds=6.0, steps_left=10)
    assert (now.loss, now.infeasible, now.blank_ratio, now.audio_h_per_h) == (3.0, 2, 0.4, 10.0)
    assert now.grad_norm == 3.0  # an overflow in float16 is skipped, and does not blot out the rest
    assert now.eta_seconds == 30.0
    assert (now.utterances, now.padding, now.distinct_tokens, now.skipped) == (8, 0.25, 1, 1)
    assert now.nats_per_frame == (2 * 3 + 4 * 3) / 200


def test_the_norms_of_blocks_and_the_wait_are_told():
    updates = [UPDATE, UPDATE._replace(block_norms=np.array([3.0, 2.0]))]
    more = dict(wait_seconds=1.5, blocks=["body", "head"])
    now = summarize(updates, step=20, rate=1e-3, epoch=1.5, wall_seconds=6.0, steps_left=10, **more)
    assert now.wait_share == 0.25
    assert now.host_gb > 0.01
    assert {name: value for name, value in now.numbers().items() if "/" in name} == {
        "grad_norm/body": 2.0,
        "grad_norm/head": 2.0,
    }


def test_the_log_line_stands_alone():
    now = summarize([UPDATE], step=20, rate=1e-3, epoch=1.5, wall_seconds=3.0, steps_left=100)
    assert now.line() == (
        "step=20 epoch=1.50 loss=2.000 lr=0.001 audio_h_per_h=10 blank=0.80 grad=3 infeasible=1 eta=0:05:00"
    )


def test_numbers_go_to_json_lines_and_to_tensorboard(tmp_path):
    log = MetricsLog(tmp_path)
    log.write("dev", 7, {"wer": 0.5})
    log.close()
    record = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert (record["kind"], record["step"], record["wer"]) == ("dev", 7, 0.5)
    (events,) = (tmp_path / "tensorboard").iterdir()
    tags = [value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value]
    assert tags == ["dev/wer"]
