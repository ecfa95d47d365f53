from train.overfit import Verdict, overfit_one_batch


def test_a_sound_set_up_passes_and_writes_nothing(changed):
    lines = []
    config = changed(jit_compile=True, optimizer__learning_rate=5e-3)
    verdict = overfit_one_batch(config, report=lines.append)
    assert verdict.learned
    assert verdict.wer == 0
    assert verdict.steps <= 600
    assert "wer=0.0%" in lines[-1]
    assert not config.out.exists()


def test_a_set_up_that_cannot_learn_fails(changed):
    verdict = overfit_one_batch(changed(steps=2, optimizer__learning_rate=1e-9), report=str)
    assert not verdict.learned
    assert verdict.steps == 2


def test_that_one_device_is_tried_whatever_the_strategy_is_told(changed):
    lines = []
    overfit_one_batch(changed(steps=1, strategy="mirrored"), report=lines.append)
    assert lines[0] == "overfit_one_batch: on one device, though --strategy is mirrored; --check is for the others"


def test_the_verdict_names_what_to_look_at():
    assert "PASSED after 100 steps" in Verdict(True, 100, 0.01, 0.0, 30.0).line()
    assert "learning_rate" in Verdict(False, 600, 80.0, 1.0, 30.0).line()
