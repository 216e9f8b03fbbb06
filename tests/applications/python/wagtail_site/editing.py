"""What editors do in Wagtail's admin: pages with drafts and revisions, images, documents, authors, users."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image as Picture
from reporting import Programme
from wagtail.documents.models import Document
from wagtail.images.models import Image
from wagtail.models import Page, Task, Workflow, WorkflowPage, WorkflowTask
from wagtail.test.utils.form_data import rich_text

from wagtail_site.browser import Browser
from wagtail_site.models import ArticlePage, Author

browser = Browser()
_Use = Callable[[str], Callable[[Callable[[], object]], Callable[[], object]]]
_PASSWORD = "correct horse 7"


def steps(programme: Programme) -> None:
    """What is done, in order."""
    for part in (_logging_in, _pages, _revisions, _moving, _moderation, _media, _authors, _users):
        part(programme.use)


def _get(name: str, /, *arguments: Any, **query: object) -> str:
    return browser.get(reverse(name, args=arguments), **query)


def _post(name: str, /, *arguments: Any, **fields: Any) -> str:
    return browser.post(reverse(name, args=arguments), fields)


def _key(title: str) -> int:
    return int(Page.objects.values_list("pk", flat=True).get(title=title))


def _logging_in(use: _Use) -> None:
    use("log in")(lambda: _post("wagtailadmin_login", username="admin", password="admin", next="/admin/"))
    use("the dashboard")(lambda: _get("wagtailadmin_home"))
    use("explore from the root")(lambda: _get("wagtailadmin_explore_root"))
    use("pages below the home page")(lambda: _get("wagtailadmin_explore", _key("Gardens")))
    use("pages below the home page by title")(lambda: _get("wagtailadmin_explore", _key("Gardens"), ordering="title"))


def _article(**changes: Any) -> dict[str, Any]:
    fields = {
        "title": "Beans on poles", "slug": "beans", "day": "2024-04-01", "intro": "High and green", "author": "",
        "body": rich_text("<p>Beans climb.</p>"), "tags": "vegetables, summer",
        "comments-TOTAL_FORMS": 0, "comments-INITIAL_FORMS": 0,
    }  # fmt: skip
    return fields | changes


def _pages(use: _Use) -> None:
    add = ("wagtailadmin_pages:add", "wagtail_site", "articlepage")
    use("the form of a new article")(lambda: _get(*add, _key("Gardens")))
    use("a new article as a draft")(lambda: _post(*add, _key("Gardens"), **_article()))
    use("a new article with a mistake")(lambda: _post(*add, _key("Gardens"), **_article(day="never")))
    use("change the draft")(
        lambda: _post("wagtailadmin_pages:edit", _key("Beans on poles"), **_article(intro="Green and high"))
    )
    use("publish the draft")(
        lambda: _post("wagtailadmin_pages:edit", _key("Beans on poles"), **_article(**{"action-publish": "1"}))
    )
    use("change what is published, as a draft")(
        lambda: _post("wagtailadmin_pages:edit", _key("Beans on poles"), **_article(title="Beans, again"))
    )
    use("the editor with its draft")(lambda: _get("wagtailadmin_pages:edit", _key("Beans on poles")))
    use("search pages in the admin")(lambda: _get("wagtailadmin_pages:search", q="roses"))


def _revisions(use: _Use) -> None:
    def beans() -> ArticlePage:
        return cast(ArticlePage, ArticlePage.objects.get(slug="beans"))

    use("history of a page")(lambda: _get("wagtailadmin_pages:history", beans().pk))
    use("compare the first revision with the last")(
        lambda: _get("wagtailadmin_pages:revisions_compare", beans().pk, "earliest", "latest")
    )

    @use("go back to the first revision")
    def _() -> str:
        page = beans()
        first = page.revisions.earliest("pk")
        fields = _article(revision=first.pk, **{"action-publish": "1"})
        _post("wagtailadmin_pages:edit", page.pk, **fields)
        return f"{beans().title}, {beans().intro}, {page.revisions.count()} revisions"

    use("unpublish a page")(lambda: _post("wagtailadmin_pages:unpublish", _key("A pond for frogs")))

    @use("publish by its latest revision")
    def _() -> str:
        page = Page.objects.get(title="A pond for frogs").specific
        page.get_latest_revision().publish()
        page.refresh_from_db()
        return f"{page.live} {page.has_unpublished_changes}"

    use("lock and unlock a page")(
        lambda: _post("wagtailadmin_pages:lock", beans().pk) + _post("wagtailadmin_pages:unlock", beans().pk)
    )


def _moving(use: _Use) -> None:
    use("copy a page")(
        lambda: _post(
            "wagtailadmin_pages:copy", _key("Roses in winter"), new_title="Roses in summer", new_slug="roses-summer",
            new_parent_page=_key("Gardens"), publish_copies="on",
        )
    )  # fmt: skip
    use("move a page below another")(
        lambda: _post("wagtailadmin_pages:move_confirm", _key("Roses in summer"), _key("Roses in winter"))
    )
    use("be asked before pages are deleted")(lambda: _get("wagtailadmin_pages:delete", _key("Roses in winter")))
    use("delete a page with those below it")(lambda: _post("wagtailadmin_pages:delete", _key("Roses in winter")))
    use("all pages in the order of the tree")(
        lambda: [(one.path, one.depth, one.numchild, one.url_path, one.live) for one in Page.objects.order_by("path")]
    )


def _moderation(use: _Use) -> None:
    @use("a workflow with one task for the home page")
    def _() -> str:
        flow = Workflow.objects.create(name="Two pairs of eyes")
        task = Task.objects.filter(active=True).first()
        WorkflowTask.objects.create(workflow=flow, task=task, sort_order=0)
        WorkflowPage.objects.update_or_create(page_id=_key("Gardens"), defaults={"workflow": flow})
        return f"{flow.name}: {task.name}"

    use("submit an article for moderation")(
        lambda: _post("wagtailadmin_pages:edit", _key("Beans on poles"), **_article(**{"action-submit": "1"}))
    )

    @use("approve it")
    def _() -> str:
        page = ArticlePage.objects.get(slug="beans")
        state = page.current_workflow_task_state
        _post("wagtailadmin_pages:workflow_action", page.pk, "approve", state.pk)
        state.refresh_from_db()
        return f"{state.status} {page.workflow_states.get().status}"

    # Which of its two kinds the page names its entries after is left to chance.
    use("report of what was done")(
        lambda: re.sub(r"(page|model) log entries", "log entries", _get("wagtailadmin_reports:site_history"))
    )
    use("report of workflows")(lambda: _get("wagtailadmin_reports:workflow"))


def _media(use: _Use) -> None:
    def picture() -> SimpleUploadedFile:
        drawn = io.BytesIO()
        Picture.new("RGB", (60, 40), "green").save(drawn, "PNG")
        return SimpleUploadedFile("leaf.png", drawn.getvalue(), "image/png")

    use("upload an image")(lambda: _post("wagtailimages:add", title="Leaf", file=picture(), collection=1, tags="green"))
    use("list of images")(lambda: _get("wagtailimages:index"))
    use("search images")(lambda: _get("wagtailimages:index", q="leaf"))

    @use("a rendition of an image, made once")
    def _() -> str:
        image = Image.objects.get(title="Leaf")
        made, again = image.get_rendition("fill-20x20"), image.get_rendition("fill-20x20")
        return f"{made.width}x{made.height} {made.pk == again.pk}"

    use("change an image's title")(
        lambda: _post("wagtailimages:edit", Image.objects.get().pk, title="Green leaf", collection=1)
    )
    use("upload a document")(
        lambda: _post(
            "wagtaildocs:add", title="Seed list", collection=1, file=SimpleUploadedFile("seeds.txt", b"beans, peas")
        )
    )
    use("list of documents")(lambda: _get("wagtaildocs:index"))

    @use("read a document")
    def _() -> str:
        document = Document.objects.get()
        return browser.read(reverse("wagtaildocs_serve", args=[document.pk, document.filename])).decode()


def _authors(use: _Use) -> None:
    names = Author.snippet_viewset.get_url_name
    use("list of authors")(lambda: _get(names("list")))
    use("search authors")(lambda: _get(names("list"), q="rosa"))
    use("a new author")(lambda: _post(names("add"), name="Fern Wood", email="fern@press.example"))
    use("an author in the form")(lambda: _get(names("edit"), Author.objects.get(name="Rosa Field").pk))

    @use("change an author's name in the form")
    def _() -> str:
        author = Author.objects.get(name="Rosa Field")
        return _post(names("edit"), author.pk, name="Rosa Fielding", email=author.email)

    use("where an author is used")(lambda: _get(names("usage"), Author.objects.get(name="Olive Grove").pk))
    use("delete an author")(lambda: _post(names("delete"), Author.objects.get(name="Fern Wood").pk))


def _users(use: _Use) -> None:
    use("list of users")(lambda: _get("wagtailusers_users:index"))
    use("search users by name")(lambda: _get("wagtailusers_users:index", q="edit"))
    use("a new user")(
        lambda: _post(
            "wagtailusers_users:add", username="gardener", first_name="Gus", last_name="Green", is_active="on",
            email="gus@staff.example", password1=_PASSWORD, password2=_PASSWORD, groups=[1],
        )
    )  # fmt: skip

    use("a user in the form")(lambda: _get("wagtailusers_users:edit", User.objects.get(username="editor").pk))

    @use("change a user's group")
    def _() -> str:
        user = User.objects.get(username="editor")
        fields = {"username": "editor", "first_name": "Edith", "last_name": "Ed", "email": user.email, "groups": [2]}
        return _post("wagtailusers_users:edit", user.pk, is_active="on", **fields)

    use("list of groups")(lambda: _get("wagtailusers_groups:index"))
    use("one's own account")(lambda: _get("wagtailadmin_account"))
