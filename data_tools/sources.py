"""Where a recording lies: a file, an object in a bucket (gs://), or a member of a tar file; and how it is opened.

Decoding is left to `wav2vec2_tf.audio`; which recordings there are, to `manifests`.
"""

from dataclasses import dataclass
from pathlib import Path

from wav2vec2_tf.audio import AudioError

REMOTE = "gs://"


@dataclass(frozen=True, slots=True)
class TarMember:
    """A recording inside an uncompressed tar file.

    Args:
        path: The tar file; "gs://..." where it lies in a bucket.
        offset: Where the recording's first byte stands in it.
        size: Bytes of the recording.
    """

    path: Path | str
    offset: int
    size: int


Audio = Path | str | TarMember
"""What `Utterance.audio` may be; a str is "gs://bucket/name"."""


def is_remote(place: object) -> bool:
    """Tells what lies in a bucket from what lies on this machine.

    >>> is_remote("gs://bucket/a.flac"), is_remote(Path("a.flac")), is_remote(TarMember("gs://bucket/a.tar", 512, 9))
    (True, False, True)
    """
    place = place.path if isinstance(place, TarMember) else place
    return isinstance(place, str) and place.startswith(REMOTE)


def join(root: Path | str, name: str) -> Path | str:
    """Finds a recording that a manifest names.

    >>> join("gs://bucket/corpus/", "a/b.flac"), join(Path("corpus"), "gs://bucket/b.flac")
    ('gs://bucket/corpus/a/b.flac', 'gs://bucket/b.flac')

    Args:
        root: Folder that names are relative to.
        name: Relative to `root`, an absolute path, or a whole gs:// address.
    Returns:
        A path, or the address of an object in a bucket.
    """
    if is_remote(name):
        return name
    if is_remote(root) and not name.startswith("/"):
        return f"{str(root).rstrip('/')}/{name}"
    return Path(name if is_remote(root) else root) / name


def open_audio(audio: Audio) -> Path | bytes:
    """Gives what `wav2vec2_tf.audio.load` takes: a local file's path, or the bytes of a recording that is no file.

    Args:
        audio: See `Utterance.audio`.
    Returns:
        The path, unread, or the whole encoded recording.
    Raises:
        AudioError: There is no such tar file, or it ends before the recording does.
    """
    if isinstance(audio, TarMember):
        return _read_member(audio)
    return Path(audio)


def _read_member(member: TarMember) -> bytes:
    try:
        with open(member.path, "rb") as file:
            file.seek(member.offset)
            data = file.read(member.size)
    except OSError as error:
        raise AudioError(
            f"{member.path} cannot be read ({error}). Fetch the tar file again.", "missing_file"
        ) from error
    if len(data) < member.size:
        message = (
            f"{member.path} ends {member.size - len(data)} bytes before the recording at byte {member.offset} does. "
            "Fetch the tar file again."
        )
        raise AudioError(message, "truncated")
    return data
