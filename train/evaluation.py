"""What a model made of a split: hypotheses by utterance, error rates, loss; and the table these are kept in.

Making an evaluation is `evaluator`'s; what it tells, with intervals and confusions, is `report`'s.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from train.edits import Errors, character_errors, word_errors
from wav2vec2_tf.files import write_together

COLUMNS = ("id", "speaker", "seconds", "wer", "cer", "reference", "hypothesis")
_NEEDED = ("id", "reference", "hypothesis")


@dataclass(frozen=True)
class Hypothesis:
    """What the model heard in one utterance, and how far that is from the reference.

    Attributes:
        id, reference, text: Whose it is, what was said, what was heard.
        words, characters: The edits between the two.
        speaker: "" where unknown.
        seconds: Length of the recording; None where unknown.
    """

    id: str
    reference: str
    text: str
    words: Errors
    characters: Errors
    speaker: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Results over one split.

    Attributes:
        split: Its name.
        hypotheses: One per utterance, in reading order.
        loss: Mean over the feasible utterances, nats per utterance.
        blank_ratio: Share of real frames on which the blank scores highest.
        infeasible: Utterances without an alignment; they count in the error rates all the same.
    """

    split: str
    hypotheses: tuple[Hypothesis, ...]
    loss: float
    blank_ratio: float
    infeasible: int

    @property
    def words(self) -> Errors:
        """Word edits over the split."""
        return sum((h.words for h in self.hypotheses), Errors())

    @property
    def characters(self) -> Errors:
        """Character edits over the split."""
        return sum((h.characters for h in self.hypotheses), Errors())

    @property
    def distinct_characters(self) -> int:
        """Different characters in all hypotheses; a few only, or none, tell of a model that has not begun to learn."""
        return len(set("".join(h.text for h in self.hypotheses)) - {" "})

    def numbers(self) -> dict[str, float]:
        """Gives the figures that are logged and saved."""
        return {
            "wer": self.words.rate,
            "cer": self.characters.rate,
            "loss": self.loss,
            "blank": self.blank_ratio,
            "utterances": len(self.hypotheses),
            "infeasible": self.infeasible,
            "distinct_characters": self.distinct_characters,
        }

    def line(self) -> str:
        """Gives one log line."""
        return (
            f"split={self.split} wer={self.words.rate:.2%} cer={self.characters.rate:.2%} loss={self.loss:.3f} "
            f"blank={self.blank_ratio:.2f} utterances={len(self.hypotheses)} words={self.words.length} "
            f"sub={self.words.substitutions} del={self.words.deletions} ins={self.words.insertions}"
        )

    def verdict(self) -> str:
        """Names the likely cause where a model says next to nothing; empty where it speaks."""
        if self.blank_ratio < 0.98 or self.words.rate < 0.95:
            return ""
        return (
            "only blanks so far: every CTC model starts with that, for some thousand updates from random weights. "
            "If it stays, try a higher or lower --optimizer.learning_rate, a longer --schedule.warmup, "
            "--batches.shortest_first_epochs 1, or check the set-up with --overfit_one_batch."
        )

    def samples(self, count: int = 3) -> str:
        """Shows some hypotheses under their references, spread evenly over the split."""
        step = max(1, len(self.hypotheses) // count)
        shown = self.hypotheses[::step][:count]
        return "\n".join(f"  {h.id}\n    reference:  {h.reference}\n    hypothesis: {h.text}" for h in shown)

    def save(self, folder: Path, more: dict | None = None) -> None:
        """Writes FOLDER/eval-SPLIT.json (figures) and FOLDER/eval-SPLIT.tsv (one line per utterance).

        Args:
            folder: Made if absent.
            more: What the JSON shall hold besides `numbers`.
        Raises:
            OSError: They cannot be written; what was there is still there.
        """
        folder.mkdir(parents=True, exist_ok=True)
        figures = json.dumps(self.numbers() | (more or {}), indent=2, ensure_ascii=False) + "\n"
        writers = {
            folder / f"eval-{self.split}.tsv": lambda part: write_hypotheses(part, self.hypotheses),
            folder / f"eval-{self.split}.json": lambda part: part.write_text(figures, encoding="utf-8"),
        }
        write_together(writers)


def compare(name: str, reference: str, text: str, speaker: str = "", seconds: float | None = None) -> Hypothesis:
    """Counts the edits between a reference and what was heard."""
    errors = word_errors(reference, text), character_errors(reference, text)
    return Hypothesis(name, reference, text, *errors, speaker, seconds)


def write_hypotheses(path: Path, hypotheses: tuple[Hypothesis, ...]) -> None:
    """Writes a table of `COLUMNS`, separated by tabs, one line per utterance; `read_hypotheses` reads it back."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for h in hypotheses:
            seconds = "" if h.seconds is None else f"{h.seconds:.4f}"
            rates = f"{h.words.rate:.4f}", f"{h.characters.rate:.4f}"
            table.writerow([h.id, h.speaker, seconds, *rates, h.reference, h.text])


def read_hypotheses(path: Path) -> tuple[Hypothesis, ...]:
    """Reads eval-SPLIT.tsv, or such a table of another program; the edits are counted anew.

    Args:
        path: Columns id, reference and hypothesis, in any order; speaker and seconds if known; others are not looked
            at.
    Raises:
        OSError: It cannot be read.
        ValueError: It is no such table, is empty, or names an utterance twice.
    """
    with open(path, encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, delimiter="\t")
        missing = [name for name in _NEEDED if name not in (table.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path} has no column {missing[0]!r}; its first line shall name the columns, {', '.join(_NEEDED)} "
                "among them, separated by tabs. Take the eval-SPLIT.tsv that train.evaluate writes."
            )
        try:
            found = tuple(_from_row(path, table.line_num, row) for row in table)
        except csv.Error as error:
            raise ValueError(f"{path}, line {table.line_num}: {error}. A quotation mark is written twice.") from error
    ids = {h.id for h in found}
    if len(ids) < len(found) or not found:
        what = "holds no utterance" if not found else f"names {len(found) - len(ids)} utterances more than once"
        raise ValueError(f"{path} {what}. Evaluate again with train.evaluate.")
    return found


def _from_row(path: Path, line: int, row: dict) -> Hypothesis:
    if row["hypothesis"] is None or row["reference"] is None:
        raise ValueError(f"{path}, line {line}: it ends before its last column. Evaluate again with train.evaluate.")
    try:
        seconds = float(row["seconds"]) if row.get("seconds") else None
    except ValueError:
        raise ValueError(f"{path}, line {line}: seconds are {row['seconds']!r}; a number belongs there.") from None
    return compare(row["id"], row["reference"], row["hypothesis"], row.get("speaker") or "", seconds)
