"""Words for names and explanations, one language per file."""

from models.languages.en import ENGLISH
from models.languages.fil import FILIPINO
from models.languages.language import AVERAGE, EDGES, VERY, Language

LANGUAGES = {"en": ENGLISH, "fil": FILIPINO}

__all__ = ["AVERAGE", "EDGES", "LANGUAGES", "VERY", "Language"]
