import dataclasses
import json
import socket
from types import SimpleNamespace

import pytest
import tensorflow as tf

from train.strategy import Cluster, LostWorkerError, check_equal, make_cluster
from train.tf_config import read_tf_config


def tf_config(workers=("a:1", "b:1"), kind="worker", index=0, **other) -> str:
    return json.dumps({"cluster": {"worker": list(workers), **other}, "task": {"type": kind, "index": index}})


def test_one_device_is_the_default(config):
    cluster = make_cluster(config)
    assert (cluster.replicas, cluster.num_hosts, cluster.is_chief) == (1, 1, True)
    assert cluster.kind == "CPU"


def listening(request):
    """Gives the address of a socket that takes connections."""
    server = socket.create_server(("localhost", 0))
    request.addfinalizer(server.close)
    return f"localhost:{server.getsockname()[1]}"


def failing(cluster, message):
    with cluster.explained():
        raise tf.errors.UnavailableError(None, None, message)


def test_the_workers_that_take_no_connection_are_named(request):
    up, down = listening(request), listening(request).replace("localhost", "127.0.0.254")
    with pytest.raises(LostWorkerError, match=rf"^worker 2 \({down}\) no longer answers.*--resume"):
        failing(Cluster(workers=(up, up, down)), "reset by /job:worker/replica:0/task:1")


def test_where_all_take_connections_those_that_tensorflow_names_are_told(request):
    up = listening(request)
    with pytest.raises(LostWorkerError, match=r"^worker 2 .*no longer answers"):
        failing(Cluster(workers=(up, up, up), host=1), "unhealthy: /job:worker/replica:0/task:2, told task:1")


def test_a_chief_that_hangs_is_known_by_its_service(request):
    up = listening(request)
    with pytest.raises(LostWorkerError, match=r"^worker 0 .*no longer answers"):
        failing(Cluster(workers=(up, up), host=1), "Deadline Exceeded: /tensorflow.CoordinationService/Heartbeat")


def test_an_error_of_ones_own_is_left_as_it_is(request):
    with pytest.raises(tf.errors.UnavailableError, match="my own shard"):
        failing(Cluster(workers=(listening(request),) * 2), "my own shard, read by /job:worker/task:0")
    with pytest.raises(tf.errors.UnavailableError, match="one process"):
        failing(Cluster(), "one process")


def test_one_device_takes_its_block_and_hears_itself():
    assert Cluster().spread([{"x": tf.constant(3)}])["x"] == 3
    assert Cluster().gather("") == [""]


def test_mirrored_without_several_devices_is_refused(config):
    with pytest.raises(ValueError, match="mirrored works on the GPUs.*finds none here.*--strategy one"):
        make_cluster(dataclasses.replace(config, strategy="mirrored"))


def test_tpu_without_a_tpu_is_refused(config, monkeypatch):
    def absent(tpu):
        raise ValueError("no TPU here")

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", absent)
    with pytest.raises(ValueError, match=r"finds no TPU under --tpu node-7 \(no TPU here\).*--tpu away"):
        make_cluster(dataclasses.replace(config, strategy="tpu", tpu="node-7"))


def test_one_device_of_a_tpu_is_a_core_under_a_strategy_for_tpus(config, monkeypatch):
    experimental = SimpleNamespace(
        initialize_tpu_system=lambda resolver: f"topology of {resolver}",
        DeviceAssignment=SimpleNamespace(build=lambda topology, num_replicas: f"{num_replicas} core in {topology}"),
    )
    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", lambda tpu: tpu)
    monkeypatch.setattr(tf.tpu, "experimental", experimental)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda *args, **more: (args, more))
    cluster = make_cluster(dataclasses.replace(config, strategy="tpu", tpu="local"))
    assert cluster.strategy == (("local",), {})
    assert cluster.first_device().strategy == (
        ("local",), {"experimental_device_assignment": "1 core in topology of local"}
    )  # fmt: skip


def test_workers_with_different_numbers_of_gpus_are_refused():
    gpus = [f"/job:worker/replica:0/task:{i}/device:GPU:{j}" for i, j in ((0, 0), (0, 1), (1, 0))]
    check_equal(gpus[1:], ("a:1", "b:1"))
    check_equal([], ("a:1", "b:1"))
    with pytest.raises(ValueError, match=r"worker 0 \(a:1\): 2, worker 1 \(b:1\): 1. Hide .* CUDA_VISIBLE_DEVICES"):
        check_equal(gpus, ("a:1", "b:1"))


def test_multiworker_without_tf_config_is_refused_and_told_what_it_looks_like(config, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match=r"reads TF_CONFIG, which is 'not set'.*It looks like this: {\"cluster\""):
        make_cluster(dataclasses.replace(config, strategy="multiworker"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "which is '{'"),
        ('{"cluster": {}}', r"KeyError\('worker'\)"),
        ("[]", "TypeError"),
        (tf_config(ps=["c:1"]), "cluster lists ps, worker; here every process is a worker"),
        (tf_config(kind="chief"), "this task is of type 'chief'"),
        (tf_config(workers=()), r"cluster.worker must list addresses; got \[\]"),
        (tf_config(workers=("a:1", "b")), "holds 'b'; an address is HOST:PORT"),
        (tf_config(workers=("a:1", "a:1")), "an address occurs twice in cluster.worker, a:1, a:1"),
        (tf_config(index=2), "task.index is 2; the 2 workers are counted from 0"),
        (tf_config(index="0"), "task.index is '0'"),
    ],
)
def test_a_tf_config_that_contradicts_itself_is_refused(text, message):
    with pytest.raises(ValueError, match=f"TF_CONFIG.*{message}"):
        read_tf_config(text)
