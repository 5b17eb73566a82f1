"""Questions, each with words of the passage that answers it, on which the quality of search is measured.

Half of them are about the demo's recordings (bench/corpora/episodes.py), half about chapters of Python's reference
(bench/corpora/monologues.py). An answer is identified by a few consecutive words, independently of how passages are cut. If no
passage contains them all, because the transcript differs or a cut separates them, the question counts as missed.

Written by hand before the first measurement, by one person who knew the texts. Paraphrases avoid the answer's own words where
English allows it. No question comes from a real user.
"""

import re
from dataclasses import dataclass

PARAPHRASE, PHRASE, NAME, MIXED = "paraphrase", "exact phrase", "name, number, rare word", "mixed"
KINDS = (PARAPHRASE, PHRASE, NAME, MIXED)


@dataclass(frozen=True)
class Question:
    """A question, and the consecutive words that identify a passage as its answer."""

    kind: str
    text: str
    answer: str

    def is_answered_by(self, passage: str) -> bool:
        """Whether the passage contains the answer's words; ignores case and punctuation."""
        return f" {plain(self.answer)} " in f" {plain(passage)} "


def plain(text: str) -> str:
    """The words in lower case, separated by single spaces."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def _of(kind: str, *pairs: tuple[str, str]) -> tuple[Question, ...]:
    return tuple(Question(kind, text, answer) for text, answer in pairs)


def _words(kind: str, *said: str) -> tuple[Question, ...]:
    """Questions that are their own answers."""
    return tuple(Question(kind, text, text) for text in said)


RECORDINGS = (
    *_of(
        PARAPHRASE,
        ("who lives in a southern state", "Sheila"),
        ("a woman says her name and where she is calling from", "this is Diane"),
        ("not realising that somebody was already on the line", "didn't know you were there"),
        ("what people in the south nickname those from the north", "call me a Yankee"),
        ("the two places are nearly alike", "much difference"),
        ("moved away from Illinois to the east coast", "originally from Chicago also"),
        ("joy and misery of one era", "it was the best of times"),
        ("an era both clever and stupid", "age of wisdom"),
        ("faith and doubt side by side", "epoch of belief"),
        ("brightness and gloom", "season of light"),
        ("optimism and hopelessness", "winter of despair"),
        ("expecting all and getting none", "everything before us"),
        ("on the road to paradise", "direct to heaven"),
        ("those years resembled today", "like the present period"),
        ("loud experts demanded extreme judgements", "superlative degree"),
        ("do not give up when things go wrong", "fail better"),
        ("keep making attempts although none succeeds", "ever tried"),
        ("rescued from the side of the road", "fetched you from"),
        ("are you able to listen to my voice", "do you hear me"),
        ("what an amusing tale", "that's a good story"),
        ("we are not as merry as we once were", "laugh less heartily"),
        ("somebody who seemed to suffer", "in pain"),
    ),
    *_of(
        PHRASE,
        ('"epoch of incredulity"', "epoch of incredulity"),
        ('"age of foolishness"', "age of foolishness"),
        ('"season of darkness"', "season of darkness"),
        ('"worst of times"', "worst of times"),
        ('"noisiest authorities"', "noisiest authorities"),
        ('"direct the other way"', "direct the other way"),
        ('"nothing before us"', "nothing before us"),
        ('"for good or for evil"', "for good or for evil"),
        ('"no matter"', "no matter"),
        ('"a good story"', "a good story"),
        ('"neither did I"', "neither did I"),
        ('"originally from Chicago"', "originally from Chicago"),
    ),
    *_words(NAME, "Diane", "Sheila", "Yankee", "Texas", "Chicago", "New Jersey", "incredulity", "foolishness", "superlative"),
    *_words(NAME, "ditch", "epoch", "heartily", "noisiest"),
    *_of(
        MIXED,
        ("Sheila, where does she come from", "Sheila"),
        ("Diane says which state she is in", "Diane in New Jersey"),
        ("Yankee as a nickname", "call me a Yankee"),
        ("Chicago is where both grew up", "originally from Chicago"),
        ("heaven, going straight there", "direct to heaven"),
        ("fail and try once more", "fail again"),
        ("the day somebody was pulled out of a ditch", "that ditch"),
        ("darkness and light, the seasons of history", "season of darkness"),
        ("authorities who made much noise about the period", "noisiest authorities"),
        ("spring brings hope after winter", "spring of hope"),
        ("wisdom against folly", "age of wisdom"),
        ("laugh with less joy than before", "less heartily"),
    ),
)

TALKS = (
    *_of(
        PARAPHRASE,
        ("what becomes of data that nothing refers to any more", "may be garbage collected"),
        ("in which order are surrounding functions searched for a variable", "nearest enclosing scope"),
        ("reading a variable in a function too early", "an UnboundLocalError exception is raised"),
        ("can an error handler mend the problem and repeat what failed", "cannot repair the cause of the error"),
        ("what does a star after the word import bring in", "all public names defined in the module"),
        ("loading a sibling module without saying which package it is in", "leading dots"),
        (
            "trying syntax of a later version of the language in one file",
            "before the release in which the feature becomes standard",
        ),
        ("giving a function more values than it has places for", "tuple containing the excess positional arguments"),
        ("exchanging two values in one line", "swaps two variables"),
        ("making long figures easier to read", "group digits for enhanced readability"),
        ("why a figure must not begin with a nought", "C-style octal literals"),
        ("how large may a whole figure be that is written in a program", "no limit for the length of integer literals"),
        ("is the minus part of a negative figure", "numeric literals do not include a sign"),
        ("walking through a program one step at a time", "single stepping at the source line level"),
        ("pressing return without typing anything", "repeats the last command entered"),
        ("text over several lines", "triple-quoted strings"),
        ("is there always something that a function gives back", "always returns some value"),
        ("functions without a name", "create anonymous functions"),
        ("packing clean-up up so that it can be used elsewhere", "encapsulated for convenient reuse"),
        ("what happens when a variable is deleted", "removes the binding of that name"),
        ("changing a variable of the function around this one", "previously bound variables"),
        ("closing files without waiting for the collector", "explicit way to release the external"),
        ("forgiving a value that is missing: the object for absence", "absence of a value in many situations"),
        ("leaving a loop early and what is skipped then", "terminates the loop without executing the else"),
        ("is nothing part of every text", "empty strings are always considered to be a substring"),
        ("throwing an error again that was caught", "re-raises the exception that is currently being handled"),
        ("why can a set not be a key of another collection, but a frozen one can", "frozenset is immutable and hashable"),
        ("truth values are numbers as well", "subtype of the integer type"),
        ("how accurate are fractions", "mercy of the underlying machine architecture"),
        ("no letters type, only texts of length one", "doesn't have a char type"),
    ),
    *_of(
        PHRASE,
        ('"termination model"', "termination model"),
        ('"administrative information"', "administrative information"),
        ('"this rule is subtle"', "this rule is subtle"),
        ('"in plain English"', "in plain English"),
        ('"no intelligence is applied"', "no intelligence is applied"),
        ('"matter of implementation quality"', "matter of implementation quality"),
        ('"an optional trailing comma"', "an optional trailing comma"),
        ('"perfectly legal"', "perfectly legal"),
        ('"traditional control flow constructs"', "traditional control flow constructs"),
        ('"a rather abstract notion"', "a rather abstract notion"),
        ('"they form a reference cycle"', "they form a reference cycle"),
        ('"the simplest and least common call"', "the simplest and least common call"),
    ),
    *_words(NAME, "pdbrc", "readline", "PEP 563", "PEP 448", "generator_stop", "UnboundLocalError", "objclass", "singleton"),
    *_words(NAME, "Java", "NEWLINE", "staticmethod", "ExceptionGroups", "namedtuple"),
    *_of(
        MIXED,
        ("PEP 448 and unpacking of arguments", "PEP 448"),
        ("SyntaxError when a wild card import stands in a function", "wild card form of import"),
        ("breakpoint() rather than set_trace", "built-in breakpoint"),
        ("DeprecationWarning for a backslash that means nothing", "unrecognized escape sequences produce"),
        ("lambda and why it has no statements inside", "cannot contain statements or annotations"),
        ("what binds tighter, the power operator or a minus", "power operator binds more tightly"),
        ("NameError after del of something that is not there", "if the name is unbound"),
        ("Ellipsis, the object with three dots", "literal ... or the built-in name Ellipsis"),
        ("tab completion of variables with readline", "readline"),
        ("global declared twice, as a parameter too", "must not be defined as formal parameters"),
        ("Unicode code points and how texts hold them", "sequence of values that represent Unicode code points"),
        ("bytearray compared with bytes: it can be changed", "bytearray object is a mutable array"),
    ),
)
