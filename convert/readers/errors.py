"""The one error of the readers, and a guess at what a file is when it is not what its name says."""

import stat
from pathlib import Path

LEADING_BYTES = 512

# first bytes                          what such a file is
SIGNS = (
    (b"version https://git-lfs",       "a git-lfs pointer, which stands for the file (see `git lfs pull`)"),
    (b"\x89HDF\r\n\x1a\n",             "an HDF5 file (.h5)"),
    (b"PK\x03\x04",                    "a zip archive (torch 1.6 and later write .bin and .pt so)"),
    (b"PK\x05\x06",                    "an empty zip archive"),
    (b"\x80\x02",                      "a pickle (torch before 1.6 wrote .bin and .pt so)"),
    (b"\x80",                          "a pickle"),
    (b"\x1f\x8b",                      "a gzip archive"),
    (b"BZh",                           "a bzip2 archive"),
    (b"\xfd7zXZ",                      "an xz archive"),
    (b"7z\xbc\xaf",                    "a 7z archive"),
    (b"\x28\xb5\x2f\xfd",              "a zstandard archive"),
    (b"\x93NUMPY",                     "a NumPy array (.npy)"),
)  # fmt: skip


class CheckpointFileError(ValueError):
    """A weight file that cannot be read; the message says why and what to do."""


def size_of(path: Path) -> int:
    """Gives the bytes of a weight file.

    Raises:
        CheckpointFileError: It is absent, a folder, a device or empty.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointFileError(f"{path} does not exist. Check the name, or fetch the file again.") from error
    if not stat.S_ISREG(found.st_mode):
        raise CheckpointFileError(f"{path} is not a plain file. Name the weight file itself.")
    if not found.st_size:
        raise CheckpointFileError(f"{path} is empty: a download that never began? Fetch the file again.")
    return found.st_size


def seems(path: Path) -> str:
    """Guesses what a file is by its first bytes, in words that end "it seems to be ...".

    Args:
        path: A plain file.
    Returns:
        Such as "an HTML page"; never more than a line.
    """
    with path.open("rb") as file:
        head = file.read(LEADING_BYTES)
    for sign, what in SIGNS:
        if head.startswith(sign):
            return what
    if len(head) > 9 and head[8:9] == b"{" and head[4:8] == bytes(4):
        return "a safetensors file"
    if head[257:262] == b"ustar":
        return "a tar archive (torch before 0.1.10 wrote .pt so)"
    if not head.strip(b"\0"):
        return "zeros only, as a download leaves that was never filled"
    return _text(head)


def _text(head: bytes) -> str:
    try:
        text = head.decode("utf-8", "strict" if len(head) < LEADING_BYTES else "ignore").lstrip("\ufeff \t\r\n")
    except UnicodeDecodeError:
        return "nothing known"
    if text[:200].lower().startswith(("<!doctype", "<html", "<head", "<?xml", "<!--")):
        return "an HTML page, often a login or an error saved under the file's name"
    if any(not char.isprintable() and char not in "\r\n\t" for char in text[:200]):
        return "nothing known"
    return f"text that begins {text[:40]!r}"


def not_a(kind: str, path: Path) -> CheckpointFileError:
    """Gives the error for a file that its reader does not know: `kind` is what was expected, with its article."""
    return CheckpointFileError(f"{path} is not {kind}: it seems to be {seems(path)}. Fetch it again, or rename it.")
