package main

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"github.com/PuerkitoBio/goquery"
)

// browser looks at the service's pages as a person does: it keeps cookies, and fills in the forms that it is shown.
type browser struct {
	client *http.Client
	base   string
}

func (reader *service) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	return &browser{&http.Client{Jar: jar}, "http://" + reader.address}
}

// page gives what a page shows: its words, and what its forms hold.
func (look *browser) page(path string) (*goquery.Document, error) {
	answer, err := look.client.Get(look.base + path)
	if err != nil {
		return nil, err
	}
	return read(answer, path)
}

func read(answer *http.Response, path string) (*goquery.Document, error) {
	defer answer.Body.Close()
	page, err := goquery.NewDocumentFromReader(answer.Body)
	if err != nil {
		return nil, err
	}
	if path != "/" && path != "/logout" && page.Find("form[action='/login']").Length() > 0 {
		return nil, fmt.Errorf("%s asks to log in", path)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: %s", path, answer.Status, words(page))
	}
	if alert := page.Find("form .alert-error").First(); alert.Length() > 0 {
		return nil, fmt.Errorf("%s says: %s", path, strings.TrimSpace(alert.Text()))
	}
	return page, nil
}

// submit fills in a form of a page, with what it holds already but for the changes, and gives the page that follows.
func (look *browser) submit(path, form string, changes map[string]string) (*goquery.Document, error) {
	page, err := look.page(path)
	if err != nil {
		return nil, err
	}
	found := page.Find(form).First()
	if found.Length() == 0 {
		return nil, fmt.Errorf("%s has no form %s", path, form)
	}
	values := url.Values{}
	found.Find("input[name], textarea[name]").Each(func(_ int, field *goquery.Selection) {
		kind, _ := field.Attr("type")
		if _, checked := field.Attr("checked"); (kind == "checkbox" || kind == "radio") && !checked {
			return
		}
		value, given := field.Attr("value")
		if !given {
			value = field.Text()
		}
		values.Set(field.AttrOr("name", ""), value)
	})
	found.Find("select[name]").Each(func(_ int, field *goquery.Selection) {
		chosen := field.Find("option[selected]").First().AttrOr("value", field.Find("option").First().AttrOr("value", ""))
		values.Set(field.AttrOr("name", ""), chosen)
	})
	for name, value := range changes {
		values.Set(name, value)
	}
	answer, err := look.client.PostForm(look.base+found.AttrOr("action", path), values)
	if err != nil {
		return nil, err
	}
	return read(answer, path)
}

// post does what a button does whose work is the script's.
func (look *browser) post(from, path string, values url.Values) (*goquery.Document, error) {
	page, err := look.page(from)
	if err != nil {
		return nil, err
	}
	values.Set("csrf", page.Find("body").AttrOr("data-csrf-token", page.Find("input[name=csrf]").AttrOr("value", "")))
	answer, err := look.client.PostForm(look.base+path, values)
	if err != nil {
		return nil, err
	}
	return read(answer, path)
}

// words are what a person sees of a page, without times.
func words(page *goquery.Document) string {
	main := page.Find("main").First()
	var held []string
	main.Find("input[type=text], input[type=password], input[type=url], textarea").Each(func(_ int, field *goquery.Selection) {
		if value := field.AttrOr("value", field.Text()); value != "" {
			held = append(held, field.AttrOr("name", "")+"="+value)
		}
	})
	main.Find("time, dialog, script, style, svg, template, select").Remove()
	return strings.Join(append(strings.Fields(main.Text()), held...), " ")
}

func shown(page *goquery.Document, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return words(page), nil
}

