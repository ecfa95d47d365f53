"""Makes golden/lmplz: what KenLM's lmplz says of transcripts of the corpus in the box, and a binary of build_binary.

    python -m tests.golden.recreate_lmplz --kenlm FOLDER

FOLDER holds the two programs; those of kenlm 0.3.0 were built from its source distribution with Boost 1.74.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from tests.wav2vec2_tf.decoding.test_beam import BINARY, TEXT
from tests.wav2vec2_tf.decoding.test_ngram import GOLDEN, ORDER, sentences
from wav2vec2_tf.decoding.arpa import write_arpa
from wav2vec2_tf.decoding.ngram import estimate

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kenlm", required=True, type=Path)
    kenlm = parser.parse_args().kenlm
    text = "".join(" ".join(words) + "\n" for words in sentences())
    command = [kenlm / "lmplz", "-o", str(ORDER), "--discount_fallback"]
    GOLDEN.write_text(subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout, "utf-8")
    with tempfile.TemporaryDirectory() as folder:
        write_arpa(Path(folder) / "words.arpa", estimate([line.split() for line in TEXT], order=3))
        subprocess.run([kenlm / "build_binary", "trie", Path(folder) / "words.arpa", BINARY], check=True)
