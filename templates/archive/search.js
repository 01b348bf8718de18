// Searches an archive on a host that only hands out files. It finds what digest/searching.py does, by the same rules and names
// (tests/search_cases.json holds both), and reads no other file than the index beside it.
"use strict";
(() => {
const MAX_CHARS = 500, MAX_TERMS = 32, SNIPPET_CHARS = 240, SHOWN_AUTHORS = 3;
const AT_ONCE = 4, HITS = 50, PARTS = 20; // parts read at once, and after how many papers or parts it asks before it goes on

// ---- letters

const BARE = new Map([["ς", "σ"], ["ø", "o"], ["ł", "l"], ["đ", "d"], ["ħ", "h"], ["ŧ", "t"], ["æ", "ae"], ["œ", "oe"]]);
const VOICED = "\u3099\u309a";
const SINGLE = new RegExp("[\\u1100-\\u11ff\\u2e80-\\u2fdf\\u3005-\\u3007\\u3021-\\u3029\\u3031-\\u318f\\u31a0-\\u31bf\\u31f0-\\u31ff"
  + "\\u3400-\\u4dbf\\u4e00-\\u9fff\\ua960-\\ua97f\\uac00-\\ud7ff\\uf900-\\ufaff\\u{1b000}-\\u{1b16f}\\u{20000}-\\u{3ffff}]", "u");
const folds = new Map(), joined = new Map();

const withoutMarks = (text, kept) => [...text].filter(c => kept.includes(c) || !/\p{M}/u.test(c)).join("");
const spaced = c => !/[\p{L}\p{N}]/u.test(c) ? " " : SINGLE.test(c) ? ` ${c} ` : c;
const casefold = text => [...text].map(c => c === "ı" ? c : cased(c)).join("");
const cased = text => text.toLowerCase().toUpperCase().toLowerCase();

function fold(c) {
  let known = folds.get(c);
  if (known === undefined) {
    const bare = [...cased(withoutMarks(c.normalize("NFKD"), VOICED))].map(x => BARE.get(x) ?? x).join("");
    known = [...withoutMarks(bare.normalize("NFC"), "")].map(spaced).join("");
    folds.set(c, known);
  }
  return known;
}

// Does a character belong to the letter before it?
function joins(c) {
  let known = joined.get(c);
  if (known === undefined) {
    const [first] = c.normalize("NFKD");
    known = /\p{M}/u.test(first) || ("\u1160" <= first && first <= "\u11ff");
    joined.set(c, known);
  }
  return known;
}

const isAscii = text => /^[\x00-\x7f]*$/.test(text);
const tokens = text => (text.match(/[A-Za-z0-9\u0080-\uffff]+/g) ?? []).flatMap(run =>
  isAscii(run) ? [run.toLowerCase()] : spans([...run]).map(span => span.token));

// The tokens of a text, given as its characters, and where they stand in it.
function spans(letters) {
  const found = [];
  for (let at = 0, stop; at < letters.length; at = stop) {
    for (stop = at; stop < letters.length && /[A-Za-z0-9]|[^\x00-\x7f]/.test(letters[stop]);) stop += 1;
    const run = letters.slice(at, stop).join("");
    if (stop === at) stop += 1;
    else if (isAscii(run)) found.push({token: run.toLowerCase(), start: at, end: stop});
    else otherSpans(letters, at, stop, found);
  }
  return found;
}

function otherSpans(letters, from, to, found) {
  let word = "", start = 0, end = 0;
  for (let at = from, stop; at < to; at = stop) {
    for (stop = at + 1; stop < to && joins(letters[stop]);) stop += 1;
    const folded = [...letters.slice(at, stop).join("").normalize("NFKC")].map(fold).join("");
    for (const part of folded.match(/ +|[^ ]+/g) ?? []) {
      if (part[0] !== " ") {
        if (!word) start = at;
        word += part;
        end = stop;
      } else if (word) {
        found.push({token: word, start, end});
        word = "";
      }
    }
  }
  if (word) found.push({token: word, start, end});
}

// The name of a topic or category in addresses; of a long one without the hash at its end.
function slugOf(name) {
  const folded = casefold(name.normalize("NFKC")).normalize("NFC");
  const bare = folded.replace(/[^\p{L}\p{N}_.]+/gu, "-").replace(/-*\.+(?=-|$)|(?<![^-])\.+/g, "-");
  return bare.replace(/-{2,}/g, "-").replace(/^[-._]+|[-._]+$/g, "");
}

// ---- the language

class Refused extends Error {}
const BLANK = /[\x00-\x20\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]/g;
const TERM = /(-?)(?:(author|category|topic|title|date):)?(?:"([^"]*)(?:"(\*?)|$)|([^ "]*))/iy;
const EXAMPLES = {
  author: 'Write author:fenwick or author:"Ada Fenwick".',
  category: "Write category:cs.CL.",
  topic: 'Write topic:vision or topic:"Language models".',
  title: "Write title:charts.",
  date: "Write date:2026, date:2026-11-19 or date:2026-11-01..2026-11-19.",
};
const TOO_LONG = `the search is longer than ${MAX_CHARS} characters. Leave some words out.`;

