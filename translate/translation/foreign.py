"""The judge of a model's inputs: which of them it is not for, because they are in another language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from translate.profile import Profile
from translate.text.language import COMMON_WORDS, OTHER, TARGET, UNKNOWN, LanguageJudge, language_code
from translate.text.tracked import Tracked
from translate.tokenizer import Tokenizer
from translate.translation.pieces import Sentence

KNOWN = 0.2  # share of the common words of a language that are single tokens of any model of that language; of captions it is 0.49


def find_judge(profile: Profile, languages: tuple[str, str], tokenizer: Tokenizer) -> LanguageJudge | None:
    """The judge for a model; None if its languages are not known for certain, or are the same. languages: those of its configuration.

    The training text decides. A model without a profile has its configuration's languages, which may be defaults that nobody changed: its
    vocabulary has to contain the common words of the source language.
    """
    source, target = (language_code(name) for name in (profile.source_language or languages[0], profile.target_language or languages[1]))
    if source in (UNKNOWN, target):
        return None
    if not profile.source_language:
        words = sorted(COMMON_WORDS.get(source, ()))
        if sum(len(ids) <= 2 for ids in tokenizer.encode_source(words)) < KNOWN * len(words):  # the end mark is the other one
            return None
    return LanguageJudge(source, target)


def pass_short_ones(line: str, sentences: Sequence[Sentence], judge: LanguageJudge) -> None:
    """Beside sentences in another language, also pass those that look like it but are too short to be judged alone."""
    found = Counter(sentence.passed for sentence in sentences if sentence.passed in (TARGET, OTHER))
    if not found:
        return
    for sentence in sentences:
        original = line[slice(*sentence.span)]
        if not sentence.passed and judge.may_follow(original):
            sentence.passed, sentence.output = found.most_common(1)[0][0], original
            sentence.text, sentence.variants, sentence.ordinary = Tracked.of(original, sentence.span[0]), [], False
