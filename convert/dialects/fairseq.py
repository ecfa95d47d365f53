"""Checkpoints of fairseq: wav2vec 2.0 and HuBERT, pretrained or fine-tuned for CTC.

The settings inside them are read by `fairseq_options` and turned into a config.json by `fairseq_config`; here are the
names of the tensors and the dictionary of labels. fairseq's CTC blank is <s>, id 0, and Hugging Face calls the blank
<pad>: the two names change places, the ids stay.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convert.dialects.errors import DialectError
from convert.dialects.fairseq_config import hugging_face_config
from convert.dialects.fairseq_options import Settings, plain, settings_of, shown
from convert.readers import read_pickle
from convert.tensors import Checkpoint, Tensor

TUNED, HEAD, FIRST_CONV = "w2v_encoder.w2v_model.", "w2v_encoder.proj.", "feature_extractor.conv_layers.0.0.weight"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
SWAPPED = {"<s>": "<pad>", "<pad>": "<s>"}
PICKLES = (".pt", ".pth", ".bin")

# fairseq                                              Hugging Face, below the prefix of the body
BODY = (
    (r"mask_emb$",                                     r"masked_spec_embed"),
    (r"feature_extractor\.conv_layers\.(\d+)\.0\.",    r"feature_extractor.conv_layers.\1.conv."),
    (r"feature_extractor\.conv_layers\.(\d+)\.2\.1\.", r"feature_extractor.conv_layers.\1.layer_norm."),  # layer norm
    (r"feature_extractor\.conv_layers\.(0)\.2\.",      r"feature_extractor.conv_layers.\1.layer_norm."),  # group norm
    (r"layer_norm\.",                                  r"feature_projection.layer_norm."),
    (r"post_extract_proj\.",                           r"feature_projection.projection."),
    (r"encoder\.pos_conv\.0\.",                        r"encoder.pos_conv_embed.conv."),
    (r"encoder\.layer_norm\.",                         r"encoder.layer_norm."),
    (r"encoder\.layers\.(\d+)\.self_attn\.",           r"encoder.layers.\1.attention."),
    (r"encoder\.layers\.(\d+)\.self_attn_layer_norm\.", r"encoder.layers.\1.layer_norm."),
    (r"encoder\.layers\.(\d+)\.fc1\.",                 r"encoder.layers.\1.feed_forward.intermediate_dense."),
    (r"encoder\.layers\.(\d+)\.fc2\.",                 r"encoder.layers.\1.feed_forward.output_dense."),
    (r"encoder\.layers\.(\d+)\.final_layer_norm\.",    r"encoder.layers.\1.final_layer_norm."),
)  # fmt: skip

# parts of pretraining, beside the body
PRETRAINING = {
    "wav2vec2": ((r"quantizer\.vars$", r"quantizer.codevectors"), (r"final_proj\.", r"project_hid.")),
    "hubert": (),
}


def recognises(tensors: Sequence[Tensor], config: Mapping[str, Any] | None) -> bool:
    """Tells whether fairseq named these tensors."""
    return any(tensor.name.endswith(FIRST_CONV) for tensor in tensors)


def translate(
    source: str, files: Sequence[Path], tensors: Sequence[Tensor], config: Mapping[str, Any] | None
) -> Checkpoint:
    """Translates a checkpoint of fairseq.

    Args:
        source, files, tensors: As for `dialects.translate`.
        config: Used only where the checkpoint does not hold the settings of its model.
    Returns:
        The checkpoint; with the vocabulary of its dictionary or of the dict.ltr.txt beside it, if it is fine-tuned.
    Raises:
        DialectError: It is another model of fairseq, has options or a dictionary without a counterpart, or neither
            holds its settings nor has a config.json.
    """
    tree = read_pickle(files[0]) if files[0].suffix in PICKLES else {}
    settings = settings_of(source, tree)
    notes = ()
    if settings is None and config is None:
        raise DialectError(
            f"{source}: this fairseq checkpoint does not hold the settings of its model (cfg or args; w2v_args in a "
            "fine-tuned one). Put the config.json of the same model beside it."
        )
    if settings is not None:
        config, notes = hugging_face_config(source, settings, {tensor.name: tensor.shape for tensor in tensors})
    family = config.get("model_type", "wav2vec2")
    translated = tuple(tensor.renamed(name_of(tensor.name, family)) for tensor in tensors)
    head = next((tensor for tensor in translated if tensor.name == "lm_head.weight" and tensor.shape), None)
    vocabulary = _vocabulary(source, tree, settings, files[0].parent, head) if head else None
    if head and vocabulary is None:
        notes += ("There is no dictionary in the checkpoint, nor a dict.ltr.txt beside it: give a vocab.json.",)
    normalize = settings.normalize if settings else None
    return Checkpoint(source, "fairseq", translated, config, vocabulary, normalize, notes)


def name_of(name: str, family: str = "wav2vec2") -> str:
    """Gives the Hugging Face name of a tensor of fairseq; unchanged where there is none.

    >>> name_of("w2v_encoder.w2v_model.encoder.layers.3.fc1.bias")
    'wav2vec2.encoder.layers.3.feed_forward.intermediate_dense.bias'
    >>> name_of("w2v_encoder.proj.weight"), name_of("quantizer.vars")
    ('lm_head.weight', 'quantizer.codevectors')

    Args:
        name: As in the checkpoint.
        family: "wav2vec2" or "hubert", which is the prefix of the body's names too.
    """
    if name.startswith(HEAD):
        return "lm_head." + name.removeprefix(HEAD)
    inner = name.removeprefix(TUNED)
    found = _renamed(inner, BODY)
    return f"{family}.{found}" if found else _renamed(inner, PRETRAINING.get(family, ())) or inner


def _renamed(name: str, table: Sequence[tuple[str, str]]) -> str | None:
    """Gives what the first row whose pattern begins a name makes of it; None where none does."""
    matches = ((re.match(pattern, name), replacement) for pattern, replacement in table)
    return next((match.expand(new) + name[match.end() :] for match, new in matches if match), None)


def _vocabulary(source: str, tree: dict, settings: Settings | None, folder: Path, head: Tensor):
    """Finds the dictionary of labels, in the checkpoint or beside it; None where there is none."""
    held = tree.get("task_state") if isinstance(tree, dict) else None
    dictionary = plain(source, held.get("target_dictionary")) if isinstance(held, dict) else None
    symbols = dictionary.get("symbols") if isinstance(dictionary, dict) else None
    if isinstance(symbols, list) and all(isinstance(symbol, str) for symbol in symbols):
        return vocabulary(f"{source}: the dictionary", symbols, head.shape[0])
    file = folder / f"dict.{settings.labels if settings else 'ltr'}.txt"
    if file.is_file():
        return vocabulary(str(file), list(SPECIAL) + read_dictionary(file), head.shape[0])
    return None


def vocabulary(place: str, symbols: Sequence[str], size: int) -> dict[str, int]:
    """Gives the token -> id of a dictionary, in the names of Hugging Face.

    >>> vocabulary("here", ["<s>", "<pad>", "</s>", "<unk>", "|", "A"], 6)
    {'<pad>': 0, '<s>': 1, '</s>': 2, '<unk>': 3, '|': 4, 'A': 5}

    Args:
        place: Where the dictionary is, for messages.
        symbols: In the order of their ids; of a symbol that occurs twice the last counts, as in fairseq.
        size: Labels that the head scores.
    Raises:
        DialectError: It does not begin as dictionaries of fairseq do, or is of another size than the head.
    """
    if tuple(symbols[:4]) != SPECIAL:
        raise DialectError(
            f"{place} begins with {', '.join(map(shown, symbols[:4]))}, not with {', '.join(SPECIAL)}: which label is "
            "the CTC blank is not known. Give a vocab.json whose <pad> is the blank."
        )
    if len(symbols) != size:
        raise DialectError(
            f"{place} has {len(symbols)} symbols with the special ones, the head of {size} labels. Use the dictionary "
            "that the model was fine-tuned with."
        )
    return {SWAPPED.get(symbol, symbol): index for index, symbol in enumerate(symbols)}


def read_dictionary(file: Path) -> list[str]:
    """Reads a dict.ltr.txt: a symbol and its count per line, without the special symbols.

    Raises:
        DialectError: A line is no symbol and count, a symbol occurs twice without "#fairseq:overwrite", or the text is
            not UTF-8.
    """
    try:
        lines = file.read_text("utf-8").removesuffix("\n").split("\n")  # splitlines would split at symbols too
    except UnicodeDecodeError as error:
        raise DialectError(f"{file} is not UTF-8 text ({error}). Restore it.") from error
    symbols, known = [], set(SPECIAL)
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(r"(.+?) \d+( #fairseq:overwrite)?", line.rstrip())
        if not match or (match[1] in known and not match[2]):
            raise DialectError(
                f"{file}, line {number}: {line!r:.60} is not a new symbol and its count. Restore the file that the "
                "model was fine-tuned with."
            )
        symbols.append(match[1])
        known.add(match[1])
    return symbols
