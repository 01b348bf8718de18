r"""TeX in titles and abstracts → plain text in Unicode, as far as it is known; what is left over stands as it was written.

A small reader of our own: pylatexenc takes 55 ms to import and 6 ms for one abstract, and turns `5\%` and half a formula into
something else without saying so (measured 2026-11). Listings use a few dozen commands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from digest.patterns import late

MAX_CHARS = 20_000
MAX_FORMULA_CHARS = 600
MAX_DEPTH = 12


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split())


_SYMBOLS = _pairs(
    "alpha=α beta=β gamma=γ delta=δ epsilon=ε varepsilon=ε zeta=ζ eta=η theta=θ vartheta=ϑ iota=ι kappa=κ lambda=λ mu=μ nu=ν"
    " xi=ξ pi=π varpi=ϖ rho=ρ varrho=ϱ sigma=σ varsigma=ς tau=τ upsilon=υ phi=φ varphi=φ chi=χ psi=ψ omega=ω Gamma=Γ Delta=Δ"
    " Theta=Θ Lambda=Λ Xi=Ξ Pi=Π Sigma=Σ Upsilon=Υ Phi=Φ Psi=Ψ Omega=Ω times=× cdot=· pm=± mp=∓ div=÷ ast=∗ star=⋆ circ=°"
    " bullet=• oplus=⊕ ominus=⊖ otimes=⊗ odot=⊙ wedge=∧ vee=∨ land=∧ lor=∨ lnot=¬ neg=¬ cap=∩ cup=∪ setminus=∖ le=≤ leq=≤"
    " leqslant=≤ lesssim=≲ ge=≥ geq=≥ geqslant=≥ gtrsim=≳ ne=≠ neq=≠ equiv=≡ approx=≈ simeq=≃ cong=≅ sim=∼ propto=∝ ll=≪"
    " gg=≫ subset=⊂ subseteq=⊆ subsetneq=⊊ supset=⊃ supseteq=⊇ in=∈ ni=∋ notin=∉ forall=∀ exists=∃ nexists=∄ emptyset=∅"
    " varnothing=∅ infty=∞ partial=∂ nabla=∇ sum=∑ prod=∏ coprod=∐ int=∫ oint=∮ iint=∬ to=→ rightarrow=→ leftarrow=← gets=←"
    " leftrightarrow=↔ Rightarrow=⇒ Leftarrow=⇐ Leftrightarrow=⇔ implies=⇒ iff=⇔ mapsto=↦ longrightarrow=⟶ longleftarrow=⟵"
    " hookrightarrow=↪ uparrow=↑ downarrow=↓ nearrow=↗ searrow=↘ langle=⟨ rangle=⟩ lfloor=⌊ rfloor=⌋ lceil=⌈ rceil=⌉ ell=ℓ"
    " hbar=ℏ Re=ℜ Im=ℑ aleph=ℵ wp=℘ prime=′ dagger=† ddagger=‡ angle=∠ triangle=△ square=□ Box=□ diamond=⋄ lozenge=◊"
    " perp=⊥ bot=⊥ top=⊤ parallel=∥ mid=∣ vert=| Vert=‖ lVert=‖ rVert=‖ lvert=| rvert=| models=⊨ vdash=⊢ dashv=⊣ ldots=… dots=…"
    " cdots=⋯ vdots=⋮ ddots=⋱ colon=: lt=< gt=> degree=° checkmark=✓ sharp=♯ flat=♭ natural=♮ amalg=⨿ ltimes=⋉ rtimes=⋊"
    " bowtie=⋈ prec=≺ preceq=⪯ succ=≻ succeq=⪰ asymp=≍ doteq=≐ triangleq=≜ coloneqq=≔ sqcup=⊔ sqcap=⊓ uplus=⊎ wr=≀ complement=∁"
    " upharpoonright=↾ rightharpoonup=⇀ leadsto=⇝ rightsquigarrow=⇝ because=∵ therefore=∴ S=§ P=¶ copyright=© pounds=£ euro=€"
)
_LETTERS = {"aa": "å", "AA": "Å", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł",
            "ss": "ß", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "dj": "đ", "DJ": "Đ", "th": "þ", "TH": "Þ"}  # fmt: skip
_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
            '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
            "b": "\u0331"}  # fmt: skip
_WORDS = {"eg": "e.g.", "ie": "i.e.", "etal": "et al.", "etc": "etc.", "wrt": "w.r.t.", "vs": "vs.", "aka": "a.k.a.", "cf": "cf.",
          "iid": "i.i.d.", "TeX": "TeX", "LaTeX": "LaTeX", "textendash": "–", "textemdash": "—", "textbackslash": "\\",
          "textasciitilde": "~", "textquoteright": "’", "textquoteleft": "‘", "textquotedblleft": "“", "textquotedblright": "”",
          "textregistered": "®", "texttrademark": "™", "textdegree": "°", "textmu": "µ", "texttimes": "×", "xspace": "",
          "newline": " ", "linebreak": " ", "par": " ", "noindent": "", "quad": " ", "qquad": " ", "maketitle": ""}  # fmt: skip

# Each form begins with its own sign, and what may not stand before it is asked for behind it: so the search leaps from sign to
# sign, instead of stopping at every character.
# Nothing is read a second way: a formula ends at the first `$` that is not escaped, or it is none.
_DOLLARS = (
    r"\$(?<!\\\$)\$(?P<display>(?>(?:[^$\\]++|\\.)+))\$\$"
    # A formula has no space just inside its marks and no digit just after them; `$20` is money, `$\sim$5` is not.
    r"|\$(?<![\\$]\$)(?=[^\s$])(?P<inline>(?>(?:[^$\\]++|\\.)+))\$(?<!\s\$)(?!\d)"
    r"|\$(?<![\\$]\$)(?P<command>\\[^$]*+)\$(?<![\s\\]\$)"
)
_BRACKETS = (
    rf"|\\\((?P<paren>.{{1,{MAX_FORMULA_CHARS}}}?)\\\)"
    rf"|\\\[(?P<bracket>.{{1,{MAX_FORMULA_CHARS}}}?)\\\]"
)
_FORMULA, _DOLLAR_FORMULA = late(_DOLLARS + _BRACKETS), late(_DOLLARS)
_MONEY = late(r"\d[\d.,]*(?:[kKMB]|\s+[A-Za-z]{2})")


def plain(text: str) -> str:
    r"""`text` with its TeX turned into Unicode: `T\"ulu at 5\%, $O(n^2)$` → `Tülu at 5%, O(n²)`.

    A formula that holds anything unknown stands unchanged, with its `$`. Expects white space collapsed; never raises.
    """
    if len(text) > MAX_CHARS:
        return text
    pieces: list[str] = []
    end = 0
    for found in _formulas(text):
        source = found[found.lastindex or 0]  # one group of them all has matched
        shown = found[0] if _MONEY.match(source) else formula(source)
        pieces += [_prose(text[end : found.start()]), found[0] if shown is None else shown]
        end = found.end()
    pieces.append(_prose(text[end:]))
    return "".join(pieces)


def formula_spans(text: str) -> list[tuple[int, int]]:
    """Where formulas stand in `text`, with their marks: places that must not be cut."""
    return [found.span() for found in _formulas(text)] if "$" in text or "\\" in text else []


def _formulas(text: str) -> Iterator[re.Match[str]]:
    """Forms that all begin with one sign are found in a tenth of the time."""
    if "\\(" in text or "\\[" in text:
        return _FORMULA.finditer(text)
    return _DOLLAR_FORMULA.finditer(text) if "$" in text else iter(())


# --- prose

_HREF = late(r"\\href\s*\{[^{}]*\}\s*\{([^{}]*)\}")
_URL = late(r"\\(?:url|nolinkurl|path)\s*\{([^{}]*)\}")
_DROPPED = late(
    r"[\s~]?\\(?:footnote(?:text|mark)?|cite[a-z]*|ref|eqref|cref|label|thanks|[hv]space)\*?\s*(?:\[[^\[\]]*\]\s*)*"
    r"\{(?:[^{}]|\{[^{}]*\})*\}"
)
_DROPPED_NAMES = "footnote|cite|(?:eq|c)?ref|label|thanks|[hv]space"
_TO_DROP = late(rf"\\(?:{_DROPPED_NAMES})")
# TeX takes the space behind a name like \i for its end; before a capital letter it was meant as one.
_ACCENT = late(
    r"\\([`'^~=.\"])\s*(?:\{\s*(\\?[A-Za-z])\s*\}|(\\[ij](?![A-Za-z])(?:\s+(?=[a-z]))?|[A-Za-z]))"
    r"|\\([uvHcdbkr])(?:\s*\{\s*(\\?[A-Za-z])\s*\}|\s*(\\[ij](?![A-Za-z])(?:\s+(?=[a-z]))?|(?<=\s)[A-Za-z](?![a-z]*\s*\{)))"
)
_LONE = late(r"\{\s*[^\W\d_a-zA-Z]\s*\}")
_LONE_LETTER = late(r"(\\[A-Za-z]+\s*)?\{\s*([^\W\d_a-zA-Z])\s*\}")
_STYLED = late(
    r"\\(?:emph|text(?:bf|it|tt|sc|sf|rm|sl|up|md|normal)?|math(?:rm|bf|it|sf|tt)|underline|uline|[mhf]box|ensuremath|textcolor\{\w+\})"
    r"\s*\{([^{}]*)\}"
)
_SWITCHED = late(r"\{\\(?:em|it|bf|sc|tt|rm|sl|sf|itshape|bfseries|scshape|ttfamily)\b\s*+([^{}]*+)\}")
_LETTER = late(r"\\(aa|AA|ae|AE|oe|OE|ss|[oOlLij])(?:\{\}|\s+|(?![A-Za-z]))")
# What the five above need: one search instead of theirs, where a text has other commands only.
_SELDOM = late(
    rf"\\(?:href|url|nolinkurl|path|{_DROPPED_NAMES}|[`'^~=.\"]|(?:[uvHcdbkr]|aa|AA|ae|AE|oe|OE|ss|[oOlLij])(?![A-Za-z]))"
)
_COMMAND = late(r"\\([A-Za-z]+)(\{\}|\\(?= ))?(\.?)")
_ESCAPED = late(r"\\([%&$#_{}])")
_NOT_ESCAPED = late(r"\\[^%&$#_{}]")
_SPACE = late(r"\\\\(?:\[[^\]]*\])?|\\[ ,;:!/]|\\-")
_TIE = late(r"~(?<=[A-Za-z.]~)(?=[\w($\\])")
_QUOTED = late(r"`(?<!``)([^`'\n]{1,80})'(?!')")


def _prose(text: str) -> str:
    if "\\" in text:
        text = _commands(text) if "{" in text or _NOT_ESCAPED.search(text) else _ESCAPED.sub(_inside, text)
    if "``" in text:
        text = text.replace("``", "“").replace("''", "”")
    if "`" in text:
        text = _QUOTED.sub("‘\\1’", text)
    return _TIE.sub(" ", text) if "~" in text else text


def _commands(text: str) -> str:
    if _SELDOM.search(text):
        text = _URL.sub(_inside, _HREF.sub(_inside, text))
        if _TO_DROP.search(text):
            text = _DROPPED.sub("", text)
        text = _LETTER.sub(_letter, _ACCENT.sub(_accented, text))
    if "{" in text:
        text = _unbraced(text)
    if "\\" not in text:
        return text
    text = _COMMAND.sub(_command, text)
    return _ESCAPED.sub(_inside, _SPACE.sub(_space, text))


def _inside(found: re.Match[str]) -> str:
    """The first group: as the template r"\\1", which costs a microsecond even where nothing is found."""
    return found[1]


def _unbraced(text: str) -> str:
    if not text.isascii() and _LONE.search(text):
        text = _LONE_LETTER.sub(lambda found: found[0] if found[1] else found[2], text)
    for _ in range(MAX_DEPTH):  # from the inside out
        before = text
        text = _SWITCHED.sub(_inside, _STYLED.sub(_inside, text))
        if text == before or "{" not in text:
            break
    return text


def _letter(found: re.Match[str]) -> str:
    return _LETTERS[found[1]]


def _accented(found: re.Match[str]) -> str:
    accent = _ACCENTS[found[1] or found[4]]
    letter = found[2] or found[3] or found[5] or found[6]
    return unicodedata.normalize("NFC", letter.strip().lstrip("\\") + accent)


def _command(found: re.Match[str]) -> str:
    name, _, stop = found.groups()
    if name in _WORDS:
        shown = _WORDS[name]
        return shown if stop and shown.endswith(".") else shown + stop
    return _SYMBOLS[name] + stop if name in _SYMBOLS else found[0]


def _space(found: re.Match[str]) -> str:
    return "" if found[0] in ("\\-", "\\!", "\\/") else " "


# --- formulas

_SCRIPTS = {
    "^": dict(zip("0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδεθφχ−′*∗°⊤†⊥∘, ",
                  "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᵋᶿᵠᵡ⁻′**°ᵀ†⊥°˒ ", strict=True)),
    "_": dict(zip("0123456789+-=()aehijklmnoprstuvxβγρφχ−, ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ₋‚ ", strict=True)),
}  # fmt: skip
_STYLES = {"mathbb": 0x1D538, "mathcal": 0x1D49C, "mathscr": 0x1D49C, "mathfrak": 0x1D504}
_STYLE_HOLES = {0x1D53A: "ℂ", 0x1D53F: "ℍ", 0x1D545: "ℕ", 0x1D547: "ℙ", 0x1D548: "ℚ", 0x1D549: "ℝ", 0x1D551: "ℤ",
                0x1D49D: "ℬ", 0x1D4A0: "ℰ", 0x1D4A1: "ℱ", 0x1D4A3: "ℋ", 0x1D4A4: "ℐ", 0x1D4A7: "ℒ", 0x1D4A8: "ℳ",
                0x1D4AD: "ℛ", 0x1D506: "ℭ", 0x1D50B: "ℌ", 0x1D50C: "ℑ", 0x1D515: "ℜ", 0x1D51D: "ℨ"}  # fmt: skip
_UPRIGHT = _words(
    "text textbf textit textrm textsf texttt textsc mathrm mathbf mathit mathsf mathtt boldsymbol bm pmb operatorname mbox hbox"
    " emph rm bf it mathop mathbin mathrel ensuremath"
)
_FUNCTIONS = _words(
    "log ln exp sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh max min sup inf lim limsup liminf arg det dim ker"
    " gcd deg Pr hom mod bmod tr rank sgn poly polylog"
)
_OVER = {"hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304", "overline": "\u0305",
         "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7", "check": "\u030c", "breve": "\u0306"}  # fmt: skip
_SPACES = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", "/": ""}
_SIZES = _words(
    "left right big Big bigg Bigg bigl bigr Bigl Bigr middle displaystyle textstyle limits nolimits"
)
_PIECE = late(r"\\([A-Za-z]+)\*?\s*|\\(.)|(.)")


class _LeftOverError(Exception):
    """The formula holds something that has no plain spelling."""


def formula(source: str) -> str | None:
    r"""The inside of a formula in Unicode: `\mathcal{O}(n^{2})` → `𝒪(n²)`. None if anything of it is unknown."""
    return _formula(source) if len(source) <= MAX_FORMULA_CHARS else None


@lru_cache(maxsize=2048)  # a listing writes the same few letters and bounds again and again
def _formula(source: str) -> str | None:
    try:
        shown, end = _row(source, 0, 0)
    except _LeftOverError:
        return None
    return " ".join(shown.split()) if end == len(source) else None


def _row(source: str, at: int, depth: int) -> tuple[str, int]:
    """Everything up to the closing brace of this group, or the end."""
    if depth > MAX_DEPTH:
        raise _LeftOverError
    shown: list[str] = []
    while at < len(source) and source[at] != "}":
        piece, at = _atom(source, at, depth)
        shown.append(piece)
    return "".join(shown), at


def _atom(source: str, at: int, depth: int) -> tuple[str, int]:
    found = _PIECE.match(source, at)
    if not found:
        raise _LeftOverError
    name, escaped, sign = found.groups()
    at = found.end()
    if name:
        return _named(name, found[0], source, at, depth)
    if escaped:
        if escaped in _SPACES:
            return _SPACES[escaped], at
        if escaped in "%&$#_{}|":
            return "‖" if escaped == "|" else escaped, at
        raise _LeftOverError
    if sign in "^_":
        return _script(sign, source, at, depth)
    if sign == "{":
        shown, at = _row(source, at, depth + 1)
        return shown, _closed(source, at)
    if sign in "&}$\n":
        raise _LeftOverError
    return {"-": "−", "'": "′", "~": " "}.get(sign, sign), at


def _closed(source: str, at: int) -> int:
    if at >= len(source):
        raise _LeftOverError
    return at + 1


def _argument(source: str, at: int, depth: int) -> tuple[str, int]:
    while at < len(source) and source[at] == " ":
        at += 1
    if at >= len(source):
        raise _LeftOverError
    return _atom(source, at, depth + 1)


def _script(sign: str, source: str, at: int, depth: int) -> tuple[str, int]:
    shown, at = _argument(source, at, depth)
    signs = _SCRIPTS[sign]
    if not shown or not all(c in signs for c in shown) or (len(shown) > 1 and "," in shown):
        raise _LeftOverError
    return "".join(signs[c] for c in shown), at


def _named(name: str, whole: str, source: str, at: int, depth: int) -> tuple[str, int]:
    if name in _SYMBOLS:
        # TeX eats the space after a command; a spaced operator keeps it (`x \ge 1`).
        before, after = source[at - len(whole) - 1 : at - len(whole)], source[at : at + 1]
        spaced = whole[-1] == " " and (before == " " or not (after.isalnum() or after in "\\{"))
        return _SYMBOLS[name] + " " * spaced, at
    if name in _FUNCTIONS:
        gap = (
            " " if whole[-1].isspace() or source[at : at + 1].isalnum() or source[at : at + 1] == "\\" else ""
        )
        return name + gap, at
    if name in _SIZES:
        return "", at + 1 if source[at : at + 1] == "." else at
    if name in ("quad", "qquad"):
        return " ", at
    if name in ("frac", "tfrac", "dfrac"):
        return _fraction(source, at, depth)
    if name in _UPRIGHT or name in _STYLES or name in _OVER or name == "sqrt":
        shown, at = _argument(source, at, depth)
        return _dressed(name, shown), at
    raise _LeftOverError


def _fraction(source: str, at: int, depth: int) -> tuple[str, int]:
    over, at = _argument(source, at, depth)
    under, at = _argument(source, at, depth)
    return f"{_bracketed(over)}/{_bracketed(under)}", at


def _bracketed(shown: str) -> str:
    return shown if shown.isalnum() else f"({shown})"


def _dressed(name: str, shown: str) -> str:
    if name == "sqrt":
        return f"√{_bracketed(shown)}"
    if name in _OVER:
        if len(shown) != 1:
            raise _LeftOverError
        return unicodedata.normalize("NFC", shown + _OVER[name])
    if name in _STYLES:
        return "".join(_styled(_STYLES[name], letter) for letter in shown)
    return shown


def _styled(start: int, letter: str) -> str:
    if not ("A" <= letter <= "Z"):
        if letter == "1" and start == 0x1D538:
            return "𝟙"
        raise _LeftOverError
    code = start + ord(letter) - ord("A")
    return _STYLE_HOLES.get(code, chr(code))


def script(sign: str, shown: str) -> str | None:
    """`shown` in superscript (`^`) or subscript (`_`) signs; None if one of its characters has none."""
    signs = _SCRIPTS[sign]
    return "".join(signs[c] for c in shown) if shown and all(c in signs for c in shown) else None
