"""TensorFlow's own way into a bucket, which shards are streamed through: tried out before a run waits for it.

TensorFlow looks for credentials itself, and not in all the places where gcsfs does. It retries what passes by itself
(408, 429, 503, resets, bodies cut short) for some three minutes per read; what does not pass is told here.
"""

import tensorflow as tf

from data_tools import tfio
from data_tools.storage import in_storage, storage_of
from wav2vec2_tf.waiting import within

_SECONDS = 20


def check_streaming(file: str) -> None:
    """Asks TensorFlow for a shard; one on this machine needs no question.

    Args:
        file: A shard that is there, as `index.folder / shard.file` gives it.
    Raises:
        PermissionError: TensorFlow has no credentials for it, or not the right ones.
        ConnectionError: TensorFlow gets no answer, or a wrong one.
        ImportError: It takes tensorflow-io, which is missing.
    """
    if not in_storage(file):
        return
    if storage_of(file) is tfio:  # which reads by TensorFlow itself
        tfio.read_part(file, 0, 1)
        return
    try:
        within(_SECONDS, lambda: tf.io.gfile.stat(file))
    except (tf.errors.PermissionDeniedError, tf.errors.UnauthenticatedError) as error:
        raise PermissionError(
            f"{file} may not be streamed with the credentials that TensorFlow finds ({_first_line(error)}). Name a key "
            "file in GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`; TensorFlow knows "
            "no other kinds."
        ) from error
    except (tf.errors.OpError, TimeoutError) as error:
        raise ConnectionError(
            f"{file} cannot be streamed by TensorFlow ({_first_line(error)}). Check the network; behind a proxy, "
            "https_proxy and CURL_CA_BUNDLE."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
