"""Makes golden/lmplz/model.arpa: what KenLM's lmplz says of the transcripts of the corpus in the box.

    python -m tests.golden.recreate_lmplz --lmplz PATH

Made with lmplz of kenlm 0.3.0, built from its source distribution with Boost 1.74.
"""

import argparse
import subprocess

from tests.wav2vec2_tf.decoding.test_ngram import GOLDEN, ORDER, sentences

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lmplz", required=True)
    command = [parser.parse_args().lmplz, "-o", str(ORDER), "--discount_fallback"]
    text = "".join(" ".join(words) + "\n" for words in sentences())
    made = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    GOLDEN.write_text(made.stdout, "utf-8")
