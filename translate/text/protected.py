"""What stands in a text and is not language: addresses, names of files, placeholders of programs, tags, symbols. It is kept as it is.

`find_items` serves the translation, which keeps the items; `KINDS` the report, which compares them one kind after the other.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

# what a file is called at its end; words of a language ("in", "me") are left out
ENDINGS = (
    "txt|pdf|docx?|xlsx?|pptx?|od[tsp]|rtf|csv|tsv|jsonl?|xml|html?|ya?ml|toml|py|ipynb|js|tsx?|css|scss|java|cpp|hpp|rs|rb|php|sql|sh|bat|exe|dll"
    "|msi|dmg|apk|iso|zip|tar|gz|bz2|xz|7z|rar|jpe?g|png|gif|svg|webp|bmp|tiff?|ico|mp[34]|wav|ogg|flac|avi|mkv|mov|md|rst|tex|bib|conf|cfg|ini"
    "|log|lock|env|bak|tmp|srt|vtt|po|pot|db|sqlite|pem|key|crt|parquet|epub"
)
DOMAINS = "com|org|net|edu|gov|info|biz|io|dev|app|ai|eu|de|at|ch|uk|fr|nl|pl|ru|cn|jp|br|ca|au|nz|se|dk|fi|cz|example"
ROOTS = "bin|boot|dev|etc|home|lib|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var"
PUNCTUATION = ".,;:!?…"  # at the end of an address it belongs to the sentence

SIGNS = "\u00a6\u00a7\u00a9\u00ac\u00ae\u00b6\u2020-\u2023\u203b\u2116\u2117\u2120\u2122"  # ¦§©¬®¶†‡•‣※№℗℠™: some are words in translations
SYMBOLS = (  # not the minus, which belongs to its number, and no sign of a unit or a currency
    "\u00b1\u00d7\u00f7\u2100-\u2115\u2118-\u211f\u2121\u2123-\u214f\u2190-\u2211\u2213-\u2bff\u3030\u303d\u3297\u3299\ue000-\uf8ff\ufffc"
    "\U0001f000-\U0001fbff"
)
PICTURE = (  # one emoji: a flag, a keycap, a subdivision's flag, or pictures with modifiers that zero-width joiners hold together
    "(?:[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3"
    f"|[{SYMBOLS}](?:[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\u20e3]|[\U000e0020-\U000e007f]|\u200d[{SYMBOLS}])*)"
)

LETTERS = "[A-Za-z](?:uml|acute|grave|circ|tilde|ring|cedil|slash|caron)|szlig|(?:ae|oe|AE|OE)lig"  # as entities
START = r"(?<![^\s(\[„“\"'‚‘«»])"  # after white space, an opening bracket or a quotation mark
GROUP = r"\([^\s<>\"()]*\)|\{[^\s<>\"{}]*\}"  # https://example.org/{id}/a_(b)
ADDRESS = rf"(?:[^\s<>\"(){{}}„“”«»]|{GROUP})*(?:[^\s<>\"(){{}}„“”«»'’\]*|{PUNCTUATION}]|{GROUP})"
LINK = r"\]\([^\s()]{1,500}(?: \"[^\"\n]{0,200}\")?\)"  # the end of a link

# German nouns behind a hyphen, which are words and no part of the name before it: /etc/hosts-Datei
HEADS = (
    "(?:Datei|Verzeichnis|Ordner|Partition|Gerät|Pfad|Befehl|Adresse|Konto|Option|Paket|Modul|Skript|Server|Datenbank|Variable|Wert|Eintrag|Einträge|Feld"
    "|Seite|Link|Programm|Prozess|Dienst|Format|Endung|Dateisystem|Zeile|Parameter|Attribut|Element|Tag|Nachricht|Benutzer|Domain|Bibliothek|Klasse"
    r"|Methode|Funktion|Schalter|Umgebung|Postfach)(?:e|er|ern|en|es|n|s|se|ses|sen)?\b"
)
HYPHEN = f"-(?!{HEADS})"
STEP = rf"(?:[\w.@+]|{HYPHEN})*(?:[\w@+]|{HYPHEN})"  # between two slashes
GLOB = rf"(?:[\w.@+*]|{HYPHEN})*(?:[\w@+*]|{HYPHEN})"
INNER = r"\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)"
CALL = rf"\([^()\n]*(?:{INNER}[^()\n]*)*\)"  # brackets in brackets, three deep
VALUE = r"(?:\"[^\"\n]{0,200}\"|[^\s<>\"„“”«»,;()]*[^\s<>\"„“”«»,;()'’.:!?*])"
ONE = r"[^_\W]"
QUOTED = f"\"{ONE}\"|„{ONE}[“”]|“{ONE}”|»{ONE}«|«{ONE}»|‚{ONE}‘|‘{ONE}’|'{ONE}'"  # a single letter is no word to translate
FUNCTION = r"(?:[A-ZÄÖÜ][A-ZÄÖÜ0-9_.]+|(?:[a-z_]\w*|[A-Za-z]\w*(?:\.\w+)+)(?=\([^()\n]{0,200}[\"'=_\d(])|[A-Za-z][\w.]*(?=\(\)))"
KEYS = "Strg|Ctrl|Alt|AltGr|Umschalt|Shift|Cmd|Command|Win|Meta|Super|Esc|Tab|Fn|Eingabe|Enter|Return"

# in this order: of two that begin at the same place the first wins, and the report removes those of one kind before it looks for the next
KINDS = {
    "urls": re.compile(
        rf"(?:\b[A-Za-z][A-Za-z0-9+.-]{{1,20}}://|\bwww\.(?=[^\W_])|\bmailto:(?=[^\s:]+@)){ADDRESS}"
        rf"|(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{DOMAINS})(?!\w|-(?![A-ZÄÖÜ])|\.\w)(?::\d+)?(?:/(?:{ADDRESS})?)?"  # example.org
    ),
    "emails": re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+[^\W\d_]\w*"),
    "code": re.compile(
        r"(?<![\w`])`[^`\n]{1,200}`(?![\w`])"
        rf"|(?<![\w-])--[a-z][\w-]*(?:=(?:{VALUE})?)?"  # --output=x.txt
        r"|(?<![^\s„“\"'‚(])(?<!\w\()-[A-Za-z](?![\w'’-])"  # -v
        rf"|{START}=[A-ZÄÖÜ$\d](?:[\w.$!:;,%&*+/^<>=-]*(?:{CALL}|\"[^\"\n]{{0,200}}\"))*(?:[\w.$!:%&*+/^<>=-]*[\w%])?"  # =SUMME(A1:B5)*2
        rf"|(?<![\w@#$%/.&?-])[A-Za-z_][\w.-]*=(?!=){VALUE}"  # LANG=de_DE.UTF-8
        r"|(?<![\w@#$%/.-])[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+(?:\(\))?(?![\w/\\(-]|\.\w)"  # snake_case
        rf"|(?<![\w@#$%/.-]){FUNCTION}{CALL}|(?<!\w)(?:{QUOTED})(?!\w)"  # call() SIN(x) "a"
        r"|\{[^{}\n;]{1,200};[^{}\n]{0,200}\}|\(\w[^()\n&|!<>=]{0,200}(?:&&|\|\||[!=<>]=)[^()\n]{0,200}\)"  # { return 0; } (a == b)
        rf"|(?<![\w+])(?:{KEYS})(?:\+\w+)+(?!\w)"  # Strg+C
        r"|(?<![<>=!|-])(?:<?[-=]{1,3}>|<[-=]{1,3}|[<>!]=|(?<!\w)==(?!\w))(?![<>=|-])"  # -> and >=
        r"|\[\^[^\[\]\s]{1,60}\]|(?<![\w$\\])\$(?! )[^$\n]{1,200}(?<![ \\])\$(?![\w$])"  # footnotes and formulas of Markdown: [^1] $a^2$
        r"|(?<![\w~^])[A-Za-z]+(?:[~^]\w{1,9}[~^]\w*)+(?![~^])"  # H~2~O
        rf"|{START}\\(?:begin|end)\{{\w+\*?\}}|{START}\\[A-Za-z]{{2,}}(?![\w\\])|(?<=[\w.,;:!?)])\\[nrt](?!\w*\\)"  # of LaTeX; \n
        r"|(?<!\w)\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\w)"
    ),
    "placeholders": re.compile(
        r"\{\{\{?[^{}\n]*\}\}\}?|\{%[^{}\n]*%\}|[$#%]\{[^{}\n]*\}|\{ ?[^{}\s]* ?\}"  # {{name}} {% if x %} ${x} #{x} %{x} {0}
        r"|\{\w+,\s*(?:plural|select|selectordinal|number|date|time)\b(?:[^{}\n]|\{[^{}\n]*\})*\}"  # of ICU
        r"|%\([\w.]+\)[-#0+]*\d*(?:\.\d+)?[a-zA-Z]"  # %(x)d
        r"|(?<![\d%])%(?:\d+\$)?[-#0+]*\d*(?:\.\d+)?(?:hh?|ll?|[qjzt])?[diouxXeEfgGcsSp@n](?![A-Za-zÀ-ÿ])"  # %s %1$s %-5.2f, not 100%ig
        r"|(?<![\w%])%L?\d{1,2}(?![\w%])|%%"  # %1
        rf"|@[A-Z_]{{2,}}@|(?:%[A-Z_]{{2,}}%|(?<![\w$])\$[A-Za-z_]\w+(?:\[['\"]?[\w.-]*['\"]?\]|->\w+)*)(?:[/\\]{STEP})*"  # $name $HOME/bin
        rf"|{START}(?::[A-Za-z_][\w+-]*(?:\.\w+)*:|:[A-Za-z_]\w+\b(?!:))"  # :name :smile:, not the colon of "um 12:30" or "Betreff:Haus"
    ),
    "tags": re.compile(
        r"<!--(?:(?!<!--).)*?-->|<[?%][^<>\n]*[?%]>|<![A-Za-z][^<>]*>|</?[A-Za-z][\w:.-]*(?:\s(?:\"[^\"<]*\"|'[^'<]*'|[^<>\"'])*)?/?>"
        r"|\[/?(?:b|i|u|s|url|img|quote|code|color|size|list)(?:=[^\[\]\s]*)?\]"
        rf"|\[!\[[^\[\]\n]{{0,200}}{LINK}{LINK}|!?\[(?=[^\[\]\n]{{1,200}}{LINK})|{LINK}"  # of Markdown: [text](address), [![text](image)](address)
    ),
    "entities": re.compile(
        rf"(?<!\w)\w*(?:&(?:{LETTERS});\w*)+"  # M&uuml;ller is one word
        r"|&(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});"
    ),
    "paths": re.compile(
        rf"\b[A-Za-z]:\\[^\s<>\"|?*„“”]*[^\s<>\"|?*.,;:!)„“”]|\b[A-Za-z]:\\|{START}\\\\[\w.-]+(?:\\[\w.$-]*[\w$-])+"  # C:\Users \\server\share
        rf"|(?<![\w/.~<*])(?:(?:~|\.\.?)?(?:/{GLOB}){{2,}}|(?:~|\.\.?)/{GLOB})/?"  # /dev/md*
        rf"|(?<![\w/.~<])(?:(?:~|\.\.?)?(?:/{STEP}){{2,}}|(?:~|\.\.?)/{STEP})/?"
        rf"|{START}(?:\*\*/)?(?:\w[\w-]*)?\*\.(?:\w{{1,5}}|{ENDINGS})\b"  # *.txt
        rf"|(?<![\w/.~<])/(?:{ROOTS})\b/?"
        rf"|(?<![\w.@/\\+-])(?:[\w.@+-]+[/\\])*\w[\w+-]*(?:\.[\w+-]+)*\.(?:{ENDINGS}|{ENDINGS.upper()})\b(?![\w/]|\.\w)"
        r"|(?<![\w.@/\\+-])(?:[\w.@+-]+/)+\w[\w+-]+\.[a-z]{1,4}\b(?![\w/]|\.\w)"  # in a folder, files of any kind
        rf"|{START}\.(?:{ENDINGS}|gitignore|bashrc|profile|ssh|config)\b"  # .pdf
    ),
    "mentions": re.compile(r"(?<![\w@])@\w(?:[\w.-]*\w)?|(?<![\w#&])#\w+"),
    "emoji": re.compile(rf"{PICTURE}+|{START}(?:[:;=]['’]?[-o^]?[)(DPpOo/\\|*\]\[3]|<3|\^\^)(?![\w/])"),
    "signs": re.compile(f"[{SIGNS}]\ufe0f?"),
}
ITEM = re.compile("|".join(f"(?P<{kind}>{pattern.pattern})" for kind, pattern in KINDS.items()), re.DOTALL)
# A character that every item of a kind has. One that sentences have too counts only before what may follow it in an item: most lines have none.
FOLLOWED = (
    r"(?<=[.:])[\w/\\'’o^*|)(\]\[-]|(?<=[;=])\S|(?<=\w\().|(?<=\[)[/a-z]|(?<=-)[->]|(?<=-)[A-Za-z](?![\w'’-])|(?<=[>!])=|(?<=\+)\w"
    r"|(?<=[\"'„“»«‚‘])\w[\"'“”«»‘’]"
)
HINT = re.compile(rf"[.:;=(\[\-@#{{%$&<\\/`^~_>!+\"'„“»«‚‘\u20e3{SIGNS}{SYMBOLS}](?:(?<![.:;=(\[\->!+\"'„“»«‚‘])|{FOLLOWED})")


LONGEST_WORD = 100  # letters; what is longer, without a space, is data: no dictionary has such a word
LONG_WORD = re.compile(rf"[!-~\xa1-\u024f]{{{LONGEST_WORD},}}")


class Item(NamedTuple):
    """text[begin:end], to be kept as it is. kind: one of `KINDS`."""

    kind: str
    begin: int
    end: int


def has_items(text: str) -> bool:
    """False if `text` certainly has none, as most lines do. Takes less than a microsecond."""
    return HINT.search(text) is not None


def find_items(text: str) -> list[Item]:
    """The items of `text`, from left to right, none within another one."""
    if not HINT.search(text):
        return []
    return [Item(match.lastgroup or "", *match.span()) for match in ITEM.finditer(text)]


def has_long_word(text: str, begin: int = 0, end: int = sys.maxsize) -> bool:
    return len(text) >= LONGEST_WORD and LONG_WORD.search(text, begin, end) is not None


def long_words(text: str, items: Sequence[Item]) -> list[Item]:
    """What is too long for a word and has no space, outside of the `items`."""
    if not has_long_word(text):
        return []
    ends, begins = [0, *(item.end for item in items)], [*(item.begin for item in items), len(text)]
    return [Item("code", *match.span()) for begin, end in zip(ends, begins) for match in LONG_WORD.finditer(text, begin, end)]


def without_items(text: str) -> str:
    """`text` with a space in place of each item."""
    return ITEM.sub(" ", text) if HINT.search(text) else text
