"""What the recipes put in the place of the defaults, as tables: values as the sources' code has them.

Only the 16 bits are others: bfloat16, the one kind TPUs have, which needs no scaling of the loss. What a recipe is, and
what it can be used on, is `recipes`' business.
"""

FAIRSEQ_COLUMNS = "body seconds device_seconds steps rate frozen mask_time mask_channel layerdrop eval_every".split()
FAIRSEQ = {
    #                  body     s audio per update, device  updates  rate  frozen  time  channel layerdrop eval_every
    "base_10m":        ("base",  1600,              200,    13_000,  5e-5, 10_000, 0.65, 0.25,   0.1,      1000),
    "base_1h":         ("base",  1600,              200,    13_000,  5e-5, 10_000, 0.65, 0.25,   0.1,      1000),
    "base_10h":        ("base",  1600,              200,    20_000,  5e-5, 10_000, 0.65, 0.5,    0.05,     1000),
    "base_100h":       ("base",  1600,              200,    80_000,  3e-5, 0,      0.65, 0.5,    0.1,      None),
    "base_960h":       ("base",  1600,              200,    320_000, 1e-4, 0,      0.5,  0.1,    0.1,      None),
    "large_10m":       ("large", 1600,              80,     13_000,  1e-4, 10_000, 0.65, 0.25,   0.1,      1000),
    "large_1h":        ("large", 1600,              80,     13_000,  3e-4, 10_000, 0.75, 0.25,   0.1,      1000),
    "large_10h":       ("large", 1600,              80,     20_000,  1e-4, 10_000, 0.75, 0.25,   0.1,      1000),
    "large_100h":      ("large", 1600,              80,     80_000,  3e-5, 10_000, 0.5,  0.5,    0.1,      None),
    "large_960h":      ("large", 1920,              80,     320_000, 3e-5, 10_000, 0.5,  0.25,   0.1,      None),
    "xls_r_cv":        ("xls_r", 1600,              80,     13_000,  3e-4, 10_000, 0.75, 0.25,   0.1,      1000),
    "xls_r_mls_10h":   ("xls_r", 1600,              80,     20_000,  3e-4, 10_000, 0.75, 0.25,   0.1,      1000),
    "xls_r_babel":     ("xls_r", 1600,              80,     26_000,  3e-4, 10_000, 0.75, 0.25,   0.1,      1000),
    "xls_r_voxpopuli": ("xls_r", 1600,              80,     50_000,  3e-4, 10_000, 0.75, 0.25,   0.1,      1000),
}  # fmt: skip

# the pretrained checkpoint, and the architectures a recipe is for
BODIES = {
    "base":  ("facebook/wav2vec2-base",       ("base",)),
    "large": ("facebook/wav2vec2-large-lv60", ("large_lv60",)),
    "xls_r": ("facebook/wav2vec2-xls-r-300m", ("xls_r_300m", "xls_r_1b")),
}  # fmt: skip

# ending of a name -> what it was made for, and the splits of shards made with --librispeech
CORPORA = {
    "10m":       ("Libri-light, 10 min of LibriSpeech", "--dev_split dev-other"),
    "1h":        ("Libri-light, 1 h of LibriSpeech",    "--dev_split dev-other"),
    "base_10h":  ("Libri-light, 10 h of LibriSpeech",   "--dev_split dev-other"),
    "large_10h": ("Libri-light, 10 h of LibriSpeech",   "--dev_split dev-other"),
    "100h":      ("LibriSpeech, 100 h", "--train_split train-clean-100 --dev_split dev-other"),
    "960h":      ("LibriSpeech, 960 h",
                  "--train_split train-clean-100+train-clean-360+train-other-500 --dev_split dev-other"),
    "cv":        ("Common Voice, one language", ""),
    "mls_10h":   ("Multilingual LibriSpeech, 10 h of one language", ""),
    "babel":     ("Babel, one language", ""),
    "voxpopuli": ("VoxPopuli, one language", ""),
}  # fmt: skip

# word error rates that others report
_TORCHAUDIO = "{} with a 4-gram (torchaudio, examples/asr/librispeech_ctc_decoder)"
PUBLISHED = {
    "base_10m":   _TORCHAUDIO.format("test-other 15.91 %"),
    "base_100h":  _TORCHAUDIO.format("test-clean / other 3.42 / 8.07 %"),
    "base_960h":  "test-clean / other 3.4 / 8.6 % greedy (card of facebook/wav2vec2-base-960h)",
    "large_10m":  _TORCHAUDIO.format("test-other 10.51 %"),
    "large_960h": _TORCHAUDIO.format("test-clean / other 2.03 / 3.68 %"),
}  # fmt: skip

QUIET = dict(hidden_dropout=0.0, attention_dropout=0.0, feat_proj_dropout=0.0, final_dropout=0.0)
_MASKS = dict(apply_spec_augment=True, mask_time_length=10, mask_time_min_masks=2, mask_feature_min_masks=0)
FEW_MASKS = _MASKS | dict(mask_time_prob=0.05, mask_feature_prob=0.0)


def fairseq(name: str) -> dict:
    """Gives the values of a row of `FAIRSEQ`, and what its rows share."""
    row = dict(zip(FAIRSEQ_COLUMNS, FAIRSEQ[name], strict=True))
    init_from, presets = BODIES[row["body"]]
    return dict(
        init_from=init_from,
        preset=presets[0],
        model=QUIET
        | dict(activation_dropout=0.1, layerdrop=row["layerdrop"])
        | _MASKS
        | dict(mask_time_prob=row["mask_time"], mask_feature_prob=row["mask_channel"], mask_feature_length=64),
        batches=dict(batch_seconds=float(row["seconds"]), device_seconds=float(row["device_seconds"])),
        optimizer=dict(name="adam", learning_rate=row["rate"], beta_1=0.9, beta_2=0.98, epsilon=1e-8, clip_norm=0.0),
        schedule=dict(name="tri_stage", warmup=0.1, hold=0.4, initial_scale=0.01, final_scale=0.05),
        steps=row["steps"],
        eval_every=row["eval_every"],
        freeze_feature_encoder=True,
        freeze_encoder_steps=row["frozen"],
        precision="mixed_bfloat16",
    )


def transformers(init_from, preset, rate, warmup_steps, epochs, model, **values) -> dict:
    """Gives what its Trainer does where it is told nothing else, on batches of 32 clips of about 5 s.

    Its loss is per label and its gradient clipped at 1; ours is per utterance, of about 30 labels.
    """
    return (
        dict(
            init_from=init_from,
            preset=preset,
            model=model | FEW_MASKS,
            batches=dict(batch_seconds=160.0),
            optimizer=dict(name="adamw", learning_rate=rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8, clip_norm=30.0),
            schedule=dict(name="linear", warmup_steps=warmup_steps, initial_scale=0.0),
            epochs=epochs,
            eval_every=100,
            gradient_checkpointing=True,
            precision="mixed_bfloat16",
        )
        | values
    )


def port(rate, schedule, **values) -> dict:
    """Gives what both stages share: 8 devices with 32 clips padded to 246000 samples each, Keras's Adam."""
    return (
        dict(
            preset="base",
            model=dict.fromkeys([*QUIET, "activation_dropout"], 0.1) | dict(layerdrop=0.0) | FEW_MASKS,
            batches=dict(batch_seconds=3936.0, device_seconds=492.0),
            optimizer=dict(name="adam", learning_rate=rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7, clip_norm=0.0),
            schedule=schedule,
            epochs=15,
            freeze_feature_encoder=True,
        )
        | values
    )
