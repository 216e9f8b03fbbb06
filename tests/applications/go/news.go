package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
)

// news is a proxy behind which all sites of the world are made up, so that feeds have addresses without a port.
type news struct {
	server *httptest.Server
	// published counts the editions so far: later ones have more entries, and change what stood in earlier ones.
	published int
}

func serveNews() *news {
	made := &news{}
	made.server = httptest.NewServer(http.HandlerFunc(made.serve))
	return made
}

func (made *news) address() string { return made.server.URL }

func (made *news) serve(answer http.ResponseWriter, request *http.Request) {
	host, _, err := net.SplitHostPort(request.Host)
	if err != nil {
		host = request.Host
	}
	switch {
	case request.URL.Path == "/feed.atom":
		answer.Header().Set("Content-Type", "application/atom+xml")
		fmt.Fprint(answer, made.atom(host))
	case request.URL.Path == "/feed.rss":
		answer.Header().Set("Content-Type", "application/rss+xml")
		fmt.Fprint(answer, made.podcast(host))
	case request.URL.Path == "/favicon.ico" && host == "daily.example":
		answer.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprint(answer, `<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>`)
	case request.URL.Path == "/":
		answer.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(answer, `<html><head><title>%s</title><link rel="icon" href="/favicon.ico"><link rel="alternate" type="application/atom+xml" title="News" href="/feed.atom"><link rel="alternate" type="application/rss+xml" title="Podcast" href="/feed.rss"></head><body>News</body></html>`, host)
	case strings.HasPrefix(request.URL.Path, "/article/"):
		answer.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(answer, `<html><body><nav>menu</nav><article><h1>All of it</h1><p>%s</p></article></body></html>`, strings.Repeat("The whole of the article, as the site has it. ", 12))
	default:
		http.NotFound(answer, request)
	}
}

var authors = []string{"Nora Quill", "Otis Plume", "Petra Inkwell"}

func (made *news) atom(host string) string {
	var entries strings.Builder
	// The hour is the site's own, so that no two entries are of the same time.
	for at := range 6 + 2*made.published {
		title := fmt.Sprintf("Report %d of %s", at, host)
		if made.published > 0 && at < 2 {
			title += ", corrected"
		}
		fmt.Fprintf(&entries, `<entry><id>http://%s/%d</id><title>%s</title><link href="http://%s/article/%d"/><published>2024-03-%02dT%02d:00:00Z</published><updated>2024-03-%02dT09:00:00Z</updated><author><name>%s</name></author><category term="topic%d"/><content type="html">&lt;p&gt;A %s of report %d, edition %d.&lt;/p&gt;</content></entry>`,
			host, at, title, host, at, at+1, 8+host[0]%10, at+1, authors[(at+made.published)%len(authors)], at%2, []string{"lighthouse", "harbour", "meadow"}[at%3], at, made.published)
	}
	return fmt.Sprintf(`<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><id>http://%s/</id><title>News of %s</title><link href="http://%s/"/><updated>2024-03-01T09:00:00Z</updated>%s</feed>`, host, host, host, entries.String())
}

func (made *news) podcast(host string) string {
	var items strings.Builder
	for at := range 3 + made.published {
		fmt.Fprintf(&items, `<item><guid>http://%s/cast/%d</guid><title>Talk %d</title><link>http://%s/article/t%d</link><author>%s</author><pubDate>Fri, %02d Mar 2024 20:00:00 GMT</pubDate><description>About the harbour, part %d</description><enclosure url="http://%s/cast/%d.mp3" length="%d" type="audio/mpeg"/></item>`,
			host, at, at, host, at, authors[at%len(authors)], at+1, at, host, at, 1000+at)
	}
	return fmt.Sprintf(`<?xml version="1.0"?><rss version="2.0"><channel><title>Talks of %s</title><link>http://%s/</link><description>Talks</description>%s</channel></rss>`, host, host, items.String())
}
