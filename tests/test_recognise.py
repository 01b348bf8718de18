"""What a page is, told by its content; and what is said of a page that is no listing."""

from __future__ import annotations

import pytest

from digest.errors import ParseError
from digest.model import Listing
from digest.sources import recognise

KNOWN = {
    '{"messages":[{"status":"no posts found"}],"collection":[]}': "venue",
    "[]": "huggingface",
    '\ufeff [ {"paper": {}} ]': "huggingface",
    "<div data-target=DailyPapers data-props='{}'></div>": "huggingface",
    '<html><title>Weekly Papers - Hugging Face</title><a href="/papers/2611.00001">T</a>': "huggingface",
    '<html><title>Papers</title><h1>Monthly Papers</h1><a href="/papers/2611.00001">T</a>': "huggingface",
    '<rss version="2.0"><channel/></rss>': "feed",
    '<!-- a remark --> <!DOCTYPE rss [<!ENTITY a "b">]> <rss/>': "feed",
    '<?xml version="1.0"?><?xml-stylesheet href="a.xsl"?><a:feed xmlns:a="http://www.w3.org/2005/Atom"/>': "feed",
    'noise <?xml version="1.0"?><rss version="2.0"/>': "feed",
    '<entry xmlns="http://www.w3.org/2005/Atom"/>': "feed",
    "<?xml version='1.0'?><a:entry xmlns:a='http://purl.org/atom/ns#'/>": "feed",
    '{"version": "https:\\/\\/jsonfeed.org\\/version\\/1", "items": []}': "feed",
    '<rss version="2.0"><channel><title>cs.CL updates on arXiv.org</title></channel></rss>': "arxiv",
    "<html><body><div id=dlpage></div>": "arxiv",
    '<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:id>https://arxiv.org/api/x</a:id></a:feed>': "arxiv",
    '<feed xmlns="http://www.w3.org/2005/Atom"><title type="html"><![CDATA[arXiv Query: x]]></title></feed>': "arxiv",
    '<feed xmlns="http://www.w3.org/2005/Atom"><id>http://arxiv.org/api/x</id></feed>': "arxiv",
    "<html><title>Search | arXiv e-print repository</title>": "arxiv-search",
    "<ol><li id=x class='arxiv-result'>": "arxiv-search",
    '<html><title class="x">Search | arXiv e-print repository</title>': "arxiv-search",
    '<?xml version="1.0"?><OAI-PMH/>': "oai",
    "<record><header><identifier>oai:arXiv.org:x</identifier></header></record>": "oai",
    "Hello\n\\\\\narXiv:2611.00001\n": "arxiv-mail",
    "From: x@example.org\n\n\\\\\nPaper (*cross-listing*): gr-qc/9301002\n": "arxiv-mail",
    "New submissions\n [1]  arXiv:2611.00001 [pdf]\nTitle: T": "arxiv-dump",
    "[1] arXiv:2611.00001 [pdf]\nTitle: T": "arxiv-dump",
    "[1]Skip\n\n [1] [2]arXiv:2611.00001 [[3]pdf]\n Title: T\n\nReferences\n\n 1. https://x.example/": "arxiv-dump",
    "[![logo](/l.png)](/)\n\n[1] [arXiv:2611.00001](/abs/2611.00001) [[pdf](/pdf/2611.00001)]\nTitle: T": "arxiv-dump",
    "Get trending papers in your email inbox!\nSubscribeA Title": "saved",
}  # fmt: skip

UNKNOWN = {
    "": "empty",
    "  \n": "empty",
    "<html><title>Sign in</title></html>": "login",
    "<!doctype html><title>News</title>": '"News"',
    "<!doctype html><title>Ponds Conference</title><ul class=papers>": 'by CSS selectors (kind = "selectors"',
    '<html><link rel="alternate" type="application/rss+xml" href="/a.xml">': "a feed: https://j.example/a.xml. Give that address",
    '<?xml version="1.0"?><something/>': "<something>",
    '<?xml version="1.0"?><entry xmlns="http://proteins.example/"/>': "<entry>",
    '{"error": "rate limited"}': "rate limited",
    '{"name": "carps/counter", "authors": [{"name": "Ada Okoye"}]}': "this is JSON",
    "just a few words": "text without",
}


@pytest.mark.parametrize("page", KNOWN)
def test_the_kind_follows_from_the_content(page: str) -> None:
    assert recognise(Listing(location="any", body=page.encode())) == KNOWN[page]


@pytest.mark.parametrize("page", UNKNOWN)
def test_what_is_no_listing_is_named_with_its_mend(page: str) -> None:
    with pytest.raises(ParseError) as caught:
        recognise(Listing(location="page.x", body=page.encode(), base_url="https://j.example/volume/9/"))
    message = str(caught.value)
    assert UNKNOWN[page] in message
    assert message.startswith("page.x: ")
    assert message.count(". ") >= 1, "what, and then what to do"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-8-sig", "utf-32"])
def test_a_wide_encoding_hides_nothing(encoding: str) -> None:
    page = '<?xml version="1.0"?><rss version="2.0"><channel><title>t</title></channel></rss>'
    assert recognise(Listing(location="any", body=page.encode(encoding))) == "feed"