// pageUse is what a person does in a browser.
func pageUse(reader *service) []step {
	var look *browser
	visit := func(path string) func() (string, error) {
		return func() (string, error) { return shown(look.page(path)) }
	}
	return []step{
		{"log in", func() (string, error) {
			look = reader.browser()
			return shown(look.submit("/", "form[action='/login']", map[string]string{"username": "lena", "password": "lena-reads-news"}))
		}},
		{"the page of unread entries", visit("/unread")},
		{"the page of feeds", visit("/feeds")},
		{"the page of categories", visit("/categories")},
		{"the page of starred entries", visit("/starred")},
		{"the page of a search", visit("/search?q=harbour")},
		{"the page of a feed", visit("/feed/1/entries/all")},
		{"the page of a tag", visit("/tags/topic1/entries/all")},
		{"the history", visit("/history")},
		{"an entry's page", func() (string, error) {
			page, err := look.page("/feed/1/entries/all")
			if err != nil {
				return "", err
			}
			return shown(look.page(page.Find(".item-title a").First().AttrOr("href", "/missing")))
		}},
		{"the form of a feed shows how it is fetched", visit("/feed/1/edit")},
		{"save that form as it is", func() (string, error) {
			return shown(look.submit("/feed/1/edit", "form[action='/feed/1/update']", nil))
		}},
		{"make a category", func() (string, error) {
			return shown(look.submit("/category/create", "form[action='/category/save']", map[string]string{"title": "Weekends"}))
		}},
		{"subscribe by the page", func() (string, error) {
			return shown(look.submit("/subscribe", "form[action='/subscribe']", map[string]string{"url": "http://island.example/feed.rss"}))
		}},
		{"star by the page", func() (string, error) {
			page, err := look.page("/unread")
			if err != nil {
				return "", err
			}
			star := page.Find("[data-toggle-starred]").First().AttrOr("data-star-url", page.Find("[data-star-url]").First().AttrOr("data-star-url", ""))
			if star == "" {
				return "", fmt.Errorf("the page of unread entries has nothing to star with")
			}
			if _, err := look.post("/unread", star, url.Values{}); err != nil {
				return "", err
			}
			return shown(look.page("/starred"))
		}},
		{"all is read", func() (string, error) {
			if _, err := look.post("/unread", "/mark-all-as-read", url.Values{}); err != nil {
				return "", err
			}
			return shown(look.page("/unread"))
		}},
		{"the settings", visit("/settings")},
		{"change the settings", func() (string, error) {
			return shown(look.submit("/settings", "form[action='/settings']", map[string]string{"entries_per_page": "25", "theme": "dark_serif", "entry_direction": "desc"}))
		}},
		{"the integrations", visit("/integrations")},
		{"an integration with a token", func() (string, error) {
			return shown(look.submit("/integrations", "form[action='/integration']", map[string]string{"pinboard_token": "lena:pin-1234567", "pinboard_tags": "read"}))
		}},
		{"the sessions", func() (string, error) {
			page, err := look.page("/sessions")
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d rows", page.Find("main tr").Length()), nil
		}},
		{"remove a feed by the page", func() (string, error) {
			if _, err := look.post("/feed/2/edit", "/feed/2/remove", url.Values{}); err != nil {
				return "", err
			}
			return shown(look.page("/feeds"))
		}},
		{"log out", func() (string, error) { return shown(look.post("/unread", "/logout", url.Values{})) }},
		{"the service has complained of nothing in the pages", reader.quiet},
	}
}

// administration is what the administrator does, by the pages, the API and the command line.
func administration(reader *service) []step {
	var look *browser
	return []step{
		{"log in as administrator", func() (string, error) {
			look = reader.browser()
			return shown(look.submit("/", "form[action='/login']", map[string]string{"username": adminName, "password": adminPassword}))
		}},
		{"the page of users", func() (string, error) {
			page, err := look.page("/users")
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d rows", page.Find("main tr").Length()), nil
		}},
		{"make a user by the page", func() (string, error) {
			_, err := look.submit("/user/create", "form[action='/user/save']", map[string]string{"username": "marek", "password": "marek-reads-too", "confirmation": "marek-reads-too"})
			return "made", err
		}},
		{"change a user", func() (string, error) {
			user, err := reader.admin().UserByUsername("marek")
			if err != nil {
				return "", err
			}
			reader.ids["marek"] = user.ID
			changed, err := reader.admin().UpdateUser(user.ID, marekChanges())
			if err != nil {
				return "", err
			}
			return changed.Theme + " " + changed.Language, nil
		}},
		{"a user has new feeds", func() (string, error) {
			_, err := reader.client("marek", "marek-reads-too").Feeds()
			return "none", err
		}},
		{"remove a user", func() (string, error) {
			if err := reader.admin().DeleteUser(reader.ids["marek"]); err != nil {
				return "", err
			}
			users, err := reader.admin().Users()
			return fmt.Sprint(len(users)), err
		}},
		{"feeds by the command line", func() (string, error) {
			printed, err := reader.run("-export-user-feeds", "lena")
			return fmt.Sprintf("%d feeds", strings.Count(printed, "xmlUrl")), err
		}},
		{"refresh by the command line", func() (string, error) { _, err := reader.run("-refresh-feeds"); return "done", err }},
		{"reset errors and times of feeds", func() (string, error) {
			if _, err := reader.run("-reset-feed-errors"); err != nil {
				return "", err
			}
			_, err := reader.run("-reset-feed-next-check-at")
			return "done", err
		}},
		{"clean up", func() (string, error) { _, err := reader.run("-run-cleanup-tasks"); return "done", err }},
		{"migrations are done", func() (string, error) { _, err := reader.run("-migrate"); return "done", err }},
		{"end all sessions", func() (string, error) { _, err := reader.run("-flush-sessions"); return "done", err }},
		{"the service has complained of nothing to the end", reader.quiet},
	}
}
