"""The site: a home page, articles with authors and tags, and a page with a form for visitors."""

from __future__ import annotations

from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey
from taggit.models import TaggedItemBase
from wagtail.admin.panels import FieldPanel, InlinePanel
from wagtail.contrib.forms.models import AbstractEmailForm, AbstractFormField
from wagtail.fields import RichTextField
from wagtail.models import Page
from wagtail.search import index
from wagtail.snippets.models import register_snippet


@register_snippet
class Author(index.Indexed, models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    panels = (FieldPanel("name"), FieldPanel("email"))
    search_fields = (index.SearchField("name"), index.AutocompleteField("name"))

    def __str__(self) -> str:
        return str(self.name)


class HomePage(Page):
    intro = models.CharField(max_length=200, blank=True)
    content_panels = (*Page.content_panels, FieldPanel("intro"))
    template = "wagtail_site/page.html"


class ArticleTag(TaggedItemBase):
    content_object = ParentalKey("ArticlePage", related_name="tagged_items", on_delete=models.CASCADE)


class ArticlePage(Page):
    day = models.DateField()
    intro = models.CharField(max_length=200)
    body = RichTextField(blank=True)
    author = models.ForeignKey(Author, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    tags = ClusterTaggableManager(through=ArticleTag, blank=True)
    template = "wagtail_site/page.html"
    search_fields = (
        *Page.search_fields, index.SearchField("intro"), index.SearchField("body"), index.FilterField("day"),
        index.AutocompleteField("intro"), index.RelatedFields("author", [index.SearchField("name")]),
    )  # fmt: skip
    content_panels = (
        *Page.content_panels, FieldPanel("day"), FieldPanel("intro"), FieldPanel("body"), FieldPanel("author"),
        FieldPanel("tags"),
    )  # fmt: skip


class ContactField(AbstractFormField):
    page = ParentalKey("ContactPage", on_delete=models.CASCADE, related_name="form_fields")


class ContactPage(AbstractEmailForm):
    thanks = models.CharField(max_length=200, blank=True)
    template = "wagtail_site/page.html"
    landing_page_template = "wagtail_site/page.html"
    content_panels = (*AbstractEmailForm.content_panels, FieldPanel("thanks"), InlinePanel("form_fields"))
