"""Which facts are worth segmenting by: customers counted, facts described, effects, verdicts.

`Survey` takes customers in (survey); each fact is grouped and described (facts), held against
what customers do (effects) and against the segments there are, and judged in words (verdicts).
Pure but for `plots`, which needs matplotlib.
"""

from stream.analysis.effects import Effect
from stream.analysis.survey import OUTCOMES, Survey
from stream.analysis.verdicts import Finding, analyse

__all__ = ["OUTCOMES", "Effect", "Finding", "Survey", "analyse"]
