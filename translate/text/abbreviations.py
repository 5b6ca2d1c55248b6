"""German and English words that decide whether a full stop ends a sentence. All in lower case, abbreviations without their full stops."""

from __future__ import annotations

from dataclasses import dataclass

# Before a number, also a Roman one, a full stop after these doesn't end a sentence; else they are words like any other.
BEFORE_NUMBER = frozenset(
    """no nos nr art abb abs bd bde kap fig figs tab s p pp vol vols ch chap sec sect eq ref max min jan feb mar mär apr jun jul aug sep sept okt
    oct nov dez dec tel aufl ziff anm par rn rz rdnr bl jg hs op ver rev lfd pos anl mt""".split()
)


@dataclass(frozen=True)
class Words:
    """What the rules know of a language."""

    never: frozenset[str] = frozenset()  # a full stop after these never ends a sentence
    never_dotted: frozenset[str] = frozenset()  # nor after these, written with full stops or spaces between the letters: z. B., i. e.
    may_end: frozenset[str] = frozenset()  # here it does if a word follows that often begins a sentence
    ends: frozenset[str] = frozenset()  # here it does if a capital follows
    starters: frozenset[str] = frozenset()  # words that often begin a sentence, and are written in lower case elsewhere
    verbs: frozenset[str] = frozenset()  # those of them that may follow a name that ends in an exclamation mark
    ordinals: bool = True  # "3." means "3rd"
    before_ordinals: frozenset[str] = frozenset()  # words before an ordinal number
    before_cardinals: frozenset[str] = frozenset()  # words before a plain number
    after_ordinals: frozenset[str] = frozenset()  # words after an ordinal number
    speech: str = ""  # verbs of speech after a quotation and its speaker, as a pattern


GERMAN = Words(
    never=frozenset(
        """dr prof mr mrs ms hr hrn frl dipl ing vgl bzw bspw bzgl ca ggf ggfs evtl sog inkl exkl einschl zzgl insb insbes allg urspr ungef eigtl jmd
        jmdm jmdn entspr hrsg verf versch zb dh zt nr hl st dt engl frz österr gegr bes mind""".split()
    ),
    never_dotted=frozenset("zb dh su so zt zhd ia idr iwis og ug hc iv zzt sl od uu va ae eg ie".split()),
    may_end=frozenset(
        """ff jh jhd jhdt jr jun sr sen inc ltd co corp cie bros mio mrd tsd std str chr al et ed univ intl phil fr fa ag ev evang kath etw
        geb verh gem lt rev
        mag""".split()
    ),
    ends=frozenset(["usw", "etc"]),
    starters=frozenset(
        """der die das den dem des ein eine einen einem einer eines ich du er sie es wir ihr man mein meine meinen meinem meiner dein deine deinen
        sein seine seinen seinem seiner ihre ihren ihrem ihrer unser unsere unseren unserem euer eure dieser diese dieses diesen diesem jener jene
        jenes jeder jede jedes jeden alle alles allen kein keine keinen keiner wer was wo wann wie warum wieso weshalb welcher welche welches woher
        wohin womit wovon und aber oder denn doch sondern also so da dann danach dort hier heute gestern morgen jetzt nun später damals dabei dazu
        dafür dagegen daher deshalb deswegen darum damit darauf daran darin trotzdem außerdem allerdings jedoch auch nur noch nach vor in im ins am
        an auf aus bei beim mit ohne für von vom zu zum zur über unter zwischen während seit bis durch gegen um wegen trotz wenn weil als ob obwohl
        nachdem bevor falls ja nein bitte danke vielleicht leider natürlich ist sind war waren hat haben hatte kann kannst können könnte soll sollte
        will willst wird werden wurde würde muss müssen darf nicht nichts niemand jemand manche manchmal viele vielen einige mehr sehr zwar zuerst
        schließlich zudem zugleich insgesamt dennoch bisher bald oft immer nie hallo tja ach oh gut herr frau mir dir uns""".split()
    ),
    verbs=frozenset("ist sind war waren hat haben hatte kann können könnte soll sollte will wird werden wurde würde muss müssen darf".split()),
    before_ordinals=frozenset(
        """am im der die das den dem des vom zum zur beim ein eine einen einem einer ins ans seit ab mein meine meinen meinem sein seine seinen seinem
        seiner ihr ihre ihren ihrem ihrer unser unsere unseren unserem dein deine deinen jeder jede jedes jeden diese dieser dieses diesen
        montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag""".split()
    ),
    before_cardinals=frozenset(
        """um uhr sind ist war waren wird wurde hat haben habe hatte gegen seite platz kapitel artikel zimmer gleis bus linie plus minus mal gleich
        macht ergibt über unter fast nur etwa rund genau circa mit höchstens mindestens bin bist bleibt punkt teil klasse stufe band version
        alter nummer jahr""".split()
    ),
    after_ordinals=frozenset(
        """januar jänner februar märz april mai juni juli august september oktober november dezember jan feb mär apr aug sep sept okt nov dez
        jahrhundert jahrhunderts jahrhunderte jh jahrtausend jahrestag geburtstag todestag weltkrieg weltkriegs stock stockwerk etage klasse runde
        spieltag minute halbzeit auflage kapitel platz rang mal jahr tag woche bundesliga liga bezirk armee division infanterie""".split()
    ),
)
ENGLISH = Words(
    never=frozenset("dr prof mr mrs ms messrs mme vs viz approx cf nr st eg ie ltcol brig msgr".split()),
    never_dotted=frozenset("eg ie".split()),
    may_end=frozenset(
        """jr sr inc ltd co corp cie bros al et ed eds est dept univ assoc intl natl ave blvd bldg rd gen gov rep reps sen sens sgt pfc capt cpt lt
        col maj cmdr adm hon pres supt rev fr ft mt ca phd esq""".split()
    ),
    ends=frozenset("etc am pm".split()),
    starters=frozenset(
        """the a an this that these those i you he she it we they my your his her its our their there here what where when who whom whose why how
        which and but or so then if because although though while since after before as at in on for from with by to of is are was were do does did
        don't didn't have has had can could can't will would won't should may might must yes no not never please thanks now today yesterday tomorrow
        some many much all each every nobody somebody everybody everyone everything nothing most more let let's i'm it's that's there's he's
        she's they're we're you're i've i'll i'd however moreover furthermore therefore thus meanwhile both one two three several such even only
        just also still again once often sometimes perhaps maybe during under over between without against like mr mrs""".split()
    ),
    verbs=frozenset("is are was were do does did have has had can could will would should may might must and or to of as at in on for by".split()),
    ordinals=False,
    speech="said|says|asked|asks|replied|answered|cried|shouted|exclaimed|whispered|wondered|added|yelled|screamed|called|inquired|demanded",
)
OTHER = Words()
