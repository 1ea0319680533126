// Tokens are found in whatever is around them, and settings in whatever a server makes of a message.

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSettingsAreTheLastOnesOfAText(t *testing.T) {
	for text, want := range map[string]settings{
		"bench tokens=500 rate=50":                          {tokens: 500, rate: 50},
		"For context: bench tokens=1\nUser: bench tokens=2": {tokens: 2},
		"Say: bench rounds=3 wait=20 size=64 tokens=7.":     {tokens: 7, rounds: 3, wait: 20 * time.Millisecond, size: 64},
		`{"text": "bench rate=0.5 tokens=3"}`:               {tokens: 3, rate: 0.5},
	} {
		if got, isFound := parseSettings(text); !isFound || got != want {
			t.Errorf("%q: %+v, %v", text, got, isFound)
		}
	}
	for _, text := range []string{"", "bench", "workbench tokens=1", "tokens=1", "bench tokens=1.2.3"} {
		if got, isFound := parseSettings(text); isFound {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// tokens makes the texts of n tokens, each a millisecond after the one before.
func tokens(n, size int, start time.Time) []string {
	var made []string
	for k := range n {
		token := newToken(size)
		putToken(token, k, start.Add(time.Duration(k)*time.Millisecond))
		made = append(made, string(token))
	}
	return made
}

func TestTokensAreFoundHoweverTheyAreWrapped(t *testing.T) {
	const count = 2000
	for name, wrap := range map[string]func([]string) string{
		"as they are": func(made []string) string { return strings.Join(made, "") },
		"in events that also say what came so far, and when": func(made []string) string {
			var all strings.Builder
			for k, token := range made {
				fmt.Fprintf(&all, `data: {"created":1764000000,"delta":"\n%s","so_far":"%s"}`+"\n\n", token,
					strings.Join(made[max(0, k-3):k+1], ""))
			}
			return all.String()
		},
		"trimmed, in escaped JSON": func(made []string) string {
			var all strings.Builder
			for _, token := range made {
				fmt.Fprintf(&all, `{"event":"{\"text\":\"\u000a%s\"}"}`+"\n", strings.TrimSpace(token))
			}
			return all.String()
		},
	} {
		for _, size := range []int{tokenBytes, 40} {
			start := time.Now()
			text := wrap(tokens(count, size, start))
			for _, step := range []int{1, 7, len(text)} {
				var sent []int64
				found := scanner{accept: func(at int64) bool {
					late := lateness(at, start.Add(count*time.Millisecond))
					if late < 0 || late > 1e7 {
						return false
					}
					sent = append(sent, at)
					return true
				}}
				for at := 0; at < len(text); at += step {
					found.feed([]byte(text[at:min(at+step, len(text))]))
				}
				found.end()
				if found.seen != count || sent[count-1]-sent[0] != (count-1)*1000 {
					t.Errorf("%s, %d bytes, %d at a time: %d tokens", name, size, step, found.seen)
				}
			}
		}
	}
}

func TestAMissingTokenIsMissed(t *testing.T) {
	made := tokens(5, tokenBytes, time.Now())
	var found scanner
	found.feed([]byte(made[0] + made[1] + made[3] + made[4]))
	if found.seen != 2 {
		t.Error(found.seen)
	}
}

func TestLatenessKnowsThatTheTimeStartsAgain(t *testing.T) {
	wrap := time.UnixMicro(timeModulus * 20_000)
	for _, late := range []time.Duration{0, 5 * time.Millisecond, -5 * time.Millisecond} {
		if got := lateness((wrap.UnixMicro()-1)%timeModulus, wrap.Add(late-time.Microsecond)); got != late.Microseconds() {
			t.Errorf("%s: %d", late, got)
		}
	}
}

func TestHistogramsAreAsGoodAsTheirBuckets(t *testing.T) {
	var late histogram
	if late.spread() != nil {
		t.Error("a spread of nothing")
	}
	for value := range int64(100_000) {
		late.add(value)
	}
	got := late.spread()
	for _, pair := range [][2]float64{{got.P50, 50}, {got.P99, 99}} {
		if pair[0] < pair[1]*0.98 || pair[0] > pair[1]*1.02 {
			t.Errorf("%+v", got)
		}
	}
	if got.Max != 99.999 {
		t.Error(got.Max)
	}
	late.add(1<<62 + 1)
}
