// Command applications plays what readers do with miniflux: its own migrations, its HTTP API, its web pages and its
// command line, with feeds that a server of made-up news serves on loopback. One line of JSON on stdout tells each step.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// step is something that a reader or the service's administrator does, and what they see of it.
type step struct {
	name   string
	action func() (string, error)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "say which part to play: prepare or use")
		os.Exit(2)
	}
	news := serveNews()
	reader := &service{news: news}
	defer reader.stop()
	switch os.Args[1] {
	case "prepare":
		play(preparations(reader))
	case "use":
		news.published = 1
		play(apiUse(reader))
		play(pageUse(reader))
		play(administration(reader))
	default:
		fmt.Fprintln(os.Stderr, "the parts are prepare and use, not", os.Args[1])
		os.Exit(2)
	}
}

// play takes the steps one after the other; a failing one ends none of the rest.
func play(steps []step) {
	for _, one := range steps {
		shows, err := one.action()
		line := map[string]any{"step": one.name, "ok": err == nil}
		if err == nil {
			line["shows"] = shows
		} else {
			line["error"] = strings.Join(strings.Fields(err.Error()), " ")
		}
		if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
			panic(err)
		}
	}
}
