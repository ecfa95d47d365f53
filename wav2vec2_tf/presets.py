"""The published architectures as differences to the defaults of `Wav2Vec2Config`, which inherits them from here."""

from typing import Self

LARGE = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
XLARGE = dict(hidden_size=1280, num_hidden_layers=48, num_attention_heads=16, intermediate_size=5120)
STABLE = dict(feat_extract_norm="layer", do_stable_layer_norm=True)


class Presets:
    """One class method per architecture; each takes changes to any field."""

    @classmethod
    def base(cls, **changes) -> Self:
        """Base: 95 M parameters, group norm, post-LN (base, base-100h, base-960h)."""
        return cls(**changes)

    @classmethod
    def large(cls, **changes) -> Self:
        """Large on LibriSpeech: 24 layers, group norm, post-LN (large, large-960h)."""
        return cls(**LARGE | dict(codevector_dim=768, proj_codevector_dim=768) | changes)

    @classmethod
    def large_lv60(cls, **changes) -> Self:
        """Large on Libri-Light: layer norm, conv bias, pre-LN (large-lv60, -robust, -xlsr-53)."""
        return cls.large(**STABLE | dict(conv_bias=True) | changes)

    @classmethod
    def xls_r_300m(cls, **changes) -> Self:
        """XLS-R 300M: the architecture of large_lv60 (also mms-300m, without dropout)."""
        return cls.large_lv60(**changes)

    @classmethod
    def xls_r_1b(cls, **changes) -> Self:
        """XLS-R 1B: 48 layers of 1280; with `adapter_attn_dim=16` the body of mms-1b-all."""
        return cls.large_lv60(**XLARGE | dict(codevector_dim=1024, proj_codevector_dim=1024) | changes)

    @classmethod
    def xls_r_2b(cls, **changes) -> Self:
        """XLS-R 2B: 48 layers of 1920."""
        return cls.xls_r_1b(**dict(hidden_size=1920, intermediate_size=7680) | changes)

    @classmethod
    def hubert_base(cls, **changes) -> Self:
        """HuBERT base: group norm, post-LN (hubert-base-ls960)."""
        return cls.of("hubert", **changes)

    @classmethod
    def hubert_large(cls, **changes) -> Self:
        """HuBERT large: layer norm, conv bias, pre-LN (hubert-large-ll60k, hubert-large-ls960-ft)."""
        return cls.of("hubert", **LARGE | STABLE | dict(conv_bias=True) | changes)

    @classmethod
    def hubert_xlarge(cls, **changes) -> Self:
        """HuBERT extra large: 48 layers of 1280 (hubert-xlarge-ll60k, hubert-xlarge-ls960-ft)."""
        return cls.of("hubert", **XLARGE | STABLE | dict(conv_bias=True) | changes)

    @classmethod
    def data2vec_audio_base(cls, **changes) -> Self:
        """data2vec base: layer norm in the convolutions, post-LN, five positional convolutions."""
        return cls.of("data2vec-audio", **changes)

    @classmethod
    def data2vec_audio_large(cls, **changes) -> Self:
        """data2vec large: 24 layers of 1024."""
        return cls.of("data2vec-audio", **LARGE | changes)

    @classmethod
    def wavlm_base(cls, **changes) -> Self:
        """WavLM base: group norm, post-LN, relative positions (wavlm-base, wavlm-base-plus)."""
        return cls.of("wavlm", **changes)

    @classmethod
    def wavlm_large(cls, **changes) -> Self:
        """WavLM large: layer norm, pre-LN."""
        return cls.of("wavlm", **LARGE | STABLE | changes)
