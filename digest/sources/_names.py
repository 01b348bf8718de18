"""Authors as sources write them → names, given name first."""

from __future__ import annotations

import re

from digest.patterns import late

MAX_CHARS = 200_000  # 5,000 names
_AND = late(r",? (?:and|&) ", re.I)  # where white space is collapsed: it may be as long as the page
_INITIALS = late(r"(?:[A-Z]\w{0,2}\.[ -]?)+(?:,?\s*(?:Jr|Sr|II|III|IV)\.?)?")
_WITH_SUFFIX = late(r"(.{1,40}?),?\s+((?:Jr|Sr|II|III|IV)\.?)")
# A family name of one word, with what may stand before it in small letters, and given names.
_FAMILY_FIRST = late(
    r"((?:[^\W\d_A-Z][\w'’]{0,9} ){0,3}[^\W\d_][\w'’-]*), ([^\W\d_][\w'’.-]*(?: [^\W\d_][\w'’.-]*){0,3})"
)
# The same of any words.
_TURNED = late(
    r"(?![\u2e80-\uffff])([^\s,;()@\d][^,;()@\d]{0,60}),\s+[^\s,;()@\d][^,;()@\d]{0,60}(?:,\s+(?:Jr|Sr|II|III|IV)\.?)?"
)
_SUFFIX = late(r"(?:Jr|Sr|II|III|IV)\.?")
_GROUPS = r"(?:Collaborations?|Consorti(?:um|a)|Groups?|Investigators|Teams?)\b"
# How authors are called that are no persons, and what may stand before them: "Ada Okoye on behalf of the Pond Group"
_GROUP = late(rf"\S (?:.{{0,100}} )?(?:{_GROUPS}|(?:Initiative|Network|Project|Study)\b)")
_BEHALF = late(rf"(?:^|,? )(?:on behalf of|for)(?: the)? (?=(?:[^\s,()]+ ){{0,8}}?{_GROUPS})", re.I)
WIDE = "\u2e80"  # from here on names have no blanks
# "Adaeze (Ada) Okoye": what stands in brackets within a name is no place behind it.
_NICKNAME = late(
    r"(?:^|(?<=, ))(?:[^\W\d_a-z][\w'’.-]* ){1,2}(\([^\W\d_a-z][a-zß-öø-ÿ'’-]{1,20}\)) (?=[^\W\d_a-z][\w'’-]*(?:,|$))"
)
_MARKS = " *†‡§¶"  # of notes: who answers letters, who did as much
# "Ada Okoye et al.", and as BibTeX has it, "Ada Okoye and others"
_ET_AL = late(
    r"(?:\s*[,;]\s*|\s+|^)(?:(?:and\s+)?et\.?\s+al\b\.?|(?:and|&)\s+(?:\d{1,4}\s+)?others\.?)\s*$", re.I
)
_MAX_ET_AL = 40


def without_et_al(text: str) -> str:
    """The same without "et al." at its end: as it stands where there is none."""
    found = _ET_AL.search(text, max(len(text) - _MAX_ET_AL, 0))
    return text[: found.start()] if found else text


def split(text: str) -> list[str]:
    """Names in a string with commas and "and", without the affiliations in brackets.

    Only commas outside brackets divide. `"Lindal, M., Okoye, A."` (family, initials) gives "M. Lindal", "A. Okoye".
    """
    text = _without_notes(" ".join(text[:MAX_CHARS].split()))
    if " behalf of " in text or "for the " in text:
        text = _BEHALF.sub(", ", text)
    if turned := _turned(text):
        return turned
    parts = [
        part
        for part in (
            " ".join(part.split()).strip(_MARKS)
            for part in _outside_brackets(_AND.sub(", ", text)).split(",")
        )
        if part
    ]
    parts = _without_degrees(parts)
    if in_turns := _in_turns(parts):
        return in_turns
    if (
        len(parts) > 2
        and all(map(_CAPITALS.fullmatch, parts[1::2]))
        and all(map(_ALONE.fullmatch, parts[::2]))
    ):
        return [f"{given} {family}" for family, given in zip(parts[::2], parts[1::2], strict=True)]
    names: list[str] = []
    for part in parts:
        if names and _SUFFIX.fullmatch(part):
            names[-1] += f", {part}"
        elif not (names and _DEGREE.fullmatch(part)):
            names.append(part)
    return names


