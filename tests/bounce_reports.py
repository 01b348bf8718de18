"""Mails that come back, of our own making: delivery status notifications as ten mail systems write them, with ten outcomes each,
and notes of readers who are away, in fifteen languages."""

from __future__ import annotations

import quopri
from base64 import encodebytes
from dataclasses import dataclass

RECIPIENT = "reader@example.net"
ADDRESS = "bounces@papers.example.org"


@dataclass(frozen=True)
class End:
    """What became of a mail: as a delivery status says it, and as it is to be read."""

    action: str
    status: str
    diagnostic: str
    permanent: bool
    read_as: str = ""

    @property
    def expected(self) -> str:
        return self.read_as or self.status


ENDS = [
    End("failed", "5.1.1", "smtp; 550 5.1.1 <reader@example.net>: user unknown", True),
    End("failed", "5.1.10", "smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", True),
    End("failed", "5.2.1", "smtp; 550 5.2.1 the mailbox is disabled", True),
    End("failed", "5.2.2", "smtp; 552 5.2.2 mailbox is full, over quota", True),
    End("failed", "5.7.1", "smtp; 554 5.7.1 blocked by our policy", True),
    End("failed", "5.0.0", "smtp; 550 5.1.1 no such user here", True, "5.1.1"),
    End("failed", "4.4.7", "smtp; 451 4.4.7 message expired after 5 days", True),
    End("failed", "5.4.4", "dns; host not found", True),
    End("delayed", "4.4.1", "smtp; 421 4.4.1 connection timed out", False),
    End("delayed", "4.2.2", "smtp; 452 4.2.2 mailbox full, try later", False),
]


@dataclass(frozen=True)
class System:
    """How one mail system writes its notices. `token` is where the token is to be found: "to", another header of the notice, the
    "original" (in its encoding), or only the unsubscribe "link" in it."""

    name: str
    notice: str
    charset: str = "utf-8"
    encoding: str = "8bit"
    token: str = "to"
    original: str = "message/rfc822"
    original_encoding: str = "7bit"
    status_encoding: str = "7bit"
    recipient: str = "Final-Recipient: rfc822; reader@example.net"
    sender: str = "MAILER-DAEMON@mx.example.net (Mail Delivery System)"
    subject: str = "Undelivered Mail Returned to Sender"
    extra: str = ""
    comment: str = ""
    eol: str = "\r\n"


SYSTEMS = [
    System(
        "postfix",
        "I'm sorry to have to inform you that your message could not\nbe delivered.",
        extra="Auto-Submitted: auto-replied\n",
    ),
    System(
        "exim",
        "A message that you sent could not be delivered to one or more of its\nrecipients.",
        token="Envelope-to",
        extra="Auto-Submitted: auto-replied\nX-Exim: yes\n",
        eol="\n",
    ),
    System(
        "sendmail",
        "   ----- Transcript of session follows -----",
        original="text/rfc822-headers",
        token="original",
        comment=" (see below)",
    ),
    System(
        "exchange",
        "Fehler bei der Nachrichtenzustellung an folgende Empfänger: sie wurden nicht gefunden.",
        charset="iso-8859-1",
        encoding="quoted-printable",
        token="Delivered-To",
        sender='"Microsoft Exchange" <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>',
        subject="=?iso-8859-1?Q?Unzustellbar=3A_Ihre_Nachricht?=",
        extra="X-Auto-Response-Suppress: All\n",
    ),
    System(
        "courier",
        "Письмо не доставлено: нет такого пользователя.",
        charset="koi8-r",
        encoding="8bit",
        token="original",
        original_encoding="quoted-printable",
    ),
    System(
        "gmail",
        "Votre message n'a pas été remis : l'adresse est introuvable.",
        encoding="base64",
        token="original",
        original_encoding="base64",
    ),
    System(
        "opensmtpd",
        "メールを配送できませんでした。",
        charset="iso-2022-jp",
        encoding="7bit",
        token="link",
        recipient="Final-Recipient: rfc822; <reader@example.net>",
    ),
    System(
        "global",
        "No se pudo entregar el mensaje.",
        token="link",
        original_encoding="quoted-printable",
        recipient="Original-Recipient: utf-8; reader@example.net\nFinal-Recipient: utf-8; réader@example.net",
    ),
    System(
        "encoded",
        "Doručení zprávy se nezdařilo.",
        charset="iso-8859-2",
        encoding="quoted-printable",
        status_encoding="base64",
        token="X-Original-To",
        sender="postmaster@example.net",
    ),
    System(
        "gateway",
        "邮件无法投递",
        charset="gb18030",
        encoding="base64",
        token="link",
        original_encoding="base64",
        recipient="Original-Recipient: rfc822;reader@example.net\nFinal-Recipient: X400; /S=reader/",
    ),
]


def _encode(text: str, charset: str, encoding: str) -> bytes:
    data = text.encode(charset)
    if encoding == "base64":
        return encodebytes(data)
    return quopri.encodestring(data) + b"\n" if encoding == "quoted-printable" else data + b"\n"


def returned(token: str, link: str, *, with_path: bool) -> str:
    """The mail that comes back, as we sent it. `with_path`: some relays keep its Return-Path, some do not."""
    path = f"Return-Path: <bounces+{token}@papers.example.org>\n" if with_path else ""
    return (
        f"{path}From: Paper Digest <digest@papers.example.org>\nTo: {RECIPIENT}\nSubject: 3 new papers\n"
        f"List-Unsubscribe: <https://papers.example.org/unsubscribe/?t={link}>\nMIME-Version: 1.0\n\nThree papers, élan.\n"
    )


