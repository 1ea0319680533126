// Tokens that carry their index and the time they were sent, and the settings that ask for them.

package main

import (
	"math"
	"regexp"
	"strconv"
	"time"
)

const (
	tokenBytes   = 11             // three of index, seven of time, a space
	indexModulus = 36 * 36 * 36   // indices start again after 46,656 tokens
	timeModulus  = 78_364_164_096 // 36^7 µs, about 21.8 hours
	digits       = "0123456789abcdefghijklmnopqrstuvwxyz"
)

// settings are what a message asks of the model server.
type settings struct {
	tokens int           // content chunks of the answer
	rate   float64       // tokens a second; 0: as fast as possible
	rounds int           // rounds of tool calls before the text
	wait   time.Duration // before the first chunk
	size   int           // bytes of a token; less than tokenBytes: no padding
}

// tokenSize is how long each token is, its space included.
func (s settings) tokenSize() int { return max(s.size, tokenBytes) }

var (
	settingsPattern = regexp.MustCompile(`\bbench((?:\s+(?:tokens|rate|rounds|wait|size)=[0-9.]+)+)`)
	settingPattern  = regexp.MustCompile(`(\w+)=([0-9.]+)`)
)

// parseSettings reads the last "bench key=value …" of a text. False when there is none, or a value is not a number.
func parseSettings(text string) (settings, bool) {
	found := settingsPattern.FindAllStringSubmatch(text, -1)
	if len(found) == 0 {
		return settings{}, false
	}
	var parsed settings
	for _, pair := range settingPattern.FindAllStringSubmatch(found[len(found)-1][1], -1) {
		// A full stop may end the sentence that the settings stand in.
		value, err := strconv.ParseFloat(trimStop(pair[2]), 64)
		if err != nil || value > math.MaxInt32 {
			return settings{}, false
		}
		switch pair[1] {
		case "tokens":
			parsed.tokens = int(value)
		case "rate":
			parsed.rate = value
		case "rounds":
			parsed.rounds = int(value)
		case "wait":
			parsed.wait = time.Duration(value * float64(time.Millisecond))
		case "size":
			parsed.size = int(value)
		}
	}
	return parsed, true
}

func trimStop(number string) string {
	if last := len(number) - 1; last > 0 && number[last] == '.' {
		return number[:last]
	}
	return number
}

// due is when token k of an answer that began at start has to be sent.
func (s settings) due(start time.Time, k int) time.Time {
	return start.Add(time.Duration(float64(k) * float64(time.Second) / s.rate))
}

// putToken writes the index and the time into the first ten bytes of a token.
func putToken(token []byte, index int, now time.Time) {
	putBase36(token[:3], int64(index%indexModulus))
	putBase36(token[3:10], now.UnixMicro()%timeModulus)
}

func putBase36(into []byte, value int64) {
	for i := len(into) - 1; i >= 0; i-- {
		into[i] = digits[value%36]
		value /= 36
	}
}

// newToken makes a token of a size, with its padding and space, to be filled in by putToken.
func newToken(size int) []byte {
	token := make([]byte, size)
	for i := range token {
		token[i] = 'x'
	}
	token[size-1] = ' '
	return token
}

// lateness is how long after a token's time now is, in µs. Less than zero when a clock was set.
func lateness(sent int64, now time.Time) int64 {
	late := (now.UnixMicro() - sent) % timeModulus
	if late < 0 {
		late += timeModulus
	}
	if late > timeModulus/2 {
		late -= timeModulus
	}
	return late
}

// scanner finds the tokens of one answer in whatever is around them, and passes over those it has seen. The zero value
// expects token 0.
type scanner struct {
	seen    int                   // tokens found so far; the next one's index
	accept  func(sent int64) bool // asked whether a word with the right index is a token; nil: it is
	length  int                   // of the word at hand
	index   int64                 // its first three characters
	sent    int64                 // its next seven
	isWrong bool                  // it has something after them that is no padding
	escape  int                   // characters of a JSON escape that are still to come
}

// feed reads more of the answer. A word may go on from the last call.
func (s *scanner) feed(data []byte) {
	for _, char := range data {
		value := base36[char]
		if s.escape > 0 {
			s.escaped(char)
			continue
		}
		if value < 0 {
			s.end()
			if char == '\\' {
				s.escape = 1
			}
			continue
		}
		switch {
		case s.length < 3:
			s.index = s.index*36 + int64(value)
		case s.length < 10:
			s.sent = s.sent*36 + int64(value)
		case char != 'x':
			s.isWrong = true
		}
		s.length++
	}
}

// escaped passes over what follows a backslash: an n after it does not begin a word.
func (s *scanner) escaped(char byte) {
	if s.escape--; char == 'u' && s.escape == 0 {
		s.escape = 4
	}
}

// end is told that the word at hand is over.
func (s *scanner) end() {
	if s.length >= 10 && !s.isWrong && s.index == int64(s.seen%indexModulus) && (s.accept == nil || s.accept(s.sent)) {
		s.seen++
	}
	s.length, s.index, s.sent, s.isWrong = 0, 0, 0, false
}

// base36 has each byte's value, −1 for those that are no digits.
var base36 = func() (values [256]int8) {
	for i := range values {
		values[i] = -1
	}
	for i := range digits {
		values[digits[i]] = int8(i)
	}
	return values
}()
