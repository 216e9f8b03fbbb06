package main

import (
	"fmt"
	"strings"

	miniflux "miniflux.app/v2/client"
)

// preparations are the service's migrations, its first users, and feeds of theirs with all that is secret in them.
func preparations(reader *service) []step {
	return []step{
		{"run the migrations", func() (string, error) {
			_, err := reader.run("-migrate")
			return "done", err
		}},
		{"run them again", func() (string, error) {
			_, err := reader.run("-migrate")
			return "nothing to do", err
		}},
		{"start the service, which makes its administrator", reader.start},
		{"make a user", func() (string, error) {
			user, err := reader.admin().CreateUser("lena", "lena-reads-news", false)
			if err != nil {
				return "", err
			}
			return user.Username, nil
		}},
		{"make categories", func() (string, error) {
			return each([]string{"Mornings", "Evenings"}, func(title string) (string, error) {
				category, err := reader.user().CreateCategory(title)
				if err != nil {
					return "", err
				}
				return category.Title, nil
			})
		}},
		{"subscribe to feeds", func() (string, error) {
			categories, err := reader.user().Categories()
			if err != nil {
				return "", err
			}
			return each([]string{"http://daily.example/feed.atom", "http://coast.example/feed.atom", "http://talks.example/feed.rss"}, func(address string) (string, error) {
				id, err := reader.user().CreateFeed(&miniflux.FeedCreationRequest{
					FeedURL: address, CategoryID: categories[len(categories)-1].ID, Username: "subscriber-lena", Password: "opensesame-4711", Cookie: "visit=kept-9000",
				})
				return fmt.Sprint(id), err
			})
		}},
		{"read what came", func() (string, error) {
			entries, err := reader.user().Entries(&miniflux.Filter{Order: "id", Direction: "asc"})
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d entries, first by %s", entries.Total, entries.Entries[0].Author), nil
		}},
		{"the service has complained of nothing", reader.quiet},
	}
}

// quiet fails if the service's log told of errors since it was last asked.
func (reader *service) quiet() (string, error) {
	if lines := reader.log.take(); len(lines) > 0 {
		return "", fmt.Errorf("%d complaints: %s", len(lines), strings.Join(lines[:min(len(lines), 2)], " "))
	}
	return "none", nil
}

// each does the same to all of them, and tells what it showed.
func each[T any](all []T, action func(T) (string, error)) (string, error) {
	shown := make([]string, 0, len(all))
	for _, one := range all {
		shows, err := action(one)
		if err != nil {
			return "", err
		}
		shown = append(shown, shows)
	}
	return strings.Join(shown, ", "), nil
}

func marekChanges() *miniflux.UserModificationRequest {
	return &miniflux.UserModificationRequest{Theme: miniflux.SetOptionalField("dark_serif"), Language: miniflux.SetOptionalField("en_US"), EntryDirection: miniflux.SetOptionalField("desc")}
}
