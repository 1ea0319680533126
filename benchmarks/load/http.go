// Load on a server that streams its answers over HTTP: events (SSE), lines, or anything else that has the tokens in it.

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	openaiBody      = `{"model":"bench","stream":true,"messages":[{"role":"user","content":"{message}"}]}`
	readBytes       = 16 << 10
	preparingMax    = 8   // prepare requests at a time
	complaintMax    = 200 // bytes of an unexpected answer to show
	eventBeginning  = "\ndata:"
	lineEnd         = "\n"
	templateMeaning = "{i}: the run's number; {worker}: which of those at a time; {message}: --message as the\n" +
		"inside of a JSON string; {id}: what --prepare-path-id found"
)

// sse is the load of `load sse`.
type sse struct {
	plan
	url         string
	body        string
	headers     headers
	prepareURL  string
	prepareBody string
	prepareID   string
	client      http.Client
	ids         []string // of each run, when it was prepared
}

// headers are those of a flag that may be repeated: name=value.
type headers [][2]string

func (h *headers) String() string { return "" }

func (h *headers) Set(text string) error {
	name, value, isFound := strings.Cut(text, "=")
	if !isFound {
		return errors.New("a header is name=value")
	}
	*h = append(*h, [2]string{name, value})
	return nil
}

func sseCommand(arguments []string) error {
	var load sse
	flags := flag.NewFlagSet("load sse", flag.ContinueOnError)
	load.addFlags(flags)
	flags.IntVar(&load.connections, "connections", 0, "the most connections at a time, one is needed for each run; 0: no limit")
	flags.StringVar(&load.url, "url", "", "where to POST; a template, as is --body")
	flags.StringVar(&load.body, "body", openaiBody, "what to POST. "+templateMeaning)
	flags.Var(&load.headers, "header", "name=value, also a template; may be repeated")
	flags.StringVar(&load.prepareURL, "prepare-url", "", "where to POST for each run before the first one starts")
	flags.StringVar(&load.prepareBody, "prepare-body", "{}", "what to POST there")
	flags.StringVar(&load.prepareID, "prepare-path-id", "", "key of its JSON answer whose value is {id}; a.b: b in a")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	if err := load.check(); err != nil {
		return err
	}
	load.waiting.Store(int64(load.runs))
	load.client.Transport = &http.Transport{
		MaxConnsPerHost:     load.connections,
		MaxIdleConnsPerHost: load.runs,
		ReadBufferSize:      readBytes,
		DisableCompression:  true,
	}
	if err := load.reach(); err != nil {
		return err
	}
	if err := load.prepareAll(); err != nil {
		return err
	}
	return load.print(load.drive(load.run))
}

// reach tells early that there is no server.
func (l *sse) reach() error {
	parsed, err := url.Parse(l.url)
	if err != nil {
		return err
	}
	if parsed.Scheme != "http" || parsed.Host == "" {
		return fmt.Errorf("the URL is http://…, not %q", l.url)
	}
	address := net.JoinHostPort(parsed.Hostname(), cmp.Or(parsed.Port(), "80"))
	connection, err := net.DialTimeout("tcp", address, connectTimeout)
	if err != nil {
		return err
	}
	return connection.Close()
}

// fill replaces what stands in braces in the templates of a run.
func (l *sse) fill(number int) *strings.Replacer {
	message := quoted(l.message)
	id := ""
	if l.ids != nil {
		id = l.ids[number]
	}
	return strings.NewReplacer("{i}", strconv.Itoa(number), "{worker}", strconv.Itoa(number%l.runs),
		"{message}", message[1:len(message)-1], "{id}", id)
}

func (l *sse) post(ctx context.Context, fill *strings.Replacer, address, body string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, fill.Replace(address),
		strings.NewReader(fill.Replace(body)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	for _, header := range l.headers {
		request.Header.Set(header[0], fill.Replace(header[1]))
	}
	return l.client.Do(request)
}

// prepareAll makes the prepare request of every run, and says prepared on stderr when all are made.
func (l *sse) prepareAll() error {
	if l.prepareURL == "" {
		return nil
	}
	ids := make([]string, l.runs*l.repeat)
	failures := make([]error, preparingMax)
	var preparing sync.WaitGroup
	for first := range preparingMax {
		preparing.Go(func() {
			for number := first; number < len(ids) && failures[first] == nil; number += preparingMax {
				ids[number], failures[first] = l.prepare(number)
			}
		})
	}
	preparing.Wait()
	l.ids = ids
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("prepare: %s", strings.SplitN(err.Error(), "\n", 2)[0])
	}
	fmt.Fprintln(os.Stderr, "prepared")
	return nil
}

// prepare gives the run's id, empty when none is asked for.
func (l *sse) prepare(number int) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), seconds(l.timeout))
	defer cancel()
	response, err := l.post(ctx, l.fill(number), l.prepareURL, l.prepareBody)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode/100 != 2 {
		return "", fmt.Errorf("%s: %.*q", response.Status, complaintMax, body)
	}
	if l.prepareID == "" {
		return "", nil
	}
	return valueAt(body, l.prepareID)
}

// valueAt is the text or number at a path of keys in a JSON object.
func valueAt(body []byte, path string) (string, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	for key := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	switch found := value.(type) {
	case string:
		return found, nil
	case json.Number:
		return found.String(), nil
	default:
		return "", fmt.Errorf("the answer has no %s: %.*q", path, complaintMax, body)
	}
}

// run makes one request and reads its answer as it comes.
func (l *sse) run(ctx context.Context, r *run) {
	err := l.read(ctx, r)
	r.end = time.Now()
	r.firstDelta = r.firstToken
	r.scanner.end()
	if err != nil {
		r.fail("%v", err)
	}
	if r.scanner.seen != l.asked.tokens {
		r.fail("%d tokens, not %d", r.scanner.seen, l.asked.tokens)
	}
}

func (l *sse) read(ctx context.Context, r *run) error {
	response, err := l.post(ctx, l.fill(r.number), l.url, l.body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, complaintMax))
		return fmt.Errorf("%s: %q", response.Status, body)
	}
	mark := []byte(lineEnd)
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		mark = []byte(eventBeginning)
	}
	// What may be the beginning of a mark is kept before what is read next. It all begins on a new line.
	kept := len(mark) - 1
	buffer := append([]byte(lineEnd), make([]byte, kept+readBytes)...)[:kept+readBytes]
	before := min(1, kept)
	for {
		size, err := response.Body.Read(buffer[before:])
		if size > 0 {
			all := buffer[:before+size]
			r.received(bytes.Count(all, mark), size)
			r.read(all[before:])
			before = copy(buffer, all[max(0, len(all)-kept):])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
