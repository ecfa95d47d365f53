"""A vocabulary from transcripts, with an account of what became of every character.

The rules themselves live in `normalize`, the use of the vocabulary in `tokenizer`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wav2vec2_tf.text.normalize import DEFAULT_RULES, check_rules, find_rule
from wav2vec2_tf.text.tokenizer import STANDARD_TOKENS, Wav2Vec2CTCTokenizer

_HEAD = STANDARD_TOKENS[:5]  # <pad> <s> </s> <unk> |
_SPACES = (" ", _HEAD[-1])  # both become the word delimiter
_EXAMPLE_CHARACTERS = 40


@dataclass(frozen=True)
class CharacterFate:
    """What became of one character.

    Args:
        character: As it stands in the transcripts, or as an earlier rule left it.
        count: Occurrences with this fate.
        outcome: "kept", "mapped" or "dropped".
        rule: The rule that did it; "" where none did.
        into: What it became; "" when dropped.
        example: A piece of a transcript that has it.
    """

    character: str
    count: int
    outcome: str
    rule: str
    into: str
    example: str


@dataclass(frozen=True)
class VocabularyReport:
    """Every character of a corpus and its fate; `str(report)` is a table to print."""

    num_transcripts: int
    fates: tuple[CharacterFate, ...]

    def of(self, outcome: str) -> dict[str, int]:
        """Gives character -> count of the characters with this outcome ("kept", "mapped", "dropped")."""
        counts: Counter[str] = Counter()
        for fate in self.fates:
            if fate.outcome == outcome:
                counts[fate.character] += fate.count
        return dict(counts)

    def __str__(self) -> str:
        kept, mapped, dropped = (len(self.of(outcome)) for outcome in ("kept", "mapped", "dropped"))
        lines = [
            f"{self.num_transcripts} transcripts: {kept} characters kept, {mapped} mapped, {dropped} dropped",
            f"{'character':<10} {'code':<8} {'count':>9}  {'fate':<32} example",
        ]
        for fate in self.fates:
            code = " ".join(f"U+{ord(char):04X}" for char in fate.character)
            what = fate.outcome + (f" to {fate.into!r}" if fate.outcome == "mapped" else "")
            what += f" ({fate.rule})" if fate.rule else ""
            lines.append(f"{fate.character!r:<10} {code:<8} {fate.count:>9}  {what:<32} {fate.example}".rstrip())
        return "\n".join(lines)


def build_vocabulary(
    transcripts: Iterable[str], rules: Sequence[str] = DEFAULT_RULES, min_count: int = 1
) -> tuple[Wav2Vec2CTCTokenizer, VocabularyReport]:
    """Builds a tokenizer from the characters of a corpus, most frequent first (equal counts: by code point).

    >>> tokenizer, report = build_vocabulary(["It’s 2, isn't it?"])
    >>> list(tokenizer.vocab)
    ['<pad>', '<s>', '</s>', '<unk>', '|', 'I', 'T', "'", 'S', '2', 'N']
    >>> report.of("dropped"), report.of("mapped")["’"]
    ({',': 1, '?': 1}, 1)

    Args:
        transcripts: Text as it stands in the corpus, before any rule.
        rules: Names of the text rules (`wav2vec2_tf.text.normalize`) the labels will be made with.
        min_count: Characters seen less often are left out of the vocabulary and become `<unk>`.
    Returns:
        The tokenizer (`<pad> <s> </s> <unk> |`, then the characters) and the report.
    Raises:
        ValueError: A rule is unknown, `min_count` is below 1, or no character is left.
    """
    rules = check_rules(rules)
    if min_count < 1:
        raise ValueError(f"min_count counts occurrences and is at least 1; got {min_count}.")
    ledger, counts, examples, num_transcripts = _Ledger(), Counter(), {}, 0
    for transcript in transcripts:
        num_transcripts += 1
        text = transcript
        for name in rules:
            text = ledger.enter(name, text, find_rule(name)(text))
        counts.update(text)
        for char in set(text) - examples.keys():
            examples[char] = _excerpt(text, char)
    characters = [char for char in _by_count(counts) if counts[char] >= min_count and char not in _SPACES]
    if not characters:
        raise ValueError(
            f"No character is left of {num_transcripts} transcripts under the rules {', '.join(rules) or '(none)'}. "
            "Check the transcript column, or name other rules."
        )
    final = [_final_fate(char, counts[char], min_count, examples[char]) for char in _by_count(counts)]
    kept, others = ([fate for fate in final if (fate.outcome == "kept") == wanted] for wanted in (True, False))
    report = VocabularyReport(num_transcripts, (*kept, *others, *ledger.fates()))
    return Wav2Vec2CTCTokenizer({token: index for index, token in enumerate([*_HEAD, *characters])}), report


def _by_count(counts: Counter[str]) -> list[str]:
    return sorted(counts, key=lambda char: (-counts[char], char))


def _final_fate(char: str, count: int, min_count: int, example: str) -> CharacterFate:
    """Says what the vocabulary makes of a character that every rule has passed."""
    if char in _SPACES:
        return CharacterFate(char, count, "mapped", "word delimiter", _HEAD[-1], example)
    if count < min_count:
        return CharacterFate(char, count, "dropped", f"min_count {min_count}", "", example)
    return CharacterFate(char, count, "kept", "", char, example)


class _Ledger:
    """Books, rule by rule, which characters a text lost."""

    def __init__(self):
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], tuple[str, str]] = {}  # (rule, character) -> into, example

    def enter(self, rule: str, before: str, after: str) -> str:
        if before != after:
            lost = Counter(before) - Counter(after)
            del lost[" "]  # fewer spaces change no word
            for char, count in lost.items():
                self._counts[rule, char] += count
                if (rule, char) not in self._first:
                    self._first[rule, char] = self._into(rule, char, before, after), _excerpt(before, char, after)
        return after

    def _into(self, rule: str, char: str, before: str, after: str) -> str:
        alone = find_rule(rule)(char)
        if alone != char:
            return alone
        return "".join(Counter(after) - Counter(before))  # what a rule does in context only, such as composing é

    def fates(self) -> list[CharacterFate]:
        rows = []
        for (rule, char), count in sorted(self._counts.items(), key=lambda item: (-item[1], item[0])):
            into, example = self._first[rule, char]
            outcome = "mapped" if into.strip() else "dropped"
            rows.append(CharacterFate(char, count, outcome, rule, into.strip(), example))
        return rows


def _excerpt(text: str, char: str, after: str = "") -> str:
    """Cuts a piece around the first occurrence that `after` lacks, else around the first."""
    changed = (i for i, pair in enumerate(zip(text, after, strict=False)) if pair[0] == char != pair[1])
    start = max(0, next(changed, text.index(char)) - _EXAMPLE_CHARACTERS // 2)
    return text[start : start + _EXAMPLE_CHARACTERS].strip()