# "Okoye, BA, van Lindal, MS": a family name of one word, with what stands before it in small letters, and initials, for a degree
# stands behind a whole name.
_ALONE = late(r"(?:[^\W\d_A-Z][\w'’]{0,9} ){0,3}[^\W\d_][\w'’-]*")
_CAPITALS = late(r"(?!(?:II|III|IV)$)[A-Z]{1,3}")
# Marks of notes and workplaces behind a name: "Ada Okoye¹,²", "Bo Lindal$^{1,*}$"; in plain figures where several have them.
_NOTE = late(
    r"(?<=\w)\s?(?:\$?(?<!\\)\^\{?[\d,*†‡§a-z]{1,12}\}?\$?|[¹²³⁰⁴-⁹*†‡§¶]{1,9}(?:[, ]{1,2}[¹²³⁰⁴-⁹*†‡§¶]{1,9}){0,9})"
    r"(?=\s*(?:[,;&]|$|and\b))"
)
_NUMBERED = late(r"(?<=[a-zß-öø-ÿ])\d{1,2}(?:,\s?(?:\d{1,2}|[*†‡§¶#]))*(?=\s*(?:[,;&]|$|and\b))")
_DEGREE = late(r"(?:Ph\.?\s?D|M\.?D|D\.?Phil|M\.?Sc|B\.?Sc|MPH|MBBS|MBA|MS|BA|MA|RN|Pharm\.?D|FRCP)\.?")
# What are no initials: where one stands in a list of whole names, the others with full stops are degrees too.
_DOCTOR = late(r"Ph\. ?D\.?|D\. ?Phil\.?|Pharm\. ?D\.?|Sc\.D\.|M\.P\.H\.|M\.Sc\.|M\.B\.A\.")


def _without_degrees(parts: list[str]) -> list[str]:
    """`Ada Okoye, M.D., Bo Lindal, Ph.D.` → Ada Okoye and Bo Lindal: in turns they would be `M.D. Ada Okoye`."""
    if not parts or " " not in parts[0] or parts[0][0].islower() or not any(map(_DOCTOR.fullmatch, parts)):
        return parts
    return [
        each
        for each in parts
        if _SUFFIX.fullmatch(each) or not (_INITIALS.fullmatch(each) or _DEGREE.fullmatch(each))
    ]


def _without_notes(text: str) -> str:
    if "^" in text or not text.isascii():
        text = _NOTE.sub("", text)
    return _NUMBERED.sub("", text) if len(_NUMBERED.findall(text)) > 1 else text


def _in_turns(parts: list[str]) -> list[str]:
    """Names of parts that are family names with their initials in turns; a suffix may follow, and groups may stand between. Empty
    where a part is something else."""
    names: list[str] = []
    at, count = 0, len(parts)
    while at < count:
        part = parts[at]
        if at + 1 < count and _INITIALS.fullmatch(parts[at + 1]) and not _SUFFIX.fullmatch(parts[at + 1]):
            given = _WITH_SUFFIX.fullmatch(parts[at + 1])
            names.append(f"{given[1]} {part} {given[2]}" if given else f"{parts[at + 1]} {part}")
            at += 2
        elif names and _SUFFIX.fullmatch(part):
            names[-1] += f" {part}"
            at += 1
        elif count > 2 and _GROUP.search(part):
            names.append(part)
            at += 1
        else:
            return []
    return names if len(names) < count else []


# Atypon's feeds set names and workplaces one behind the other: "Ada OkoyeBo LindalaKiln University, Kilnton;bPond Institute".
# Not where a name goes on with a capital: McDonald, DeVries.
_SEAM = late(
    r"(?<=[a-zß-öø-ÿ0-9])(?<![ -](?:D[eiu]|L[aeiou]|Mc|St))(?<![ -](?:Mac|V[ao]n))(?<![ -]Fitz)(?=[A-ZÀ-ÖØ-Þ])"
)
_NAME = late(r"(?!The )(?!.* (?:and|of|for) )(?:[^\W\d_][\w'’.-]* ){1,6}[^\W\d_][\w'’.-]*")
_WORKPLACE = late(
    r"\b(?:Departe?ment|Dept|School|Facult|Institut|Colleg|Universi|Cent(?:er|re)|Laborator|Division|Hospital|Academ|Ministry"
    r"|Observator|Museum|Clinic|Unit|Research|Inc|Ltd|GmbH)\w*",
    re.I,
)
_SECOND_MARK = late(r"(?:;b ?|[^\s;]b)(?=[A-Z][a-z])")


def unglued(text: str) -> list[str]:
    """Names that stand one behind the other without anything between, and before the places where they work; none where that is
    not plainly so. A single name is one where such a place follows."""
    parts = _SEAM.split(text[:MAX_CHARS])
    end = next(
        (at for at, part in enumerate(parts) if _WORKPLACE.search(part) or "," in part or ";" in part),
        len(parts),
    )
    names, places = parts[:end], parts[end:]
    if not names or (len(names) < 3 and not _begins_with_workplace(places)):
        return []
    names = [name.rstrip("0123456789") for name in names]
    if places and names[-1].endswith("a") and _SECOND_MARK.search("".join(places)):
        names[-1] = names[-1][:-1]
    whole = all(_NAME.fullmatch(name) and not _GROUP.search(name) for name in names)
    return names if whole else []


