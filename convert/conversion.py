"""One checkpoint into a folder in the Hugging Face form, tensor by tensor, with a report of what became of each.

What the findings are is `audit`'s business, the command line `__main__`'s.
"""

import dataclasses
import re
import warnings
from pathlib import Path

import numpy as np

from convert.assign import named_weights
from convert.audit import Audit, audit
from convert.report import Converted, Report, differences, digest
from convert.sources import CONFIG_FILE, Opened, open_checkpoint
from convert.writer import write_safetensors
from wav2vec2_tf import remote
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.families import family
from wav2vec2_tf.features import FEATURE_FILES, read_feature
from wav2vec2_tf.files import make_folder, write_json, write_together
from wav2vec2_tf.hub import ADAPTER_FILE, WEIGHTS_FILE, config_of
from wav2vec2_tf.layers.initial import blank_weights
from wav2vec2_tf.model_ctc import Wav2Vec2ForCTC
from wav2vec2_tf.processor import Wav2Vec2Processor

REPORT_FILE = "conversion.json"


def convert(source: str, folder: Path, verify: bool = False, revision: str | None = None) -> Report:
    """Writes a checkpoint in the Hugging Face form, one tensor at a time, and conversion.json beside it.

    Args:
        source: Folder, weight file, hub id or gs:// folder.
        folder: Empty or absent.
        verify: Load what was written into a model and compare every weight with the source, bit by bit.
        revision: On the hub.
    Returns:
        The report; with findings nothing but conversion.json is written.
    Raises:
        FileExistsError: The folder holds something.
        OSError, ValueError: There is no such checkpoint, or it cannot be read, or not be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty. Give another folder, or remove it.")
    opened = open_checkpoint(source, revision=revision)
    model, found = _audited(opened)
    report = _begun(opened, found)
    make_folder(folder)
    if not report.findings:
        report = _write(folder, model, opened, found, report)
    if verify and not report.findings:
        report = dataclasses.replace(report, findings=_verified(folder, report))
    write_json(folder / REPORT_FILE, report.to_dict())
    return report


def _audited(opened: Opened):
    """Gives a model of the right shapes without numbers, and the audit of the checkpoint against it."""
    config = config_of(opened.checkpoint, {})
    with blank_weights():
        model = Wav2Vec2ForCTC(config)
    shapes = {name: tuple(weight.shape) for name, weight in named_weights(model).values()}
    return model, audit(shapes, opened.checkpoint, config)


def _begun(opened: Opened, found: Audit) -> Report:
    config = opened.checkpoint.config
    name = family(config.get("model_type", "wav2vec2")).ctc_class
    return Report(
        source=opened.checkpoint.source,
        format=opened.checkpoint.format,
        architecture=name.replace("ForCTC", "Model") if found.has_fresh_head else name,
        ignored=found.ignored,
        fresh=found.fresh,
        findings=found.findings,
        notes=opened.checkpoint.notes,
    )


def _write(folder: Path, model, opened: Opened, found: Audit, report: Report) -> Report:
    """Writes weights, config and processor; config.json, without which nothing loads, comes last."""
    converted: list[Converted] = []
    sick: list[str] = []

    def read(name, tensor):
        array = np.asarray(tensor.read()).astype(np.float32)
        if not np.isfinite(array).all():
            sick.append(f"not finite: {tensor.name} holds {np.count_nonzero(~np.isfinite(array))} numbers that are not")
        converted.append(Converted(name.theirs, tensor.name, tensor.dtype.name, array.shape, digest(array)))
        return array

    tensors = {name.theirs: (name, tensor) for name, tensor in found.used}
    shapes = {theirs: tensor.shape for theirs, (_, tensor) in tensors.items()}
    arrays = {theirs: lambda pair=pair: read(*pair) for theirs, pair in tensors.items()}
    extra = dict(model.config.extra) | {"architectures": [report.architecture]}
    config = dataclasses.replace(model.config, extra=extra)

    def write_weights(path: Path):
        write_safetensors(path, shapes, arrays)
        if sick:
            raise _Sick

    try:
        notes = _write_processor(folder, opened, None if found.has_fresh_head else config)
        write_together(
            {
                folder / WEIGHTS_FILE: write_weights,
                folder / CONFIG_FILE: lambda path: path.write_text(config.to_json(), encoding="utf-8"),
            }
        )
    except _Sick:
        return dataclasses.replace(report, findings=tuple(sick))
    except _Misfit as misfit:
        return dataclasses.replace(report, findings=(str(misfit),))
    return dataclasses.replace(report, tensors=tuple(converted), notes=(*report.notes, *notes, *_left_behind(opened)))


class _Sick(Exception):
    """Numbers that are not finite: what was written of the weights is thrown away."""


class _Misfit(Exception):
    """A vocabulary that is not the head's."""


def _write_processor(folder: Path, opened: Opened, config: Wav2Vec2Config | None) -> tuple[str, ...]:
    """Writes the processor's files, or as much of them as the source has; says what it lacks."""
    try:
        if opened.checkpoint.vocabulary is not None:
            processor = Wav2Vec2Processor.from_checkpoint(opened.checkpoint)
        else:
            processor = Wav2Vec2Processor.from_pretrained(opened.source, **opened.where)
    except FileNotFoundError as error:
        return _write_feature(folder, opened, error)
    try:
        if config is not None:
            processor.check_model(config)
    except ValueError as error:
        raise _Misfit(error) from error
    processor.save_pretrained(folder)
    return ()


def _left_behind(opened: Opened) -> tuple[str, ...]:
    """Tells of files that are part of the model and are not converted: the adapters of other languages."""
    names: list[str] = []
    remote.fetch(opened.source, lambda found: names.extend(found) or [], **opened.where)
    adapters = [name for name in names if re.fullmatch(ADAPTER_FILE, name)]
    return (f"{len(adapters)} adapter files stay behind: copy those you need beside the result",) if adapters else ()


def _write_feature(folder: Path, opened: Opened, error: FileNotFoundError) -> tuple[str, ...]:
    fetched = remote.fetch(opened.source, lambda names: [n for n in FEATURE_FILES if n in names], **opened.where)
    feature = read_feature(fetched.folder, fetched.name)
    if feature is None:
        return (f"no processor written: {error}",)
    write_json(folder / "preprocessor_config.json", feature.to_dict())
    return (f"preprocessor_config.json written, but no tokenizer: {error}",)


def _verified(folder: Path, report: Report) -> tuple[str, ...]:
    """Compares every weight of the model that `folder` gives with what the source held."""
    with warnings.catch_warnings(action="ignore"):  # a fresh head is in the report
        model = Wav2Vec2ForCTC.from_pretrained(folder)
    weights = {theirs: pair for theirs, pair in named_weights(model).items() if theirs not in report.fresh}
    found = {theirs: digest(name.to_theirs(weight.numpy())) for theirs, (name, weight) in weights.items()}
    return differences(report.tensors, found)
