"""What a language pack holds. A term is a feature and a direction: ``spend+``, ``orders-``."""

from dataclasses import dataclass

import numpy as np

#: From so many deviations on, a level is "very" high or low; below the other it is average.
VERY = 1.5
AVERAGE = 0.4
#: A value is at the level (of `Language.levels`) that the number of these below it says: the last
#: two edges lie just under their round numbers, which are high already.
EDGES = np.array([-VERY, -AVERAGE, np.nextafter(AVERAGE, 0.0), np.nextafter(VERY, 0.0)])


@dataclass(frozen=True, slots=True)
class Language:
    """Words and patterns of one language.

    Attributes
    ----------
    features
        Feature → what people call it; a feature that is not here keeps its own name.
    nouns
        Terms → a name for customers to whom all of them apply.
    adjectives
        Term → what can stand with a noun, in `pattern`.
    levels
        Very low, low, average, high, very high; with ``{feature}``.
    """

    features: dict[str, str]
    nouns: dict[tuple[str, ...], str]
    adjectives: dict[str, str]
    pattern: str
    levels: tuple[str, str, str, str, str]
    high_noun: str
    low_noun: str
    typical: str
    both: str
    only: str
    nearest: str
    stays: str
    sentence: str
    sentence_typical: str
    effect: str
    more: str
    much_more: str
    less: str
    much_less: str
    risen: str
    fallen: str
    fit_worse: str
    fit_better: str

    def feature(self, name: str) -> str:
        return self.features.get(name, name.replace("_", " "))

    def noun(self, terms: tuple[str, ...]) -> str:
        """The name for these terms; made of the feature's own name if the pack has none."""
        known = self.nouns.get(terms)
        if known is not None:
            return known
        pattern = self.high_noun if terms[0].endswith("+") else self.low_noun
        return pattern.format(feature=self.feature(terms[0][:-1]))

    def levels_of(self, feature: str) -> list[str]:
        """From "very low spend" to "very high spend"; `EDGES` says which one it is."""
        return [level.format(feature=self.feature(feature)) for level in self.levels]

    def compared(self, z: float) -> str:
        if z >= 0.0:
            return self.much_more if z >= VERY else self.more
        return self.much_less if z <= -VERY else self.less

    def join(self, parts: list[str]) -> str:
        """ "a", "a and b", "a, b and c"."""
        if len(parts) < 2:
            return "".join(parts)
        return self.both.format(first=", ".join(parts[:-1]), last=parts[-1])
