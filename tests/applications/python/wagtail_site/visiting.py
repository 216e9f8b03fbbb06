"""What visitors do: read, search, write by a form; and what editors see of that."""

from __future__ import annotations

from collections.abc import Callable

from django.urls import reverse
from reporting import Programme
from wagtail.contrib.forms.models import FormSubmission
from wagtail.models import Page

from wagtail_site.browser import Browser
from wagtail_site.editing import browser as editor
from wagtail_site.models import ArticlePage, Author

_visitor = Browser()
_Use = Callable[[str], Callable[[Callable[[], object]], Callable[[], object]]]


def steps(programme: Programme) -> None:
    """What is done, in order."""
    _reading(programme.use)
    _searching(programme.use)
    _writing(programme.use)


def _reading(use: _Use) -> None:
    use("the home page")(lambda: _visitor.get("/"))
    use("an article")(lambda: _visitor.get("/beans/"))

    @use("a page that is not there")
    def _() -> str:
        try:
            return _visitor.get("/nothing/")
        except LookupError as error:
            return str(error)


def _searching(use: _Use) -> None:
    def titles(found: object) -> list[str]:
        return sorted(str(one) for one in found)  # type: ignore[attr-defined]  # Wagtail's results have no types

    use("search of all pages")(lambda: titles(Page.objects.live().search("pears")))
    use("search of articles, all words")(lambda: titles(ArticlePage.objects.search("water garden", operator="and")))
    use("search of articles, one of the words")(
        lambda: titles(ArticlePage.objects.search("frogs beans", operator="or"))
    )
    use("search by what an author is called")(lambda: titles(ArticlePage.objects.search("Olive")))
    use("search in one field")(lambda: titles(ArticlePage.objects.search("pond", fields=["title"])))
    use("autocomplete")(lambda: titles(Page.objects.autocomplete("appl")))
    use("search of those that are filtered and sorted")(
        lambda: [
            one.title
            for one in ArticlePage.objects.filter(day__gte="2024-03-02")
            .order_by("day")
            .search("frogs pears climb", operator="or", order_by_relevance=False)
        ]
    )
    use("the best of a search")(lambda: titles(Page.objects.live().search("garden friends", operator="or")[:2]))
    use("count of a search")(lambda: Page.objects.search("beans").count())
    use("search of authors")(lambda: titles(_authors("grove")))


def _authors(words: str) -> object:
    from wagtail.search.backends import get_search_backend

    return get_search_backend().search(words, Author)


def _writing(use: _Use) -> None:
    words = {"your_name": "Vera Vine", "your_mail": "vera.vine@home.example", "words": "How deep is a pond?"}
    use("the form")(lambda: _visitor.get("/contact/"))
    use("send the form")(lambda: _visitor.post("/contact/", words))
    use("send the form with a mistake")(lambda: _visitor.post("/contact/", words | {"your_mail": "none"}))

    def of_form(name: str, **query: object) -> str:
        return editor.get(reverse(name, args=[Page.objects.get(slug="contact").pk]), **query)

    use("list of forms")(lambda: editor.get(reverse("wagtailforms:index")))
    use("what was sent")(lambda: of_form("wagtailforms:list_submissions"))

    @use("export of what was sent")
    def _() -> str:
        path = reverse("wagtailforms:list_submissions", args=[Page.objects.get(slug="contact").pk])
        lines = editor.read(path, export="csv").decode().splitlines()
        return "\n".join(line.partition(",")[2] for line in lines)

    @use("delete one that was sent")
    def _() -> str:
        page = Page.objects.get(slug="contact").pk
        key = FormSubmission.objects.earliest("pk").pk
        path = reverse("wagtailforms:delete_submissions", args=[page])
        editor.post(f"{path}?selected-submissions={key}", {})
        return str(FormSubmission.objects.count())
