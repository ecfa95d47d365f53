"""Claims about checkpoints of fairseq: names, dictionaries, and where their settings lie."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from convert.dialects import translate
from convert.dialects.errors import DialectError
from convert.dialects.fairseq import name_of, read_dictionary, vocabulary
from convert.dialects.fairseq_options import plain, settings_of
from convert.names import names_by_path, why_ignored
from convert.readers import Record, open_tensors
from convert.tensors import Tensor
from wav2vec2_tf import Wav2Vec2Config

GOLDEN = Path(__file__).parents[2] / "golden" / "fairseq"
LETTERS = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5, "T": 6, "A": 7, "O": 8, "N": 9, "'": 10}
CASES = sorted(path.stem for path in GOLDEN.glob("*.pt"))


def load(path, config=None):
    return translate("some/where", [path], open_tensors([path]), config)


@pytest.mark.parametrize("case", CASES)
def test_every_tensor_is_one_of_the_model_or_ignored_by_a_rule(case):
    checkpoint = load(GOLDEN / f"{case}.pt")
    config = Wav2Vec2Config.from_dict(checkpoint.config)
    known = {name.theirs for name in names_by_path(config).values()}
    older = {name.replace("parametrizations.weight.original0", "weight_g") for name in known}
    older |= {name.replace("parametrizations.weight.original1", "weight_v") for name in known}
    names = [tensor.name for tensor in checkpoint.tensors]
    assert not [name for name in names if name not in older and not why_ignored(name)]
    assert len(set(names)) == len(names)
    assert checkpoint.format == "fairseq"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("w2v_encoder.w2v_model.mask_emb", "wav2vec2.masked_spec_embed"),
        (
            "w2v_encoder.w2v_model.feature_extractor.conv_layers.0.2.weight",
            "wav2vec2.feature_extractor.conv_layers.0.layer_norm.weight",
        ),
        (
            "feature_extractor.conv_layers.6.2.1.bias",
            "wav2vec2.feature_extractor.conv_layers.6.layer_norm.bias",
        ),
        ("layer_norm.weight", "wav2vec2.feature_projection.layer_norm.weight"),
        ("post_extract_proj.bias", "wav2vec2.feature_projection.projection.bias"),
        ("encoder.layer_norm.bias", "wav2vec2.encoder.layer_norm.bias"),
        ("encoder.pos_conv.0.weight_g", "wav2vec2.encoder.pos_conv_embed.conv.weight_g"),
        ("encoder.layers.11.self_attn_layer_norm.bias", "wav2vec2.encoder.layers.11.layer_norm.bias"),
        ("encoder.layers.11.self_attn.out_proj.bias", "wav2vec2.encoder.layers.11.attention.out_proj.bias"),
        ("encoder.layers.1.fc2.weight", "wav2vec2.encoder.layers.1.feed_forward.output_dense.weight"),
        ("quantizer.vars", "quantizer.codevectors"),
        ("quantizer.weight_proj.bias", "quantizer.weight_proj.bias"),
        ("final_proj.weight", "project_hid.weight"),
        ("w2v_encoder.proj.bias", "lm_head.bias"),
    ],
)
def test_names(theirs, ours):
    assert name_of(theirs) == ours


@pytest.mark.parametrize("name", ["encoder.layers.0.adapter_layer.W_a", "feature_extractor.conv_layers.1.2.weight"])
def test_a_name_without_a_counterpart_stays_for_the_audit(name):
    assert name_of("w2v_encoder.w2v_model." + name) == name


def test_hubert_has_its_own_prefix_and_its_label_embeddings_keep_their_name():
    names = {tensor.name for tensor in load(GOLDEN / "hubert_base.pt").tensors}
    assert {"hubert.masked_spec_embed", "label_embs_concat", "final_proj.weight"} <= names


def test_half_precision_stays_half():
    checkpoint = load(GOLDEN / "ctc_half.pt")
    assert {tensor.dtype for tensor in checkpoint.tensors} == {np.dtype(np.float16)}
    assert checkpoint.tensors[0].read().dtype == np.float16


@pytest.mark.parametrize("case", ["ctc_base", "ctc_large", "ctc_half", "hubert_ctc"])
def test_blank_and_bos_change_names_and_ids_stay(case):
    """The dictionary of ctc_base lies beside it, as for checkpoints of 2020; the others hold theirs."""
    checkpoint = load(GOLDEN / f"{case}.pt")
    assert checkpoint.vocabulary == LETTERS
    assert (checkpoint.config["pad_token_id"], checkpoint.config["bos_token_id"]) == (0, 1)
    assert checkpoint.config["vocab_size"] == 11


def test_without_a_dictionary_a_note_asks_for_a_vocabulary(tmp_path):
    shutil.copy(GOLDEN / "ctc_base.pt", tmp_path)
    checkpoint = load(tmp_path / "ctc_base.pt")
    assert checkpoint.vocabulary is None
    assert "give a vocab.json" in checkpoint.notes[0]


@pytest.mark.parametrize(("case", "normalize"), [("ctc_base", False), ("ctc_large", True), ("pretrained_large", True)])
def test_normalisation_is_the_checkpoints_own(case, normalize):
    assert load(GOLDEN / f"{case}.pt").normalize is normalize


def test_a_pretrained_checkpoint_has_no_vocabulary():
    checkpoint = load(GOLDEN / "pretrained_base.pt")
    assert checkpoint.vocabulary is None
    assert "vocab_size" not in checkpoint.config
    assert checkpoint.notes == ()


def test_another_beginning_of_the_dictionary_is_refused():
    with pytest.raises(DialectError, match="here begins with '<pad>', '<s>', '</s>', '<unk>', not with <s>, <pad>"):
        vocabulary("here", ["<pad>", "<s>", "</s>", "<unk>", "a"], 5)


def test_a_dictionary_of_another_size_than_the_head_is_refused():
    with pytest.raises(DialectError, match="here has 5 symbols with the special ones, the head of 32 labels"):
        vocabulary("here", ["<s>", "<pad>", "</s>", "<unk>", "a"], 32)


def test_an_overwritten_symbol_has_its_last_id(tmp_path):
    (tmp_path / "dict.ltr.txt").write_text("| 3\nE 2\n| 1 #fairseq:overwrite\n # 1\n", "utf-8")
    symbols = read_dictionary(tmp_path / "dict.ltr.txt")
    assert symbols == ["|", "E", "|", " #"]
    assert vocabulary("here", ["<s>", "<pad>", "</s>", "<unk>", *symbols], 8)["|"] == 6


@pytest.mark.parametrize("line", ["E", "E 1.5", "| 1", "<s> 1", ""])
def test_a_damaged_dictionary_is_refused(tmp_path, line):
    (tmp_path / "dict.ltr.txt").write_text(f"| 3\n{line}\nA 1\n", "utf-8")
    with pytest.raises(DialectError, match=r"dict.ltr.txt, line 2: .* is not a new symbol and its count"):
        read_dictionary(tmp_path / "dict.ltr.txt")


def test_symbols_may_be_any_character(tmp_path):
    (tmp_path / "dict.ltr.txt").write_text("\u2028 3\n\x85 2\nä\u0301 1\n", "utf-8")
    assert read_dictionary(tmp_path / "dict.ltr.txt") == ["\u2028", "\x85", "ä\u0301"]


def test_a_dictionary_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "dict.ltr.txt").write_bytes("ä 1\n".encode("latin-1"))
    with pytest.raises(DialectError, match="dict.ltr.txt is not UTF-8 text"):
        read_dictionary(tmp_path / "dict.ltr.txt")


def test_the_labels_name_the_dictionary_and_no_other_folder():
    model = {"_name": "wav2vec2"}
    assert settings_of("", {"cfg": {"model": model, "task": {"labels": ["phn"]}}}).labels == "phn"
    assert settings_of("", {"cfg": {"model": model, "task": {"labels": "../../etc"}}}).labels == "ltr"


@pytest.mark.parametrize("name", ["wav2vec", "wav2vec_seq2seq", "data2vec_audio", None, ["wav2vec2"]])
def test_other_models_of_fairseq_are_refused_by_name(name):
    with pytest.raises(DialectError, match=r"here holds the model .* of fairseq; supported are wav2vec2, wav2vec_ctc"):
        settings_of("here", {"cfg": {"model": {"_name": name}, "task": {}}})


def test_the_model_inside_a_fine_tuned_one_is_named_too():
    inner = {"model": {"_name": "data2vec_audio"}, "task": {}}
    with pytest.raises(DialectError, match="holds the model 'data2vec_audio' of fairseq"):
        settings_of("here", {"args": Record("argparse.Namespace", state={"arch": "wav2vec_ctc", "w2v_args": inner})})


def test_a_fine_tuned_model_inside_a_fine_tuned_one_is_refused():
    model = {"_name": "wav2vec_ctc", "w2v_args": {"model": {"_name": "wav2vec_ctc"}}}
    with pytest.raises(DialectError, match="w2v_args describe a fine-tuned model"):
        settings_of("here", {"cfg": {"model": model}})


def test_settings_of_another_kind_are_refused():
    with pytest.raises(DialectError, match="its settings are a list"):
        settings_of("here", {"cfg": [1]})


@pytest.mark.parametrize("tree", [{}, {"cfg": {"model": {"_name": "wav2vec_ctc", "w2v_args": None}, "task": {}}}])
def test_without_settings_the_config_beside_it_counts(monkeypatch, tree):
    tensor = Tensor("feature_extractor.conv_layers.0.0.weight", (4, 1, 10), np.dtype("f4"), None, "model.pt")
    monkeypatch.setattr("convert.dialects.fairseq.read_pickle", lambda path: tree)
    with pytest.raises(DialectError, match=r"does not hold the settings of its model .* Put the config.json"):
        translate("here", [Path("model.pt")], [tensor])
    config = {"model_type": "hubert"}
    checkpoint = translate("here", [Path("model.pt")], [tensor], config)
    assert checkpoint.config is config
    assert checkpoint.tensors[0].name == "hubert.feature_extractor.conv_layers.0.conv.weight"
    assert checkpoint.normalize is None


def test_settings_are_read_out_of_every_form():
    node = Record("omegaconf.nodes.AnyNode", state={"_val": 5, "_metadata": None})
    numbers = Record("omegaconf.listconfig.ListConfig", state={"_content": [node], "_parent": None})
    choice = Record("fairseq.dataclass.constants.Choices", args=("layer_norm",))
    pairs = Record("collections.defaultdict", args=(None,), items=[("a", choice), (7, "dropped")])
    tree = Record("omegaconf.dictconfig.DictConfig", state={"_content": {"x": numbers, "y": pairs, "z": object()}})
    assert plain("here", tree) == {"x": [5], "y": {"a": "layer_norm"}, "z": None}


def test_settings_that_hold_themselves_are_refused():
    tree = []
    tree.append(tree)
    with pytest.raises(DialectError, match="nested deeper than 60 levels"):
        plain("here", tree)


def test_shared_settings_are_not_multiplied():
    tree = ["x"]
    for _ in range(50):
        tree = [tree, tree]
    found = plain("here", tree)
    assert found[0] is found[1]


def test_a_hugging_face_checkpoint_passes_through():
    tensor = Tensor("wav2vec2.masked_spec_embed", (4,), np.dtype("f4"), None, "model.safetensors")
    for file, kind in (("model.safetensors", "safetensors"), ("pytorch_model.bin", "pytorch")):
        checkpoint = translate("here", [Path(file)], [tensor], {"model_type": "wav2vec2"})
        assert (checkpoint.format, checkpoint.tensors) == (kind, (tensor,))
