package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	miniflux "miniflux.app/v2/client"
)

// entries tells the entries that a filter finds as a reader sees them.
func entries(found *miniflux.EntryResultSet, err error) (string, error) {
	if err != nil {
		return "", err
	}
	lines := make([]string, 0, len(found.Entries))
	for _, one := range found.Entries {
		lines = append(lines, fmt.Sprintf("%s by %s (%s, starred %t, tags %s, %s)", one.Title, one.Author, one.Status, one.Starred, strings.Join(one.Tags, "+"), one.Feed.Title))
	}
	return fmt.Sprintf("%d: %s", found.Total, strings.Join(lines, "; ")), nil
}

func feeds(found miniflux.Feeds, err error) (string, error) {
	if err != nil {
		return "", err
	}
	lines := make([]string, 0, len(found))
	for _, one := range found {
		lines = append(lines, fmt.Sprintf("%d %s in %s, %s:%s %s, errors %d %s", one.ID, one.Title, one.Category.Title, one.Username, one.Password, one.Cookie, one.ParsingErrorCount, one.ParsingErrorMsg))
	}
	return strings.Join(lines, "; "), nil
}

// apiUse is what an application on a phone does by the HTTP API.
func apiUse(reader *service) []step {
	return append(append(reading(reader), subscriptions(reader)...), marks(reader)...)
}

func reading(reader *service) []step {
	return []step{
		{"start the service", reader.start},
		{"who am I", func() (string, error) {
			me, err := reader.user().Me()
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s, admin %t, %d to a page", me.Username, me.IsAdmin, me.EntriesPerPage), nil
		}},
		{"a wrong password", func() (string, error) {
			_, err := reader.client("lena", "wrong").Me()
			if errors.Is(err, miniflux.ErrNotAuthorized) {
				return "not authorized", nil
			}
			return "", fmt.Errorf("the wrong password got: %w", err)
		}},
		{"the feeds", func() (string, error) { return feeds(reader.user().Feeds()) }},
		{"one feed", func() (string, error) {
			feed, err := reader.user().Feed(2)
			return feeds(miniflux.Feeds{feed}, err)
		}},
		{"unread entries, newest first", func() (string, error) {
			return entries(reader.user().Entries(&miniflux.Filter{Status: "unread", Order: "published_at", Direction: "desc", Limit: 5}))
		}},
		{"the next page of them", func() (string, error) {
			return entries(reader.user().Entries(&miniflux.Filter{Status: "unread", Order: "published_at", Direction: "desc", Limit: 5, Offset: 5}))
		}},
		{"entries by title", func() (string, error) {
			return entries(reader.user().Entries(&miniflux.Filter{Order: "title", Direction: "asc", Limit: 4}))
		}},
		{"entries by author", func() (string, error) {
			_, err := entries(reader.user().Entries(&miniflux.Filter{Order: "author", Direction: "asc"}))
			return "sorted", err
		}},
		{"search for words", func() (string, error) {
			return entries(reader.user().Entries(&miniflux.Filter{Search: "lighthouse edition"}))
		}},
		{"entries of a time", func() (string, error) {
			return entries(reader.user().Entries(&miniflux.Filter{PublishedAfter: 1709456400, PublishedBefore: 1709802000, Order: "id", Direction: "asc"}))
		}},
		{"entries with a tag", func() (string, error) {
			return entries(reader.user().Entries(&miniflux.Filter{Tags: []string{"topic1"}, Order: "id", Direction: "asc", Limit: 3}))
		}},
		{"entries of a feed", func() (string, error) {
			return entries(reader.user().FeedEntries(3, &miniflux.Filter{Order: "id", Direction: "asc"}))
		}},
		{"entries of a category", func() (string, error) {
			categories, err := reader.user().Categories()
			if err != nil {
				return "", err
			}
			return entries(reader.user().CategoryEntries(categories[len(categories)-1].ID, &miniflux.Filter{Order: "id", Direction: "asc", Limit: 3}))
		}},
		{"one entry with its enclosure", func() (string, error) {
			found, err := reader.user().FeedEntries(3, &miniflux.Filter{Order: "id", Direction: "asc", Limit: 1})
			if err != nil {
				return "", err
			}
			if len(found.Entries) == 0 {
				return "", errors.New("there are no entries")
			}
			entry, err := reader.user().FeedEntry(3, found.Entries[0].ID)
			if err != nil {
				return "", err
			}
			reader.ids["enclosure"] = entry.Enclosures[0].ID
			return fmt.Sprintf("%s by %s: %s %s", entry.Title, entry.Author, entry.Content, entry.Enclosures[0].URL), nil
		}},
		{"the counters", func() (string, error) {
			counters, err := reader.user().FetchCounters()
			return fmt.Sprint(counters), err
		}},
		{"the icon of a feed", func() (string, error) {
			icon, err := reader.user().FeedIcon(1)
			if err != nil {
				return "", err
			}
			return icon.MimeType, nil
		}},
		{"the whole article from the site", func() (string, error) {
			found, err := reader.user().Entries(&miniflux.Filter{Limit: 1, Order: "id", Direction: "asc"})
			if err != nil {
				return "", err
			}
			if len(found.Entries) == 0 {
				return "", errors.New("there are no entries")
			}
			content, err := reader.user().FetchEntryOriginalContent(found.Entries[0].ID)
			return content[:min(len(content), 60)], err
		}},
		{"discover feeds of a site", func() (string, error) {
			found, err := reader.user().Discover("http://island.example/")
			return fmt.Sprint(found), err
		}},
		{"the feeds as OPML", func() (string, error) {
			opml, err := reader.user().Export()
			_, body, _ := strings.Cut(string(opml), "<body>")
			return strings.Join(strings.Fields(body), " "), err
		}},
	}
}

