"""Which kind of storage an address belongs to, and whom to ask there.

Each kind answers to the same names: `files`, `files_below`, `open_read`, `read`, `read_part`, `pieces`, `write`,
`upload`, `remove`, `probe`. gs:// is `gcs`, which describes them; s3:// and az:// are `tfio`.
"""

from types import ModuleType

from data_tools import gcs, tfio

SCHEMES = {"gs": gcs, "s3": tfio, "az": tfio}
EXAMPLES = "gs://BUCKET/FOLDER, s3://BUCKET/FOLDER or az://ACCOUNT/CONTAINER/FOLDER"


def in_storage(place: object) -> bool:
    """Tells an address in a bucket from what lies on this machine.

    >>> in_storage("s3://bucket/a.flac"), in_storage("a.flac"), in_storage("https://host/a.flac")
    (True, False, False)
    """
    return isinstance(place, str) and place.partition("://")[0] in SCHEMES and "://" in place


def storage_of(url: str) -> ModuleType:
    """Gives the module that talks to the storage.

    Args:
        url: An address for which `in_storage` holds.
    """
    return SCHEMES[url.partition("://")[0]]
