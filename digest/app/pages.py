"""The part of App that publishes: what is written and copied, and what was."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from digest.app.edges import Edges
from digest.errors import UsageError
from digest.model import Edition, PublishReport
from digest.website import Website


class Pages(Edges):
    """What App does with pages."""

    def rebuild(self) -> PublishReport:
        """Rewrites `site.output` from the store: every page of every edition, then the feeds."""
        with self.alone():
            return self.publish(everything=True)

    def publish(self, *, everything: bool = False, dry_run: bool = False) -> PublishReport:
        """Writes what is to be published, copies it to the [[publish]] targets and tells the hub. Raises PublishError and
        RenderError for our own folder; what fails elsewhere is in the report."""
        from digest.pipeline.elsewhere import send_elsewhere
        from digest.pipeline.publish import publish

        website = Website(self.config.resolve(self.config.site.output), dry_run=dry_run)
        report = publish(
            self.config, self.store, self.renderer, website, everything=everything, done=self.renew_in_time
        )
        self.renew()
        if dry_run:
            return report
        return send_elsewhere(
            self.config,
            website,
            report,
            user_agent=self.user_agent,
            title=self._newest_title(),
            done=self.renew,
        )

    def outdated(self) -> dict[str, tuple[str, ...]]:
        """The settings that pages written before still show as they were, by digest."""
        from digest.pipeline.looks import outdated

        return outdated(self.config, self.store, self.renderer)

    def _newest_title(self) -> str:
        heads = [head for digest in self.config.digest for head in self.store.edition_heads(digest.name)]
        return f"edition {max(heads, key=lambda head: head.date).id}" if heads and self.config.publish else ""

    def preview(self, out: Path, *, day: date | None = None) -> tuple[Edition, PublishReport]:
        """Mail, text and pages of an edition (the newest, or that of `day`) written below `out`; nothing else is touched."""
        from digest.pipeline.publish import AllThere, digest_pages, index

        edition = self.newest_edition(day)
        digest = self.config.digest_named(edition.digest)
        index(self.config, self.store)
        pages = digest_pages(digest, self.config, self.store, self.renderer, [edition], published=AllThere())
        return edition, Website(out).write(pages)

    def newest_edition(self, day: date | None = None) -> Edition:
        """The newest edition of any digest, or the newest part of a day's. Raises UsageError where there is none."""
        found: list[Edition] = []
        for digest in self.config.digest:
            if day is None:
                found += self.store.latest_editions(digest.name, limit=1)
            else:
                part = self.store.next_part(digest.name, day) - 1
                edition = self.store.edition(digest.name, day, part) if part else None
                found += [edition] if edition else []
        if not found:
            raise UsageError(f"no edition {f'of {day}' if day else 'yet'}. Make one with `digest run`.")
        return max(found, key=lambda edition: edition.issued_at)