// What a search looks for: {terms, since, until, text}. Throws Refused, with the mend.
function parse(text) {
  if ([...text].length > MAX_CHARS) throw new Refused(TOO_LONG);
  const plain = text.normalize("NFKC").replace(/[“”„‟″«»]/g, '"').replace(BLANK, " ");
  const terms = new Map();
  let since = "", until = "";
  for (let at = 0; at < plain.length;) {
    TERM.lastIndex = at;
    const [whole, minus, named, phrase, star, word] = TERM.exec(plain);
    at = Math.max(at + whole.length, at + 1);
    const field = (named ?? "").toLowerCase(), value = phrase ?? word ?? "";
    if (field && !value.trim()) throw new Refused(`"${field}:" has nothing after it. ${EXAMPLES[field]}`);
    if (field === "date") {
      const [first, last] = days(value, minus);
      if (first > since) since = first;
      if (last && (!until || last < until)) until = last;
      continue;
    }
    const term = termOf(field, value, Boolean(star) || (phrase === undefined && value.endsWith("*")), Boolean(minus));
    if (term && !terms.has(term.key)) terms.set(term.key, term);
  }
  return checked([...terms.values()], since, until);
}

function termOf(field, value, prefix, negated) {
  const words = tokens(value), named = field === "category" || field === "topic", start = value.replace(/\*+$/, "");
  let slug = named ? slugOf(start) : "";
  if (!words.length || (named && !slug)) return null;
  const long = [...slug].length > 60;
  prefix &&= !long;
  if (named && prefix && start.endsWith(".")) slug += ".";
  const bare = long ? casefold(start).split(" ").filter(Boolean).join(" ") : slug;
  const said = named ? `"${bare}"` : words.length > 1 ? `"${words.join(" ")}"` : words[0];
  const key = `${negated ? "-" : ""}${field ? `${field}:` : ""}${said}${prefix ? "*" : ""}`;
  return {field, words, prefix, negated, slug, key};
}

function checked(terms, since, until) {
  if (terms.length > MAX_TERMS) throw new Refused(`the search has more than ${MAX_TERMS} words and phrases. Leave some out.`);
  if (since && until && since > until)
    throw new Refused(`the search ends on ${until}, before it begins on ${since}. Turn the dates around.`);
  if (!since && !until && terms.every(term => term.negated))
    throw new Refused(terms.length ? "the search only says what to leave out. Add a word to look for."
      : "the search has no word to look for. Write one, such as a name or a word of a title.");
  const said = terms.map(term => term.key);
  if (since || until) said.push(`date:${since === until ? since : `${since}..${until}`}`);
  const text = said.join(" ");
  if ([...text].length > MAX_CHARS) throw new Refused(TOO_LONG);
  return {terms, since, until, text};
}

function days(value, minus) {
  if (minus)
    throw new Refused("dates cannot be left out. Name those to look at, such as date:..2025 or date:2026-11-01...");
  const bare = value.trim(), at = bare.indexOf("..");
  const first = at < 0 ? bare : bare.slice(0, at), last = at < 0 ? "" : bare.slice(at + 2);
  if (!first && !last) throw new Refused(`"date:${value}" names no date. ${EXAMPLES.date}`);
  return [first && day(first, false), last || at < 0 ? day(at < 0 ? first : last, true) : ""];
}