def _begins_with_workplace(places: list[str]) -> bool:
    """Is this more than the rest of a name with a capital in it, of a list, or of a group's name: "Mary JoAnn Okoye", "Ada deBoer,
    Bo Lindal", "Big DeepKiln Research"?"""
    if not places:
        return False
    found = _WORKPLACE.search(re.split("[,;(]", places[0], maxsplit=1)[0])
    return found is not None and (found.start() == 0 or "," in "".join(places))


def without_and(names: list[str]) -> list[str]:
    """The same without the word before a name that a page took for a part of it: `and Bo Lindal`."""
    begun = [name.lstrip() for name in names]
    if not any(name[:4].lower() == "and " for name in begun[1:]):
        return names
    return [*begun[:1], *(name[4:] if name[:4].lower() == "and " else name for name in begun[1:])]


def bare(name: str) -> str:
    """A name without marks of notes and without the workplace behind it: `Ada (Dee) Okoye* (Kiln)`, `Ada Okoye, Kiln Institute`,
    `Okoye, Ada [Kiln Institute] (ORCID:…)`."""
    name = name.strip()
    if ", " in name and not name.endswith(")"):
        before, _, place = name.partition(", ")
        is_person = _NAME.fullmatch(before) and not _WORKPLACE.search(before)
        name = before if is_person and _WORKPLACE.search(place) else name
    if name.endswith(")"):
        name = name.rpartition("(")[0].rstrip() or name
    if name.endswith("]"):
        name = name.partition("[")[0].rstrip() or name
    return name.strip(_MARKS) or name


def called(name: str) -> str:
    """A group as it is called: `for the Pond Investigators` → `Pond Investigators`; `By Ada Okoye` → `Ada Okoye`; any other name as
    it is."""
    if name[:3] in ("By ", "by ", "BY "):
        return name[3:].lstrip()
    is_for = name[:4].lower() in ("for ", "on b") and _BEHALF.match(name)
    return name[is_for.end() :] if is_for else name


def natural(name: str) -> str:
    """`Lindal, Marit` → `Marit Lindal`; `Okoye, Ada, Jr.` → `Ada Okoye Jr.`; a name without a comma stands."""
    parts = [part for part in (part.strip() for part in name.split(",")) if part]
    return in_order(parts[1], parts[0], *parts[2:]) if 2 <= len(parts) <= 3 else name


def in_order(given: str, family: str, *suffixes: str) -> str:
    """The parts of a name as they are spoken: in Chinese, Japanese and Korean letters the family name first, without a blank."""
    if given[:1] >= WIDE <= family[:1] and given and family:
        return f"{family}{given}"
    return " ".join(filter(None, (given, family, *suffixes)))


def with_initials(name: str) -> bool:
    """Is this a family name, a comma and initials: `Lindal, M. A.`?"""
    family, _, initials = name.partition(",")
    return bool(family) and _INITIALS.fullmatch(initials.strip()) is not None


def inverted(names: list[str]) -> dict[str, str]:
    """What `source_text` keeps of names that the source writes family first."""
    written = "; ".join(names) if any("," in name for name in names) else ""
    return {"authors": written} if 0 < len(written) <= MAX_CHARS else {}


def all_natural(names: list[str]) -> list[str]:
    """Names that are each on their own, given name first: `Lindal, Mia`, `Garcia Lopez, Ana`. As they are where none is plainly
    family name first, as one of a single word before a comma is, or where one with a comma is something else."""
    if "," not in " ".join(names):
        return names
    lines = [" ".join(name.split()) for name in names]
    found = [_TURNED.fullmatch(name) for name in lines]
    plain = any(each and " " not in each[1].lstrip("abcdefghijklmnopqrstuvwxyz' ") for each in found)
    if not plain or any("," in name and not each for name, each in zip(lines, found, strict=True)):
        return names
    return [natural(name) for name in lines]


def _turned(text: str) -> list[str]:
    """Names as BibTeX has them, `Lindal, Mia and van Okoye, Ada`; none where a part may be something else."""
    parts = text.split(" and ")
    if len(parts) < 2 or len(parts) != text.count(","):
        return []
    found = [_FAMILY_FIRST.fullmatch(part) for part in parts]
    return [f"{each[2]} {each[1]}" for each in found if each] if all(found) else []


def _outside_brackets(text: str) -> str:
    if "(" not in text:
        return text
    kept: list[str] = []
    depth = 0
    within = {at for found in _NICKNAME.finditer(text) for at in range(*found.span(1))}
    for at, c in enumerate(text):
        if at in within and not depth:
            kept.append(c)
            continue
        depth += c == "("
        if not depth:
            kept.append(c)
        if c == ")" and depth:
            depth -= 1
    return "".join(kept)
