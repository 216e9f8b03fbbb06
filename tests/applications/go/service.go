package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	miniflux "miniflux.app/v2/client"
)

const (
	adminName     = "keeper"
	adminPassword = "keeper-of-news"
)

// service is a miniflux that runs as a process beside this one.
type service struct {
	news    *news
	process *exec.Cmd
	address string
	log     complaints
	// The ids that one step finds and later ones need.
	ids map[string]int64
}

// complaints passes the service's log on to stderr and keeps what it says of errors.
type complaints struct {
	lock  sync.Mutex
	lines []string
}

func (kept *complaints) Write(chunk []byte) (int, error) {
	kept.lock.Lock()
	defer kept.lock.Unlock()
	for line := range strings.SplitSeq(string(chunk), "\n") {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "pq: ") {
			kept.lines = append(kept.lines, line)
		}
	}
	return os.Stderr.Write(chunk)
}

// take gives what has been said of errors since it was last asked.
func (kept *complaints) take() []string {
	kept.lock.Lock()
	defer kept.lock.Unlock()
	taken := kept.lines
	kept.lines = nil
	return taken
}

func (reader *service) command(arguments ...string) *exec.Cmd {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	made := exec.Command(filepath.Join(filepath.Dir(program), "miniflux"), arguments...)
	made.Env = append(os.Environ(),
		"DATABASE_URL="+os.Getenv("DATABASE_URL")+"?sslmode=disable", "CREATE_ADMIN=1", "ADMIN_USERNAME="+adminName, "ADMIN_PASSWORD="+adminPassword,
		"HTTP_CLIENT_PROXIES="+reader.news.address(), "FETCHER_ALLOW_PRIVATE_NETWORKS=1", "DISABLE_SCHEDULER_SERVICE=1",
		"LOG_LEVEL=warning", "WORKER_POOL_SIZE=3", "DATABASE_MIN_CONNS=2", "DATABASE_MAX_CONNS=6",
		"POLLING_SCHEDULER=round_robin", "LISTEN_ADDR="+reader.address, "BASE_URL=http://reader.example")
	return made
}

// run is miniflux's command line: it gives what that prints.
func (reader *service) run(arguments ...string) (string, error) {
	made := reader.command(arguments...)
	var printed bytes.Buffer
	made.Stdout, made.Stderr = &printed, &printed
	err := made.Run()
	_, _ = os.Stderr.Write(printed.Bytes())
	if err != nil {
		return "", fmt.Errorf("miniflux %s: %w: %s", strings.Join(arguments, " "), err, printed.String())
	}
	return printed.String(), nil
}

func (reader *service) start() (string, error) {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	reader.address = probe.Addr().String()
	if err := probe.Close(); err != nil {
		return "", err
	}
	reader.ids = map[string]int64{}
	reader.process = reader.command()
	reader.process.Stdout, reader.process.Stderr = &reader.log, &reader.log
	if err := reader.process.Start(); err != nil {
		return "", err
	}
	for range 100 {
		if err := reader.admin().Healthcheck(); err == nil {
			return "healthy", nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", errors.New("miniflux does not become healthy: " + strings.Join(reader.log.take(), " "))
}

func (reader *service) stop() {
	if reader.process != nil && reader.process.Process != nil {
		_ = reader.process.Process.Signal(os.Interrupt)
		_ = reader.process.Wait()
	}
}

func (reader *service) admin() *miniflux.Client { return reader.client(adminName, adminPassword) }

func (reader *service) user() *miniflux.Client { return reader.client("lena", "lena-reads-news") }

func (reader *service) client(name, password string) *miniflux.Client {
	return miniflux.NewClientWithOptions("http://"+reader.address, miniflux.WithCredentials(name, password))
}