function day(text, isLast) {
  const found = /^([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?$/.exec(text);
  const year = Number(found?.[1]), month = found?.[2] ?? (isLast ? "12" : "01");
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const length = [0, 31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][Number(month)];
  const date = found?.[3] ?? (isLast ? String(length) : "01");
  if (!found || !year || !length || date < "01" || Number(date) > length)
    throw new Refused(`"${text}" is no date. ${EXAMPLES.date}`);
  return `${found[1]}-${month}-${date}`;
}

// ---- papers

// Does the search find this paper of the index?
function matches(query, paper) {
  if ((query.since && paper.date < query.since) || (query.until && paper.date > query.until)) return false;
  const names = once(() => (paper.authors ?? []).map(tokens));
  const texts = [() => tokens(paper.title ?? ""), () => names().flat(), () => tokens(paper.abstract ?? "")].map(once);
  return query.terms.every(term => has(term, paper, names, texts) !== term.negated);
}

// Made when it is first needed: most papers are ruled out by less.
function once(make) {
  let made;
  return () => made ??= make();
}

function has(term, paper, names, texts) {
  if (term.slug) {
    const slugs = (term.field === "topic" ? paper.topics : paper.categories) ?? [];
    if (term.prefix) return slugs.some(slug => slug.startsWith(term.slug));
    if ([...term.slug].length <= 60) return slugs.includes(term.slug);
    const start = [...term.slug].slice(0, 60).join("").replace(/[-._]+$/, "");
    return slugs.some(slug => [...slug].length > 60 && slug.startsWith(`${start}-`));
  }
  if (term.field === "author")
    return names().some(name => term.words.every((word, n) =>
      term.prefix && n === term.words.length - 1 ? name.some(token => token.startsWith(word)) : name.includes(word)));
  return texts.slice(0, term.field === "title" ? 1 : 3).some(text => places(text(), term, 1).length);
}

// Where the words of a term stand in a row; at most so many places.
function places(text, term, most = Infinity) {
  const found = [], length = term.words.length, last = term.words[length - 1];
  for (let at = 0; at + length <= text.length && found.length < most; at += 1) {
    const end = text[at + length - 1];
    if ((term.prefix ? end.startsWith(last) : end === last) && term.words.slice(0, -1).every((word, n) => text[at + n] === word))
      found.push(at);
  }
  return found;
}

// ---- marks

// The text in pieces, [text, found]; where it is longer than `width`, the part around the first find.
function pieces(text, query, field = "", width = 0) {
  const letters = [...text], all = spans(letters), marked = marks(all, query, field);
  const [start, end] = width && letters.length > width ? window_(letters, all, marked, width) : [0, letters.length];
  const found = start ? [["…", false]] : [];
  const cut = (from, to) => letters.slice(from, to).join("");
  let at = start;
  for (const [first, last] of marked) {
    if (first >= start && last <= end) {
      found.push([cut(at, first), false], [cut(first, last), true]);
      at = last;
    }
  }
  found.push([cut(at, end), false], [end < letters.length ? "…" : "", false]);
  return found.filter(([piece]) => piece).reduce((all, [piece, mark]) => {
    const before = all[all.length - 1];
    if (before && before[1] === mark) before[0] += piece;
    else all.push([piece, mark]);
    return all;
  }, []);
}

function marks(all, query, field) {
  const words = all.map(span => span.token), found = [];
  for (const term of query.terms) {
    if (term.negated || (term.field !== "" && term.field !== field)) continue;
    const apart = term.words.map((word, n) => ({words: [word], prefix: term.prefix && n === term.words.length - 1}));
    for (const one of term.field === "author" ? apart : [term])
      for (const at of places(words, one)) found.push([all[at].start, all[at + one.words.length - 1].end]);
  }
  found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return found.reduce((apart, [start, end]) => {
    const before = apart[apart.length - 1];
    if (before && start < before[1]) before[1] = Math.max(end, before[1]);
    else apart.push([start, end]);
    return apart;
  }, []);
}

function window_(letters, all, marked, width) {
  const [first, last] = marked[0] ?? [0, 0];
  const wanted = last <= width ? 0 : Math.min(first - Math.floor(width / 3), letters.length - width);
  const start = wanted > 0 ? all.find(span => span.start >= wanted)?.start ?? 0 : 0;
  if (start + width >= letters.length) return [start, letters.length];
  const ends = all.map(span => span.end).filter((end, n) => all[n].end > start && end <= Math.max(start + width, last));
  if (ends.length) return [start, ends[ends.length - 1]];
  let end = start + width;
  while (end > 0 && joins(letters[end])) end -= 1;
  return [start, end];
}

function snippet(paper, query) {
  const found = pieces(paper.gist ?? "", query);
  if (found.some(([, mark]) => mark)) return found;
  const cut = pieces(paper.abstract ?? "", query, "", SNIPPET_CHARS);
  return cut.some(([, mark]) => mark) || !found.length ? cut : found;
}

// The first names; and those that were looked for.
function authors(paper, query) {
  const names = (paper.authors ?? []).map(name => isAscii(name) ? name : `\u2068${name}\u2069`);
  const shown = names.slice(0, SHOWN_AUTHORS);
  const wanted = names.slice(SHOWN_AUTHORS).filter(name => pieces(name, query, "author").some(([, mark]) => mark));
  shown.push(...wanted.slice(0, SHOWN_AUTHORS));
  const more = names.length - shown.length;
  return [...pieces(shown.join(", "), query, "author"), ...(more ? [[` and ${more} more`, false]] : [])];
}

globalThis.digestSearch = {tokens, parse, matches, pieces};

// ---- the page

const script = document.currentScript;
for (const form of document.querySelectorAll("form[data-search]")) form.hidden = false;
const results = document.getElementById("results"), status = document.getElementById("status");
const earlier = document.getElementById("earlier");
const asked = new URLSearchParams(location.search).get("q") ?? "";
if (!script || !results || !status || !earlier || !asked.trim()) return;

const input = document.querySelector("main form[data-search] input");
const folder = new URL(".", script.src), root = new URL("..", folder);
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
  "December"];

const counted = number => `${number.toLocaleString("en")} paper${number === 1 ? "" : "s"}`;
function dateWords(date) {
  const at = new Date(`${date}T00:00:00Z`);
  return `${WEEKDAYS[at.getUTCDay()]}, ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
}

function say(text) {
  status.textContent = text;
  document.getElementById("found").hidden = false;
}

function node(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function link(href, ...children) {
  const made = node("a", "", ...children);
  made.href = href;
  return made;
}

const marked = found => found.map(([text, mark]) => mark ? node("mark", "", text) : text);

function row(paper, query) {
  const place = new URL(paper.place, root).href;
  const source = /^https?:\/\//i.test(paper.url ?? "") ? paper.url : place;
  const facts = marked(authors(paper, query));
  if (paper.organization) facts.push(facts.length ? " · " : "", paper.organization);
  const made = node("article", "row",
    node("h3", "", link(source, node("bdi", "", ...marked(pieces(paper.title || "(untitled)", query, "title"))))));
  const text = marked(snippet(paper, query));
  if (text.length) made.append(node("p", "", ...text));
  if (facts.length) made.append(node("p", "m", ...facts));
  const links = node("div", "act", link(place, dateWords(paper.date)));
  if (paper.record) links.append(" ", link(new URL(paper.record, root).href, "Cite it, and its history"));
  made.append(links);
  return made;
}

async function read(file) {
  const answer = await fetch(new URL(file, folder), {credentials: "omit"});
  if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
  return answer.json();
}

// A part that cannot be read now (a copy that is not complete yet) keeps nobody from the others.
const readPart = number => read(`${String(number).padStart(4, "0")}.json`).catch(() => null);

// The newest parts first. Papers that were found and not shown yet wait in `found`.
class Search {
  constructor(query, parts) {
    this.query = query;
    this.next = parts;
    this.found = [];
    this.shown = 0;
    this.missing = 0;
  }

  async more() {
    earlier.hidden = true;
    const last = this.shown + HITS, until = Math.max(0, this.next - PARTS);
    this.show(last);
    while (this.next > until && this.shown < last) {
      say(`${this.shown ? `${counted(this.shown)} so far. ` : ""}Searching…`);
      const numbers = Array.from({length: Math.min(AT_ONCE, this.next - until)}, (_, n) => this.next - n);
      const parts = await Promise.all(numbers.map(readPart));
      this.next -= numbers.length;
      for (const part of parts) {
        if (!part) this.missing += 1;
        const newest = (part?.papers ?? []).filter(paper => matches(this.query, paper));
        newest.sort((a, b) => a.date < b.date ? 1 : a.date > b.date ? -1 : 0);
        this.found.push(...newest);
        this.show(last);
      }
    }
    const rest = this.next > 0 || this.found.length > 0;
    earlier.hidden = !rest;
    say(rest ? `${this.shown ? counted(this.shown) : "No paper"} so far, in the newer part of the archive.`
      : this.shown ? `${counted(this.shown)}.` : "No paper found. Try fewer words, or a beginning with a star: transform*");
    if (this.missing)
      status.textContent += ` ${this.missing} part${this.missing === 1 ? "" : "s"} of the archive could not be read; try again later.`;
  }

  show(last) {
    const some = this.found.splice(0, last - this.shown);
    results.append(...some.map(paper => row(paper, this.query)));
    this.shown += some.length;
  }
}

function refuse(error) {
  const said = node("p", "err", error.message[0].toUpperCase() + error.message.slice(1));
  said.id = "q-error";
  said.setAttribute("role", "alert");
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", said.id);
  input.form.append(said);
}

// A page that was opened as a file may not read other files.
const trouble = error => say(location.protocol === "file:"
  ? "A browser does not let a page read the index when both are opened as files. Put the folder on a web server, such as "
    + "`python3 -m http.server`; the lists below work as they are."
  : `The index could not be read (${error.message}). Please try again later.`);

async function start() {
  input.value = asked;
  let query;
  try {
    query = parse(asked);
  } catch (error) {
    if (error instanceof Refused) return refuse(error);
    throw error;
  }
  document.title = document.title.replace(/^[^:]*/, () => query.text);
  try {
    const index = await read("index.json");
    const search = new Search(query, index.chunks);
    earlier.addEventListener("click", () => search.more().catch(trouble));
    await search.more();
  } catch (error) {
    trouble(error);
  }
}

start();
})();
