"""Language consistency: is a text in the language that it should be in, and where is it not?"""

from app.consistency.assessment import Assessment, ForeignSpan, Verdict, assess
from app.consistency.detection import detect_language
from app.consistency.detector import langdetect_agrees

__all__ = ["Assessment", "ForeignSpan", "Verdict", "assess", "detect_language", "langdetect_agrees"]
