"""What is found in a text and kept as it is; and what is language, and must not be found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.text.protected import ITEM, KINDS, find_items, has_items

SAMPLES = {
    "urls": [
        "https://example.org/a?b=1&c=2#d", "http://de.example.org/wiki/Haus_(Bau)", "www.example.org", "ftp://a.example/x.tar.gz", "example.org",
        "sub.example.co.uk/path", "mailto:a@example.org", "https://user:pw@host:8080/x", "https://example.org/{id}/x", "git+ssh://example.org/a.git",
    ],
    "emails": ["a.b@example.org", "max+filter@mail.example.de"],
    "code": [
        "snake_case", "read_file()", "call()", "--help", "--output=x.txt", "`git commit -m x`",
        "-v", "=SIN(PI()/2)", "=A1+B2", '=WENN(A1>0;"ja";"nein")*2',
        "SUMME(A1:B5)", 'print("hallo")', "f(x, 2)", "os.path.join(a_b)", "GROFF_NO_SGR=1", "LANG=de_DE.UTF-8", 'name="ein Wort"', "Strg+C",
        "Ctrl+Alt+Del", "->", "=>", "<-", ">=", "==", '"a"', "„b“", "'x'",
        "[^1]", "$a^2 + b^2 = c^2$", "H~2~O", "E=mc^2^", "\\alpha", "\\begin{align*}", "2024-09-18T10:17:13+02:00", "{ return 0; }", "(a == b)",
    ],
    "placeholders": [
        "{0}", "{name}", "{{name}}", "{{ user.name }}", "{0:.2f}", "${x}", "#{x}", "%{count}", "%s", "%d", "%1$s", "%(x)d", "%(name)s", "%-5.2f",
        "%@", "%1", ":name", ":user_id", ":smile:", "%NAME%", "@NAME@", "$name", "$cf['a']['b']", "$HOME/bin/x", "%TEMP%\\a-b",
        "{% if x %}", "{n, plural, one {# Tag} other {# Tage}}",
    ],
    "tags": [
        "<b>", "</b>", "<br/>", "<br />", '<a href="https://example.org/?a=1>2">', "<img src='x.png' alt='ein Bild'/>", "<!-- ein Wort -->", "<x:y>",
        "<?xml version='1.0'?>", "<!DOCTYPE html>", "[b]", "[/url]", "[url=https://example.org]",
    ],
    "entities": ["&nbsp;", "&amp;", "&#8217;", "&#x2019;", "M&uuml;ller", "Gr&uuml;&szlig;e"],
    "paths": [
        "C:\\Users\\Anna\\brief.docx", "\\\\server\\freigabe\\x", "/usr/share/doc", "~/Bilder", "./x", "../a/b.txt", "/etc", "report.pdf",
        "IMG_1234.JPG", "src/main.py", "archiv.tar.gz", ".pdf", "/dev/md*", "/dev/*/x", "*.txt", "test_*.py", "**/*.py", "./*",
    ],
    "mentions": ["@anna_m", "#Urlaub2026", "#5", "@a.b"],
    "emoji": [
        "😀", "👍🏽", "🇩🇪", "👩‍👩‍👧", "1️⃣", "❤️", "♥", "✓", "→", "★", "×", "≥", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ":-)", ":D", ";)", "<3", "🎉🎉🎉",
    ],
    "signs": ["®", "™", "©", "§", "•"],
}  # fmt: skip


@pytest.mark.parametrize("kind, item", [(kind, item) for kind, items in SAMPLES.items() for item in items])
@pytest.mark.parametrize("around", ["{}", "Das ist {} hier.", "Siehe {}.", "„Und {}“, sagte er.", "Ja: {}, {}!", "({} )"])
def test_items_in_a_sentence(kind, item, around):
    text = around.replace("{}", item)
    found = find_items(text)
    assert [(kind, item)] * around.count("{}") == [(each.kind, text[each.begin : each.end]) for each in found]


def test_every_kind_has_samples():
    assert list(SAMPLES) == list(KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "", "Guten Morgen. Wo ist der Bahnhof?", "Um 12:30 Uhr: zehn Leute.", "Betreff:Haus", "Es ist 5 Uhr:zehn.", "Das kostet 3,50 € (12.345 $).",
        "am 27.11.2026, am 3.10. und 10–12", "z.B. d.h. u.a. i.d.R. usw.", "und/oder, km/h, 24/7, er/sie/es", "100%ig, 50 % der 50% und 5%",
        "a < b und b > c", "5<7", "C++ und C#", "Dr.-Ing. Max-Planck-Str.", "Ja -- nein - doch", "wie geht`s", "AT&T & Co.", "Freund(in), (so) [so]",
        "Nutzer:innen, Schüler*innen, Lehrer/-innen", "Ende.Anfang", "–5 °C, −3 °F, 20°", "1. Punkt; 2. Punkt", "=", "#", "@", "100 $", "Fr. 5.–",
        "3-5 Tage", "27/11/2026", "1.2.3", "192.168.0.1", "ja/nein", "Preis: 5€", "€ £ ¥ ‰ ½ ²", "a.m. p.m. U.S.A.", "8:05:10",
        "Haupt- und Nebenfach", "a+b", "1+1=2", "x = 5", "Jede(r), Kind(er) und Anlage(n)", "Anhang(3)",
        "O'Neill's 'n Eis",
        "5 $ oder 10 $", "$5-$10", "a ~ b", "- a", "Max Müller-X", "Größe -5", "Plan B", 'Er sagt "ja".', "5'6\"",
    ],
)  # fmt: skip
def test_language_is_no_item(text):
    assert [text[item.begin : item.end] for item in find_items(text)] == []


@pytest.mark.parametrize(
    "text, items",
    [
        ("Hallo {name}, du hast {0} Nachrichten.", ["{name}", "{0}"]),
        ("<b>{name}</b>", ["<b>", "{name}", "</b>"]),
        ("Klicken Sie auf <b>Speichern</b>.", ["<b>", "</b>"]),
        ("[Hilfe](https://example.org/a)", ["[", "](https://example.org/a)"]),
        ("![Bild](a/b.png) [c]", ["![", "](a/b.png)"]),
        ("[![Bau](x/b.svg)](https://example.org/b)", ["[![Bau](x/b.svg)](https://example.org/b)"]),
        ("src/main.c, Kunde/in, km/h", ["src/main.c"]),
        ("<https://example.org>, (www.example.org)", ["https://example.org", "www.example.org"]),
        ("Schreib an a@example.org!", ["a@example.org"]),
        ("WHERE id = :id AND n = (:name)", [":id", ":name"]),
        ("{0}%, %d%%", ["{0}", "%d", "%%"]),
        ("(siehe https://example.org/a_(b))", ["https://example.org/a_(b)"]),
        ("Hallo Welt🎉!", ["🎉"]),
        ("Apache® 2 → 3", ["®", "→"]),
        ('Die "/etc/hosts"-Datei, /etc/hosts-Datei und ~/.bashrc-Dateien', ["/etc/hosts", "/etc/hosts", "~/.bashrc"]),
        ("max@example.org-Adresse, example.org-Konto", ["max@example.org", "example.org"]),
        ("*/usr/bin* und **/etc/hosts**", ["/usr/bin", "/etc/hosts"]),
        ('"a" -> "b" und "Hund" --> "Katze"', ['"a"', "->", '"b"', "-->"]),
    ],
)
def test_several_items(text, items):
    assert [text[item.begin : item.end] for item in find_items(text)] == items


PARTS = st.one_of(st.sampled_from([item for items in SAMPLES.values() for item in items]), st.text("aZ9 .:;,@#{}%$&<>\\/'\"()[]-_=^`x|*", max_size=4))


@given(st.lists(PARTS, max_size=6).map("".join))
def test_the_quick_look_misses_nothing(text):
    found = find_items(text)
    assert [(item.begin, item.end) for item in found] == [match.span() for match in ITEM.finditer(text)]
    assert has_items(text) or not found
    assert all(0 <= item.begin < item.end <= len(text) for item in found)
    assert all(item.end <= after.begin for item, after in zip(found, found[1:]))


def test_long_lines_are_read_in_linear_steps():
    """Each of these took minutes where an expression looked at the rest of the line from every place."""
    for part in (
        "1.",
        "<a ",
        "{",
        "/a",
        "a@",
        "a-",
        "<!--",
        "<?",
        "a\\",
        "http://",
        "a://.",
        "{a,plural",
        "+a+",
        "\\\\a",
        "~/.",
        "[b=",
        "{%",
        "a.a/",
    ):
        find_items(part * 20_000)
