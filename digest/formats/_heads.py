"""By feedgen: `make heads` writes this file (heads.py)."""

# ruff: noqa: E501
RSS_HEAD = """\
<?xml version='1.0' encoding='UTF-8'?>
<?xml-stylesheet type="text/css" href="%(style)s"?>
<rss xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0">
  <channel>
    <title>%(title)s</title>
    <link>%(home)s</link>
    <description>%(about)s</description>
    <atom:link href="%(own)s" rel="self" type="application/rss+xml"/>
%(more)s    <docs>http://www.rssboard.org/rss-specification</docs>
    <generator>digest</generator>
    <language>%(language)s</language>
    <lastBuildDate>%(updated)s</lastBuildDate>
"""
RSS_TAIL = b"""\
  </channel>
</rss>
"""
ATOM_HEAD = """\
<?xml version='1.0' encoding='UTF-8'?>
<?xml-stylesheet type="text/css" href="%(style)s"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="%(language)s">
  <id>%(id)s</id>
  <title>%(title)s</title>
  <updated>%(updated)s</updated>
  <author>
    <name>%(author)s</name>
  </author>
  <link href="%(own)s" rel="self" type="application/atom+xml"/>
  <link href="%(home)s" rel="alternate" type="text/html"/>
%(more)s  <generator>digest</generator>
  <subtitle>%(about)s</subtitle>
"""
ATOM_TAIL = b"""\
</feed>
"""
