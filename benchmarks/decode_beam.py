"""How fast and how good is beam search with a 4-gram, beside pyctcdecode on the same frames?

    python -m benchmarks.decode_beam --model RUN/best --data DIR [--split test] [--peer-python PATH] [--rounds 3]

The model hears the split once. The language model is made of the transcripts of `--lm-split`. Both decoders keep 100
hypotheses, get the same weights, and give up what is far behind the best as they do by default and as the other does.
They take their turns, round after round; the table gives the medians of the seconds that one core was busy.
pyctcdecode wants NumPy 1: `--peer-python` is that of an environment with `pip install pyctcdecode 'numpy<2' kenlm`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from wav2vec2_tf.decoding.beam import BEAM_SIZE, BEAM_THRESHOLD, BeamDecoder

ORDER = 4
WEIGHTS = ((1.0, 0.0), (1.5, 1.25))
OWN, PEERS = "own pruning", "the other's pruning"

PEER = """
import json, sys, time, numpy
from pyctcdecode import build_ctcdecoder
folder, beam_size = sys.argv[1], int(sys.argv[2])
told = json.load(open(folder + "/peer.json"))
frames = [array for _, array in sorted(numpy.load(folder + "/frames.npz").items(), key=lambda item: int(item[0][4:]))]
decoder = build_ctcdecoder(told["labels"], told["lm"], told["words"])
print("ready", flush=True)
for line in sys.stdin:
    lm_weight, word_score, prune, least = map(float, line.split())
    decoder.reset_params(alpha=lm_weight / numpy.log(10), beta=word_score)  # log10 becomes ln there
    start = time.thread_time()
    settings = dict(beam_width=beam_size, beam_prune_logp=prune, token_min_logp=least)
    texts = [decoder.decode(logits, **settings) for logits in frames]
    print(json.dumps([time.thread_time() - start, texts]), flush=True)
"""


def hear(arguments) -> tuple:
    """Runs the model over the split; gives the tokenizer, frames [T, V], references and seconds of audio."""
    from data_tools.index import load_index
    from train.config import BatchConfig
    from train.evaluator import Evaluator
    from train.tune_lm import Recorder
    from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor

    processor = Wav2Vec2Processor.from_pretrained(arguments.model)
    model, index = Wav2Vec2ForCTC.from_pretrained(arguments.model), load_index(arguments.data)
    recorder = Recorder(processor.tokenizer)
    config = BatchConfig(batch_seconds=60.0)
    found = Evaluator(model, processor, index, arguments.split, config, False, report=print, decoder=recorder)()
    print(f"greedy: wer={found.words.rate:.2%}", flush=True)
    return recorder, [h.reference for h in found.hypotheses], sum(h.seconds for h in found.hypotheses)


def ours(decoder, frames):
    """Gives the function that takes one turn: weights -> seconds and texts."""

    def turn(lm_weight: float, word_score: float):
        decoder.set_weights(lm_weight, word_score)
        start = time.thread_time()
        texts = [decoder.n_best(row, 1)[0].text for row in frames]
        return time.thread_time() - start, texts

    return turn


def peer(python: str, folder: Path, tokenizer, lm: Path):
    """Starts pyctcdecode in a process of its own; gives the functions that take one turn."""
    from wav2vec2_tf.decoding.arpa import words_of

    silent = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.unk_token}
    tokens = sorted(tokenizer.vocab, key=tokenizer.vocab.get)
    special = {tokenizer.pad_token: "", tokenizer.word_delimiter_token: " "}
    labels = [special.get(token, f"\u2047{i}" if token in silent else token) for i, token in enumerate(tokens)]
    (folder / "peer.json").write_text(json.dumps(dict(labels=labels, lm=str(lm), words=words_of(lm))))
    command = [python, "-c", PEER, str(folder), str(BEAM_SIZE)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    while process.stdout.readline().strip() != "ready":
        if process.poll() is not None:
            raise SystemExit("pyctcdecode's process ended; what it said is above.")

    def turn(lm_weight: float, word_score: float, *, prune: float, least: float):
        process.stdin.write(f"{lm_weight} {word_score} {prune} {least}\n")
        return json.loads(process.stdout.readline())

    return {
        f"pyctcdecode, {OWN}": partial(turn, prune=-10.0, least=-5.0),
        f"pyctcdecode, {PEERS}": partial(turn, prune=-BEAM_THRESHOLD, least=-5.0),
    }


def measure(contestants: dict, references: list[str], rounds: int) -> None:
    """Prints a row for each contestant and pair of weights."""
    from train.edits import Errors, word_errors

    print("| lm weight, word score | decoder | WER % | texts as ours | s | x ours |")
    print("| --- | --- | --: | --: | --: | --: |")
    for weights in WEIGHTS:
        seconds, heard = {name: [] for name in contestants}, {}
        for _ in range(rounds):
            for name, turn in contestants.items():
                took, heard[name] = turn(*weights)
                seconds[name].append(took)
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        base = f"ours, {OWN}"
        for name, took in medians.items():
            rate = sum(map(word_errors, references, heard[name]), Errors()).rate
            same = sum(map(str.__eq__, heard[name], heard[base]))
            cells = f"{100 * rate:.2f} | {same} | {took:.2f} | {took / medians[base]:.1f}"
            print(f"| {weights[0]:g}, {weights[1]:g} | {name} | {cells} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, help="shards")
    parser.add_argument("--split", default="test")
    parser.add_argument("--lm-split", default="train", help="split whose transcripts make the language model")
    parser.add_argument("--peer-python", help="Python with pyctcdecode and kenlm; without it, pyctcdecode sits out")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    from wav2vec2_tf.decoding.build_lm import build, transcripts_of

    recorder, references, audio_seconds = hear(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder, lm = Path(name), Path(name) / "lm.arpa"
        build((text.split() for text in transcripts_of(arguments.data, arguments.lm_split)), ORDER, lm)
        np.savez(folder / "frames.npz", *recorder.frames)
        contestants = {
            f"ours, {how}": ours(BeamDecoder(recorder.tokenizer, lm, beam_threshold=threshold), recorder.frames)
            for how, threshold in ((OWN, BEAM_THRESHOLD), (PEERS, 10.0))
        }
        if arguments.peer_python:
            contestants |= peer(arguments.peer_python, folder, recorder.tokenizer, lm)
        measure(contestants, references, arguments.rounds)
    print(f"\n{audio_seconds:.0f} s of audio, {len(references)} recordings, {arguments.rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
