"""`Wav2Vec2Processor`: samples to model input, text to labels, model output to text, and the files that say how.

Reading audio files is left to `audio`, the choice of labels to `decoding`. The earlier TF port's two modes,
`is_tokenizer=False` and `is_tokenizer=True`, work as they did.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wav2vec2_tf import remote
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.decoding.greedy import best_ids
from wav2vec2_tf.features import FEATURE_FILES, FeatureSettings, SpeechBatch, checked_samples, read_feature
from wav2vec2_tf.files import write_json
from wav2vec2_tf.text import tokenizer_files
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer


class Wav2Vec2Processor:
    """Prepares audio and text for a model and reads its output.

    >>> processor = Wav2Vec2Processor()
    >>> values = processor(np.sin(np.arange(16_000) / 20), sampling_rate=16_000)
    >>> values.shape, values.dtype.name, bool(abs(values.std() - 1) < 1e-4)
    ((16000,), 'float32', True)
    >>> Wav2Vec2Processor(is_tokenizer=True)("Hello")
    [11, 5, 15, 15, 8]

    Args:
        is_tokenizer: The earlier port's mode: True makes `processor(text)` encode, False makes `processor(speech)`
            normalise, None decides by the type of the argument.
        do_normalize, vocab_path: As in the earlier port; short for `feature=` and `tokenizer=`.
        tokenizer: Text side; by default the 32 tokens of the published English checkpoints.
        feature: Audio side; by default 16 kHz, normalised.
    """

    def __init__(
        self,
        is_tokenizer: bool | None = None,
        do_normalize: bool = True,
        vocab_path: str | Path | None = None,
        *,
        tokenizer: Wav2Vec2CTCTokenizer | None = None,
        feature: FeatureSettings | None = None,
    ):
        self.is_tokenizer = is_tokenizer
        self.feature = feature or FeatureSettings(do_normalize=do_normalize)
        if tokenizer is None and vocab_path is not None:
            tokenizer = Wav2Vec2CTCTokenizer.from_file(vocab_path)
        self.tokenizer = tokenizer or Wav2Vec2CTCTokenizer.standard()

    def __call__(self, value, sampling_rate: int | None = None):
        """Normalises speech, or encodes text.

        Args:
            value: Samples [S], or [B, S] where all rows are real to the end (`pad` takes lists of other lengths):
                float in [-1, 1] or int16; array, list or eager tensor. Or a string.
            sampling_rate: Hertz of the samples, checked where given.
        Returns:
            float32 samples of the same shape; for a string, its label ids.
        Raises:
            TypeError: Text in audio mode, or audio in text mode.
            ValueError: Another sampling rate, an empty, non-finite or multi-channel signal.
        """
        if isinstance(value, str) != self.is_tokenizer and self.is_tokenizer is not None:
            wants, call = ("text", "False)(speech)") if self.is_tokenizer else ("audio samples", "True)(text)")
            raise TypeError(
                f"This processor has is_tokenizer={self.is_tokenizer} and takes {wants}, not {type(value).__name__}. "
                f"Use Wav2Vec2Processor(is_tokenizer={call}."
            )
        if isinstance(value, str):
            return self.tokenizer.encode(self._as_port(value) if self.is_tokenizer else value)
        self._check_rate(sampling_rate)
        return self.feature.normalize(checked_samples(value))

    def pad(self, speech: Sequence, sampling_rate: int | None = None) -> SpeechBatch:
        """Normalises each utterance over its own samples and pads them to the longest.

        Args:
            speech: One array of samples [S] per utterance.
            sampling_rate: Hertz of the samples, checked where given.
        Raises:
            ValueError: No utterance, or one that `__call__` refuses; the message gives its position.
        """
        self._check_rate(sampling_rate)
        if not len(speech):
            raise ValueError("pad() needs at least one utterance; the list is empty.")
        rows = [
            self.feature.normalize(checked_samples(row, f"utterance {i}", axes=(1,))) for i, row in enumerate(speech)
        ]
        lengths = np.array([len(row) for row in rows], np.int32)
        values = np.full((len(rows), lengths.max()), self.feature.padding_value, np.float32)
        for i, row in enumerate(rows):
            values[i, : len(row)] = row
        return SpeechBatch(values, lengths)

    def decode(self, ids, *, skip_special_tokens: bool = True, group_tokens: bool = True) -> str:
        """Turns the ids of one utterance into text; `group_tokens=False` for ids that are labels already.

        Raises:
            ValueError: `ids` holds several utterances.
        """
        ids = np.asarray(ids)
        if ids.ndim > 1 and ids.shape[0] > 1:
            raise ValueError(f"decode() takes the ids of one utterance; got shape {ids.shape}. Use batch_decode().")
        return self.tokenizer.decode(ids.ravel(), group_tokens=group_tokens, skip_special_tokens=skip_special_tokens)

    def batch_decode(self, output, num_frames: Sequence[int] | None = None, **settings) -> list[str]:
        """Turns the output of a model into one text per utterance.

        >>> Wav2Vec2Processor().batch_decode(np.array([[11, 11, 10, 0], [7, 0, 7, 5]]), num_frames=[4, 3])
        ['HI', 'AA']

        Args:
            output: [B, T, V] logits, or [B, T] frame ids.
            num_frames: [B] real frames of each row; None where all are real.
            settings: `skip_special_tokens`, `group_tokens`, as for `decode`.
        """
        return [self.decode(ids, **settings) for ids in best_ids(output, num_frames)]

    def check_model(self, config: Wav2Vec2Config) -> None:
        """Refuses a model whose labels are not the tokenizer's, since every text would be wrong.

        Args:
            config: The model's.
        Raises:
            ValueError: The two disagree on the CTC blank, or on the number of labels.
        """
        blank, pad = config.pad_token_id, self.tokenizer.pad_token_id
        if blank != pad:
            raise ValueError(
                f"The model's CTC blank is {blank} (config.json, pad_token_id), the tokenizer's is {pad} "
                f"({self.tokenizer.pad_token!r} in vocab.json). Take both from the same checkpoint."
            )
        if not self.tokenizer.fits(config.vocab_size):
            language = self.tokenizer.target_lang
            load = f", or load the head of this language: model.load_adapter({language!r})" if language else ""
            raise ValueError(
                f"The model scores {config.vocab_size} labels (config.json, vocab_size), the tokenizer has "
                f"{len(self.tokenizer)} tokens. Take both from the same checkpoint{load}."
            )

    @classmethod
    def from_pretrained(cls, source: str | Path, *, target_lang: str | None = None, **where) -> "Wav2Vec2Processor":
        """Reads what `save_pretrained` or Hugging Face wrote.

        Args:
            source: A folder, a hub id or a gs:// folder (`remote.fetch`) that holds preprocessor_config.json, or the
                newer processor_config.json, and the tokenizer's files; or a fine-tuned .pt file of fairseq.
            target_lang: The language, where the vocabulary has several; by default the one tokenizer_config.json names.
            where: `revision`, `cache_dir`, `token`, `local_files_only`, as for `remote.fetch`.
        Raises:
            OSError: The source is not there or cannot be reached; FileNotFoundError if a file is missing: without it
                the right normalisation is anybody's guess.
            ValueError: A file is not JSON or describes something else.
        """
        fetched = remote.fetch(source, _choose, **where)
        feature = read_feature(fetched.folder, fetched.name)
        if feature is None and fetched.files and fetched.paths[-1].suffix == ".pt":
            return cls.from_checkpoint(_open_fairseq(fetched))
        if feature is None:
            raise FileNotFoundError(
                f"{fetched.name} has no preprocessor_config.json with a sampling_rate, so how to normalise audio is "
                "unknown. Copy it from the checkpoint, or write it with Wav2Vec2Processor(...).save_pretrained(folder)."
            )
        return cls(
            tokenizer=Wav2Vec2CTCTokenizer.from_pretrained(fetched.folder, target_lang=target_lang), feature=feature
        )

    @classmethod
    def from_checkpoint(cls, checkpoint) -> "Wav2Vec2Processor":
        """Takes the vocabulary and the normalisation that a fairseq checkpoint holds itself.

        Args:
            checkpoint: A `convert.tensors.Checkpoint`.
        Raises:
            FileNotFoundError: It holds none, as one that was only pretrained.
        """
        if checkpoint.vocabulary is None or checkpoint.normalize is None:
            raise FileNotFoundError(
                f"{checkpoint.source} holds no vocabulary, or not how to normalise audio. Put the files of a processor "
                "beside it: Wav2Vec2Processor(...).save_pretrained(folder)."
            )
        feature = FeatureSettings(do_normalize=checkpoint.normalize)
        return cls(tokenizer=Wav2Vec2CTCTokenizer(checkpoint.vocabulary), feature=feature)

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes preprocessor_config.json and the tokenizer's files, which transformers reads too."""
        folder = Path(folder)
        self.tokenizer.save_pretrained(folder)
        write_json(folder / "preprocessor_config.json", self.feature.to_dict())

    def push_to_hub(self, repo_id: str, **how) -> str:
        """Uploads the files of `save_pretrained`; gives the URL. Arguments as for `remote.push`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return remote.push(folder, repo_id, **{"commit_message": "Upload processor"} | how)

    def _as_port(self, text: str) -> str:
        """The earlier port's rule for text: capitals, hyphens as spaces, nothing outside the vocabulary."""
        known = self.tokenizer.characters
        return "".join(char for char in text.upper().replace("-", " ") if char in known)

    def _check_rate(self, sampling_rate: int | None) -> None:
        if sampling_rate is not None and sampling_rate != self.feature.sampling_rate:
            raise ValueError(
                f"The model takes audio at {self.feature.sampling_rate} Hz, this is at {sampling_rate} Hz. "
                f"Resample it: wav2vec2_tf.audio.load(path, sample_rate_hz={self.feature.sampling_rate})."
            )


def _choose(names: list[str]) -> list[str]:
    """Picks the processor's files; where none says how to treat audio, fairseq's checkpoint and its dictionary."""
    points = [name for name in names if name.endswith(".pt")]
    if len(points) == 1 and not set(FEATURE_FILES) & set(names):
        return [name for name in ("dict.ltr.txt", *points) if name in names]
    return [name for name in tokenizer_files.FILES + FEATURE_FILES if name in names]


def _open_fairseq(fetched: remote.Fetched):
    from convert.dialects import translate  # seldom needed
    from convert.readers import open_tensors

    files = fetched.paths[-1:]
    return translate(fetched.name, files, open_tensors(files), None)