def notification(system: System, end: End, *, token: str, link: str, to: str = RECIPIENT) -> bytes:
    """One delivery status notification (RFC 3464) of a mail to this address with these two tokens."""
    address = ADDRESS.replace("@", f"+{token}@")
    in_header = system.token not in ("original", "link")
    named = system.token not in ("to", "original", "link")
    head = (
        "Return-Path: <>\n"
        + (f"{system.token}: {address}\n" if named else "")
        + f"From: {system.sender}\nTo: {address if in_header and not named else 'undisclosed-recipients:;'}\n"
        + f"Subject: {system.subject}\n{system.extra}MIME-Version: 1.0\n"
        + 'Content-Type: multipart/report; report-type=delivery-status;\n boundary="=_b"\n'
    )
    status = (
        f"Reporting-MTA: dns; mx.example.net\nArrival-Date: Sat, 21 Nov 2026 07:00:00 +0000\n\n{system.recipient}\n"
        f"Action: {end.action}{system.comment}\nStatus: {end.status}{system.comment}\nDiagnostic-Code: {end.diagnostic}\n"
    ).replace(RECIPIENT, to)
    kind = "message/global-delivery-status" if system.name == "global" else "message/delivery-status"
    original = returned(token, link, with_path=system.token == "original")
    parts = [
        (f"text/plain; charset={system.charset}", system.encoding, _encode(system.notice, system.charset, system.encoding)),
        (kind, system.status_encoding, _encode(status, "utf-8", system.status_encoding)),
        (system.original, system.original_encoding, _encode(original, "utf-8", system.original_encoding)),
    ]  # fmt: skip
    body = b"".join(
        f"--=_b\nContent-Type: {of}\nContent-Transfer-Encoding: {encoding}\n\n".encode() + data + b"\n"
        for of, encoding, data in parts
    )
    whole = head.encode() + b"\n" + body + b"--=_b--\n"
    return whole.replace(b"\r\n", b"\n").replace(b"\n", system.eol.encode())


# ------------------------------------------------------------------ notes of readers who are away

# Subject, header of its own, text. Half of them can be known by the subject alone, half by their headers alone.
_AWAY = [
    (
        "Automatic reply: 3 new papers",
        "X-Auto-Response-Suppress: All",
        "I am out of the office until Monday.",
    ),
    ("Out of Office: 3 new papers", "", "I am travelling. Your message\nwas delivered to my mailbox."),
    ("Out of the office Re: 3 new papers", "Precedence: auto_reply", "Back on Monday."),
    ("Auto: 3 new papers", "Auto-Submitted: auto-replied", "Back on Monday."),
    ("I am on vacation", "X-Autoreply: yes", "The following address is not read: mine."),
    (
        "Re: 3 new papers",
        "Auto-Submitted: auto-replied (vacation)",
        "Unable to deliver an answer before May.",
    ),
    ("Re: 3 new papers", "X-Autorespond: 3 new papers", "This mailbox is full of holiday."),
    ("Re: 3 new papers", "Precedence: auto-reply", "550 5.1.1 is what you would get."),
    ("Automatische Antwort: 3 new papers", "", "Ich bin nicht im Büro."),
    ("Abwesenheitsnotiz", "", "Ich bin bis Montag nicht erreichbar."),
    ("Abwesend: 3 new papers", "Auto-Submitted: auto-replied", "Im Urlaub."),
    ("Réponse automatique : 3 new papers", "", "Je suis absente du bureau."),
    ("Absence du bureau", "", "De retour lundi."),
    ("Respuesta automática: 3 new papers", "", "Estoy fuera de la oficina."),
    ("Fuera de la oficina", "", "Vuelvo el lunes."),
    ("Resposta automática: 3 new papers", "", "Estou de férias."),
    ("Risposta automatica: 3 new papers", "", "Sono fuori ufficio."),
    ("Automatisch antwoord: 3 new papers", "", "Ik ben afwezig."),
    ("Autosvar: 3 new papers", "", "Jag är borta."),
    ("Automaattinen vastaus: 3 new papers", "", "Olen lomalla."),
    ("Odpowiedź automatyczna: 3 new papers", "", "Jestem nieobecna."),
    ("Automatická odpověď: 3 new papers", "", "Jsem mimo kancelář."),
    ("Automatikus válasz: 3 new papers", "", "Szabadságon vagyok."),
    ("Otomatik yanıt: 3 new papers", "", "Ofis dışındayım."),
    ("Автоматический ответ: 3 new papers", "", "Я в отпуске."),
    ("Αυτόματη απάντηση: 3 new papers", "", "Λείπω από το γραφείο."),
    ("自動返信: 3 new papers", "", "不在にしております。"),
    ("自动回复：3 new papers", "", "我不在办公室。"),
    ("자동 회신: 3 new papers", "", "부재중입니다."),
    (
        "Read: 3 new papers",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
        "--x\n\nIt was read.\n--x--",
    ),
]


def away_notes(token: str) -> list[bytes]:
    """Thirty notes to the address that carries this token; their subjects encoded as mail programs do."""
    from email.header import Header

    return [
        (
            f"Return-Path: <>\nFrom: A Reader <{RECIPIENT}>\nTo: bounces+{token}@papers.example.org\n"
            f"Subject: {Header(subject, 'utf-8').encode() if not subject.isascii() else subject}\n"
            + (f"{extra}\n" if extra else "")
            + f"\n{text}\n"
        ).encode()
        for subject, extra, text in _AWAY
    ]
