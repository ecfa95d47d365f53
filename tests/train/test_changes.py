import dataclasses

import pytest

from tests.tiny import tiny
from train.changes import LATER_UPDATES_CHANGE, UPDATES_STAY, ChangedError, same_run
from train.config import to_yaml
from train.flags import parse


def config(*flags):
    return parse(["--data", "an4", "--out", "run", *flags]).config


def changes(*flags, began=()):
    return same_run(to_yaml(config(*began), tiny()), config(*flags))[1]


def test_nothing_changed_is_nothing_told():
    assert changes() == []
    assert changes("--model.hidden_size=16", "--batches.speeds=[1.0]") == []  # as in the checkpoint


def test_what_may_change_is_told_with_what_it_does():
    assert changes("--log_every=3", "--steps=9", "--model.hidden_dropout=0.3", "--schedule.hold=0") == [
        "changed: model.hidden_dropout 0.1 -> 0.3 (later updates change)",
        "changed: schedule.hold 0.4 -> 0.0 (later updates change)",
        "changed: steps None -> 9 (later updates change)",
        "changed: log_every 20 -> 3 (the updates stay)",
    ]


def test_what_may_not_change_is_refused_field_by_field_with_the_way_out():
    with pytest.raises(ChangedError, match="began with other settings") as caught:
        changes("--seed=3", "--batches.batch_seconds=5", "--optimizer.ema_momentum=0.9", "--log_every=3")
    assert str(caught.value).splitlines()[1:-1] == [
        "  --batches.batch_seconds: 60.0 -> 5.0",
        "  --optimizer.ema_momentum: None -> 0.9",
        "  --seed: 0 -> 3",
    ]
    assert "--config run/config.yaml" in str(caught.value)


@pytest.mark.parametrize("flag", ["precision=mixed_float16", "freeze_feature_encoder=true", "dev_split=test",
                                  "train_split=b", "model.hidden_size=8", "trainable=head"])  # fmt: skip
def test_each_of_these_may_not_change(flag):
    with pytest.raises(ChangedError, match=flag.split("=")[0]):
        changes(f"--{flag}")


def test_what_the_model_began_from_need_not_be_given_again_but_is_still_known():
    saved = to_yaml(config("--init_from=org/name", "--preset=large"), tiny())
    resumed, told = same_run(saved, config())
    assert (resumed.init_from, resumed.preset, told) == ("org/name", "large", [])
    with pytest.raises(ChangedError, match="--init_from: org/name -> org/other"):
        same_run(saved, config("--init_from=org/other"))


def test_a_field_that_the_run_did_not_know_yet_is_no_change():
    saved = to_yaml(config(), tiny()).replace("keep_last: 2\n", "")
    assert same_run(saved, config("--keep_last=5"))[1] == []


def test_the_table_names_fields_that_there_are():
    fields = {f"{name}.{inner.name}" for name, section in vars(config()).items() if dataclasses.is_dataclass(section)
              for inner in dataclasses.fields(section)} | set(vars(config()))  # fmt: skip
    exact = {name for name in (*UPDATES_STAY, *LATER_UPDATES_CHANGE) if "*" not in name}
    assert exact <= fields
