"""What keeps a site in order: queries over its tree, redirects, and Wagtail's commands."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from django.core.management import call_command
from django.urls import reverse
from reporting import Programme
from wagtail.models import Page, PageLogEntry, ReferenceIndex, Revision

from wagtail_site.editing import browser
from wagtail_site.models import ArticlePage, Author, HomePage

_Use = Callable[[str], Callable[[Callable[[], object]], Callable[[], object]]]


def steps(programme: Programme) -> None:
    """What is done, in order."""
    _tree(programme.use)
    _commands(programme.use)


def _tree(use: _Use) -> None:
    @use("pages as what they are, of one kind, below another")
    def _() -> object:
        home = HomePage.objects.get()
        return (
            [type(one).__name__ for one in home.get_children().specific().order_by("path")],
            list(Page.objects.descendant_of(home).exact_type(ArticlePage).order_by("path").values_list("title")),
            [one.title for one in home.get_descendants().live().defer_streamfields().order_by("path")],
            [one.title for one in ArticlePage.objects.first().get_siblings()],
        )

    @use("pages by tags")
    def _() -> object:
        return list(ArticlePage.objects.filter(tags__name="fruit").order_by("path").values_list("title"))

    @use("add, move and delete in the tree")
    def _() -> object:
        home = HomePage.objects.get()
        one = home.add_child(instance=HomePage(title="Below", slug="below"))
        below = one.add_child(instance=HomePage(title="Further below", slug="further"))
        below.move(home, pos="first-child")
        home.refresh_from_db()
        paths = list(Page.objects.order_by("path").values_list("path", "title"))
        for each in Page.objects.filter(slug__in=["below", "further"]):
            each.delete()
        return paths, Page.find_problems()

    @use("what refers to an author")
    def _() -> object:
        return ReferenceIndex.get_references_to(Author.objects.get(name="Olive Grove")).count()

    @use("the log and the revisions")
    def _() -> object:
        return (
            list(PageLogEntry.objects.order_by("pk").values_list("action", "label"))[:10],
            Revision.objects.page_revisions().filter(content__title__startswith="Beans").count(),
        )

    use("add a redirect")(
        lambda: browser.post(
            reverse("wagtailredirects:add"),
            {"old_path": "/old/", "redirect_link": "http://localhost/beans/", "is_permanent": "on"},
        )
    )
    use("follow a redirect")(lambda: browser.get("/old/"))


def _commands(use: _Use) -> None:
    def command(*arguments: str, **options: object) -> str:
        printed = io.StringIO()
        call_command(*arguments, stdout=printed, **options)
        return re.sub(r" at 0x[0-9a-f]+", "", printed.getvalue())

    use("update_index")(lambda: command("update_index"))
    use("rebuild_references_index")(lambda: command("rebuild_references_index"))
    use("fixtree")(lambda: command("fixtree", interactive=False))
    use("publish_scheduled")(lambda: command("publish_scheduled"))
    use("purge_revisions")(lambda: command("purge_revisions"))
    use("wagtail_update_image_renditions")(lambda: command("wagtail_update_image_renditions"))
    use("clearsessions")(lambda: command("clearsessions"))
