"""Text: what a transcript may look like (`normalize`), which characters become labels (`vocabulary`) or pieces of
words (`subwords`), and how text turns into label ids and back (`tokenizer`).
"""

from wav2vec2_tf.text.normalize import DEFAULT_RULES, RULES, normalize
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
from wav2vec2_tf.text.vocabulary import VocabularyReport, build_vocabulary

__all__ = ["DEFAULT_RULES", "RULES", "VocabularyReport", "Wav2Vec2CTCTokenizer", "build_vocabulary", "normalize"]
