"""What is on the site before anybody edits it."""

from __future__ import annotations

import json
from datetime import date

from django.contrib.auth.models import User
from wagtail.models import Page, Site

from wagtail_site.models import ArticlePage, Author, ContactField, ContactPage, HomePage


def fill() -> str:
    """Users, a home page with articles, authors, a form with two submissions."""
    User.objects.create_superuser("admin", "root@staff.example", "admin")
    User.objects.create_user("editor", "edith.editor@staff.example", "editor")
    root = Page.objects.get(depth=1)
    Page.objects.filter(depth=2).delete()
    root.refresh_from_db()
    home = root.add_child(instance=HomePage(title="Gardens", slug="home", intro="What grows"))
    Site.objects.all().delete()
    Site.objects.create(hostname="localhost", root_page=home, is_default_site=True, site_name="Gardens")
    authors = [
        Author.objects.create(name=name, email=email)
        for name, email in (("Rosa Field", "rosa.field@press.example"), ("Olive Grove", "olive@press.example"))
    ]
    for number, (title, intro, body, author) in enumerate(
        (
            ("Roses in winter", "How to cut them", "<p>Cut roses above a bud.</p>", authors[0]),
            ("Apples and pears", "Two old friends", "<p>Pears need another pear beside them.</p>", authors[1]),
            ("A pond for frogs", "Water in the garden", "<p>No fish, if frogs are to stay.</p>", authors[0]),
        ),
        1,
    ):
        article = ArticlePage(title=title, day=date(2024, 3, number), intro=intro, body=body, author=author)
        article.tags.add("winter" if number == 1 else "fruit")
        home.add_child(instance=article).save_revision().publish()
    _form(home)
    return "done"


def _form(home: HomePage) -> None:
    contact = home.add_child(instance=ContactPage(title="Contact", thanks="We will answer"))
    for place, (label, kind) in enumerate(
        (("Your name", "singleline"), ("Your mail", "email"), ("Words", "multiline"))
    ):
        ContactField.objects.create(page=contact, label=label, field_type=kind, required=True, sort_order=place)
    for name, mail in (("Nora Night", "nora.night@home.example"), ("Milo Moon", "milo@home.example")):
        words = {"your_name": name, "your_mail": mail, "words": f"Greetings from {name}"}
        contact.get_submission_class().objects.create(page=contact, form_data=json.loads(json.dumps(words)))