func subscriptions(reader *service) []step {
	return []step{
		{"a category more", func() (string, error) {
			category, err := reader.user().CreateCategory("Nights")
			if err != nil {
				return "", err
			}
			reader.ids["nights"] = category.ID
			_, again := reader.user().CreateCategory("Nights")
			return fmt.Sprintf("%s, again refused %t", category.Title, again != nil), nil
		}},
		{"rename it", func() (string, error) {
			category, err := reader.user().UpdateCategory(reader.ids["nights"], "Late nights")
			if err != nil {
				return "", err
			}
			return category.Title, nil
		}},
		{"subscribe to a feed with a password", func() (string, error) {
			id, err := reader.user().CreateFeed(&miniflux.FeedCreationRequest{FeedURL: "http://island.example/feed.atom", CategoryID: reader.ids["nights"], Username: "lena-at-island", Password: "island-key"})
			reader.ids["island"] = id
			return "subscribed", err
		}},
		{"the same feed again", func() (string, error) {
			_, err := reader.user().CreateFeed(&miniflux.FeedCreationRequest{FeedURL: "http://island.example/feed.atom", CategoryID: reader.ids["nights"]})
			if err == nil {
				return "", errors.New("it is taken twice")
			}
			return err.Error(), nil
		}},
		{"give a feed another title", func() (string, error) {
			feed, err := reader.user().UpdateFeed(2, &miniflux.FeedModificationRequest{Title: miniflux.SetOptionalField("Coast"), Crawler: miniflux.SetOptionalField(false)})
			return feeds(miniflux.Feeds{feed}, err)
		}},
		{"give a feed another password", func() (string, error) {
			_, err := reader.user().UpdateFeed(3, &miniflux.FeedModificationRequest{Username: miniflux.SetOptionalField("lena-talks"), Password: miniflux.SetOptionalField("talk-secret")})
			return "changed", err
		}},
		{"refresh a feed that has new entries and changed ones", func() (string, error) {
			if err := reader.user().ForceRefreshFeed(1); err != nil {
				return "", err
			}
			return entries(reader.user().FeedEntries(1, &miniflux.Filter{Order: "id", Direction: "asc"}))
		}},
		{"refresh a podcast", func() (string, error) {
			if err := reader.user().RefreshFeed(3); err != nil {
				return "", err
			}
			return entries(reader.user().FeedEntries(3, &miniflux.Filter{Order: "id", Direction: "asc"}))
		}},
		{"refresh all feeds in the background", func() (string, error) {
			if err := reader.user().RefreshAllFeeds(); err != nil {
				return "", err
			}
			return reader.until(func() (string, bool, error) {
				found, err := reader.user().FeedEntries(2, &miniflux.Filter{Order: "id", Direction: "asc"})
				if err != nil {
					return "", false, err
				}
				return fmt.Sprintf("%d entries", found.Total), found.Total == 8, nil
			})
		}},
		{"import subscriptions", func() (string, error) {
			opml := `<opml version="2.0"><body><outline text="Far"><outline title="Far" text="Far" xmlUrl="http://far.example/feed.atom" htmlUrl="http://far.example/"/></outline></body></opml>`
			if err := reader.user().Import(io.NopCloser(strings.NewReader(opml))); err != nil {
				return "", err
			}
			return feeds(reader.user().Feeds())
		}},
		{"an entry of one's own", func() (string, error) {
			_, err := reader.user().ImportFeedEntry(reader.ids["island"], map[string]any{"title": "A note", "url": "http://island.example/note", "author": "Lena Brook", "content": "<p>Kept</p>", "published_at": 1709456400})
			if err != nil {
				return "", err
			}
			return entries(reader.user().FeedEntries(reader.ids["island"], &miniflux.Filter{Search: "note"}))
		}},
		{"the service has complained of nothing", reader.quiet},
	}
}

