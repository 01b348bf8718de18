"""Whether a mail that a person wrote asks to leave: by its subject, or by the first thing that it says. Pure.

Only what begins so counts, "unsubscribe me" and not "how do I unsubscribe?", and never what is quoted: each of our mails has
the word in it.
"""

from __future__ import annotations

import html
import re

from digest.patterns import late

# "Re:" and its like, which mail programs put in front of a subject.
_ANSWERS = late(r"(?:\s*(?:re|aw|antw|antwort|sv|vs|odp|rif|ref|ynt|回复|答复|回覆|返信)\s*[:：])+", re.I)
_POLITE = (
    r"(?:i(?: would|['’]d)? (?:like|want|wish) to |(?:could|can|would) you |ich (?:möchte|will|würde)(?: mich| gern| bitte)* "
    r"|je (?:veux|souhaite|voudrais|désire) |(?:quiero|deseo|quisiera|vorrei|quero|gostaria de) )?"
    r"(?:(?:please|pls|plz|kindly|bitte|merci de|veuillez|svp|s['’]il (?:vous|te) pla[iî]t|por favor|per favore|graag|proszę|prosím"
    r"|прошу|пожалуйста|请|請)[\s,:]*)?"
)
_UNSUBSCRIBE = late(rf"\W*{_POLITE}unsubscribe\b", re.I)
# What may be followed by more words: whom, and from what.
_ASKS = late(
    rf"\W*{_POLITE}(?:"
    r"unsubscribe\b|un-subscribe\b|remove me\b|take me off\b|opt[ -]?(?:me )?out\b|cancel (?:my |this |the )?subscription\b"
    r"|stop (?:sending|e?-?mailing)\b"
    r"|stop (?:these|this|the|all|your)(?: \w+)? (?:e?-?mails?|messages|letters|newsletters?|digests?|list)\b"
    r"|abmelden\b|abmeldung\b|abbestell(?:en|ung)\b|austragen\b|newsletter (?:abbestellen|abmelden)\b"
    r"|(?:melde[nt]? sie mich|melde mich|tragen sie mich|nehmen sie mich|nimm mich)\b[\w\s,]*\b(?:ab|aus|heraus|raus)\b"
    r"|(?:me |se )?d[eé]sabonn(?:er|ez|ement)\b|(?:me |se )?d[eé]sinscri(?:re|ption|vez)\b"
    r"|(?:dar(?:me|se)|dadme|dar) de baja\b|cancelar (?:la |mi )?suscripci[oó]n\b|des?suscribir(?:me)?\b"
    r"|cancella(?:mi|temi|zione)\b|disiscri(?:vermi|vetemi|zione)\b|annulla(?:re)? (?:la mia |l'|la )?iscrizione\b"
    r"|cancelar (?:a |minha |a minha )?(?:inscrição|inscricao|assinatura)\b|descadastr(?:ar|em|e)\b"
    r"|afmelden\b|uitschrijven\b|avregistrera\b|avsluta prenumeration|afmeld\b|avmeld\b|frameld\b|peruuta tilaus"
    r"|wypis(?:z|ać|anie)\b|anuluj subskrypcję|odhlásit\b|leiratkoz|abonelikten çık|aboneliği iptal"
    r"|отпи(?:сать|саться|ска|шите)\b|відпис(?:ати|атися|ка)\b|διαγραφή\b|απεγγραφή\b"
    r"|退订|退訂|取消订阅|取消訂閱|配信停止|購読解除|登録解除|수신 ?거부|구독 ?(?:취소|해지)"
    r")[^?？]{0,60}",
    re.I,
)
# What is a wish to leave only where it is all that is said.
_ASKS_ALONE = late(
    rf"\W*{_POLITE}(?:stop|stop it|remove|cancel|quit|end|leave|baja|arr[eê]ter|arr[eê]t|stopp|解除|拒否)\W*",
    re.I,
)
_GREETING = late(
    r"\W*(?:hi|hello|hey|dear|good (?:morning|day)|hallo|guten (?:tag|morgen)|sehr geehrte|liebes?|moin|bonjour|hola|buenos días"
    r"|ciao|salve|buongiorno|olá|hej|hei|dzień dobry|здравствуйте|您好|你好)\b.{0,40}",
    re.I,
)
_QUOTED = late(r"\s*(?:>|[-_*]{3})")
_UNSEEN = late(r"<(?:!--|(?:style|title|script)\b)[^<]*", re.I)
_BREAK = late(r"</?(?:div|p|br|tr|td|li|blockquote|hr|h\d)\b[^<>]*>", re.I)
_TAG = late(r"<[^<>]*>")


# A wish is shorter than that, and so is a greeting.
_MOST_CHARS = 120


def subject_asks(subject: str) -> bool:
    """Does a subject, behind any "Re:", ask for no more mail?"""
    answers = _ANSWERS.match(subject)
    bare = subject[answers.end() :] if answers else subject
    return bool(_UNSUBSCRIBE.match(bare)) or _asks(bare)


def text_asks(text: str, is_html: bool) -> bool:
    """Does the first line of a text, behind a greeting, ask for no more mail?"""
    return _asks(_first_line(_lines(text) if is_html else text))


def _asks(line: str) -> bool:
    return len(line) <= _MOST_CHARS and bool(_ASKS.fullmatch(line) or _ASKS_ALONE.fullmatch(line))


def _lines(markup: str) -> str:
    """The text of a page, a line for each block of it."""
    return html.unescape(_TAG.sub(" ", _BREAK.sub("\n", _UNSEEN.sub(" ", markup))))


def _first_line(text: str) -> str:
    """What a person says first, "" where that is a quotation, or nothing."""
    said = [" ".join(line.split()) for line in text[:4000].splitlines() if line.strip()][:2]
    if len(said) > 1 and _GREETING.fullmatch(said[0][:_MOST_CHARS]):
        said = said[1:]
    return said[0] if said and not _QUOTED.match(said[0]) else ""
