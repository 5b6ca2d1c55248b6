"""Where the sentences of a text begin and end."""

from translate.text.segments import _sentence_ends


def sentence_spans(text, language="de"):
    begin, spans = len(text) - len(text.lstrip()), []
    for a, b in _sentence_ends(text):
        spans.append((begin, a))
        begin = b
    end = len(text.rstrip())
    return [*spans, (begin, end)] if begin < end else spans