func marks(reader *service) []step {
	first := func(many int) ([]int64, error) {
		found, err := reader.user().Entries(&miniflux.Filter{Order: "id", Direction: "asc", Limit: many})
		if err != nil {
			return nil, err
		}
		ids := make([]int64, 0, many)
		for _, one := range found.Entries {
			ids = append(ids, one.ID)
		}
		return ids, nil
	}
	return []step{
		{"mark entries as read", func() (string, error) {
			ids, err := first(3)
			if err != nil {
				return "", err
			}
			if err := reader.user().UpdateEntries(ids, "read"); err != nil {
				return "", err
			}
			return entries(reader.user().Entries(&miniflux.Filter{Status: "read", Order: "id", Direction: "asc"}))
		}},
		{"star an entry, and find it", func() (string, error) {
			ids, err := first(2)
			if err != nil {
				return "", err
			}
			if err := reader.user().ToggleStarred(ids[1]); err != nil {
				return "", err
			}
			return entries(reader.user().Entries(&miniflux.Filter{Starred: miniflux.FilterOnlyStarred}))
		}},
		{"correct an entry", func() (string, error) {
			ids, err := first(1)
			if err != nil {
				return "", err
			}
			entry, err := reader.user().UpdateEntry(ids[0], &miniflux.EntryModificationRequest{Title: miniflux.SetOptionalField("My title"), Content: miniflux.SetOptionalField("<p>My content</p>")})
			if err != nil {
				return "", err
			}
			return entry.Title + " by " + entry.Author, nil
		}},
		{"where a podcast stopped", func() (string, error) {
			if err := reader.user().UpdateEnclosure(reader.ids["enclosure"], &miniflux.EnclosureUpdateRequest{MediaProgression: 42}); err != nil {
				return "", err
			}
			enclosure, err := reader.user().Enclosure(reader.ids["enclosure"])
			if err != nil {
				return "", err
			}
			return fmt.Sprint(enclosure.MediaProgression), nil
		}},
		{"a feed is read", func() (string, error) {
			if err := reader.user().MarkFeedAsRead(2); err != nil {
				return "", err
			}
			counters, err := reader.user().FetchCounters()
			return fmt.Sprint(counters), err
		}},
		{"a category is read", func() (string, error) {
			if err := reader.user().MarkCategoryAsRead(reader.ids["nights"]); err != nil {
				return "", err
			}
			categories, err := reader.user().CategoriesWithCounters()
			if err != nil {
				return "", err
			}
			return each(categories, func(one *miniflux.Category) (string, error) {
				return fmt.Sprintf("%s %d/%d", one.Title, *one.TotalUnread, *one.FeedCount), nil
			})
		}},
		{"a key for the API, and what it opens", func() (string, error) {
			key, err := reader.user().CreateAPIKey("phone")
			if err != nil {
				return "", err
			}
			me, err := miniflux.NewClientWithOptions("http://"+reader.address, miniflux.WithAPIKey(key.Token)).Me()
			if err != nil {
				return "", err
			}
			return key.Description + " of " + me.Username, reader.user().DeleteAPIKey(key.ID)
		}},
		{"unsubscribe from a feed", func() (string, error) {
			if err := reader.user().DeleteFeed(reader.ids["island"]); err != nil {
				return "", err
			}
			return feeds(reader.user().Feeds())
		}},
		{"remove a category", func() (string, error) {
			if err := reader.user().DeleteCategory(reader.ids["nights"]); err != nil {
				return "", err
			}
			found, err := reader.user().Categories()
			return fmt.Sprint(len(found)), err
		}},
		{"flush the history", func() (string, error) {
			if err := reader.user().FlushHistory(); err != nil {
				return "", err
			}
			return reader.until(func() (string, bool, error) {
				found, err := reader.user().Entries(&miniflux.Filter{Status: "read"})
				if err != nil {
					return "", false, err
				}
				return fmt.Sprintf("%d read entries", found.Total), found.Total == 1, nil
			})
		}},
		{"the service has complained of nothing once more", reader.quiet},
	}
}

// until waits for what the service does in the background.
func (reader *service) until(look func() (string, bool, error)) (string, error) {
	var shows string
	for range 100 {
		seen, done, err := look()
		if err != nil {
			return "", err
		}
		if done {
			return seen, nil
		}
		shows = seen
		time.Sleep(50 * time.Millisecond)
	}
	return "", errors.New("after five seconds there is still: " + shows + " " + strings.Join(reader.log.take(), " "))
}
