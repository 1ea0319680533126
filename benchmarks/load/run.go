// What all load has in common: when runs start, what is noted of each, and the summary.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const problemsMax = 10

// plan is what the flags say of any load.
type plan struct {
	runs        int
	repeat      int
	ramp        float64 // seconds
	timeout     float64 // seconds
	hold        float64 // seconds
	connections int
	message     string
	asked       settings // what the message asks of the model server; no tokens: unknown
	late        histogram
	waiting     atomic.Int64 // streams of first runs that have had no event
	heldAt      atomic.Int64 // when there were none any more, Unix ns
}

func (p *plan) addFlags(flags *flag.FlagSet) {
	flags.IntVar(&p.runs, "runs", 1, "runs at a time")
	flags.IntVar(&p.repeat, "repeat", 1, "how many runs each of them is, one after another")
	flags.Float64Var(&p.ramp, "ramp", 0, "seconds over which they start; 0: all at once")
	flags.Float64Var(&p.timeout, "timeout", 300, "seconds that one run may take")
	flags.Float64Var(&p.hold, "hold", 0, "say held on stderr when every stream has had an event, and keep the connections\n"+
		"open for at least these seconds")
	flags.StringVar(&p.message, "message", "bench tokens=100", "what the user says")
}

// check is called when the flags are parsed.
func (p *plan) check() error {
	if p.runs < 1 || p.repeat < 1 || p.timeout <= 0 || p.ramp < 0 || p.hold < 0 || p.connections < 0 {
		return errors.New("runs, repeat and timeout are more than 0, ramp, hold and connections not less")
	}
	p.asked, _ = parseSettings(p.message)
	return nil
}

// run is what one of them did.
type run struct {
	plan       *plan
	worker     int // which of those at a time
	number     int // which of all: worker + repetition × runs
	start      time.Time
	firstEvent time.Time
	firstDelta time.Time
	firstToken time.Time
	end        time.Time
	messages   int
	bytes      int
	problem    string // empty: it went well
	isTrusting bool   // tokens count whatever their time
	scanner    scanner
	now        time.Time // when the bytes at hand came
	followers  []*follower
}

// fail notes the first problem.
func (r *run) fail(format string, arguments ...any) {
	if r.problem == "" {
		r.problem = fmt.Sprintf("run %d: ", r.number) + fmt.Sprintf(format, arguments...)
	}
}

// received notes that so many messages came, now.
func (r *run) received(messages, size int) {
	r.now = time.Now()
	r.messages += messages
	r.bytes += size
	if r.firstEvent.IsZero() {
		r.firstEvent = r.now
		r.hasEvent()
	}
}

// hasEvent counts down the streams that --hold waits for.
func (r *run) hasEvent() {
	if r.number == r.worker && r.plan.waiting.Add(-1) == 0 && r.plan.hold > 0 {
		r.plan.heldAt.Store(time.Now().UnixNano())
		fmt.Fprintln(os.Stderr, "held")
	}
}

// read looks for tokens in what was received.
func (r *run) read(data []byte) {
	before := r.scanner.seen
	r.scanner.feed(data)
	if before == 0 && r.scanner.seen > 0 {
		r.firstToken = r.now
	}
}

// accept takes a token that was sent since the run began, give or take a second, and notes how late it is.
func (r *run) accept(sent int64) bool {
	late := lateness(sent, r.now)
	isOurs := late > -1e6 && late < r.now.Sub(r.start).Microseconds()+1e6
	if isOurs {
		r.plan.late.add(late)
	}
	return isOurs || r.isTrusting
}

// drive makes all runs and waits for them.
func (p *plan) drive(do func(context.Context, *run)) []*run {
	all := make([]*run, p.runs*p.repeat)
	var working sync.WaitGroup
	start := time.Now()
	for worker := range p.runs {
		working.Go(func() {
			time.Sleep(time.Until(start.Add(seconds(p.ramp * float64(worker) / float64(p.runs)))))
			for repetition := range p.repeat {
				number := worker + repetition*p.runs
				all[number] = &run{plan: p, worker: worker, number: number}
				p.once(all[number], do)
			}
		})
	}
	working.Wait()
	if held := p.heldAt.Load(); held > 0 {
		time.Sleep(time.Until(time.Unix(0, held).Add(seconds(p.hold))))
	}
	return all
}

func (p *plan) once(r *run, do func(context.Context, *run)) {
	r.scanner.accept = r.accept
	ctx, cancel := context.WithTimeout(context.Background(), seconds(p.timeout))
	defer cancel()
	r.start = time.Now()
	do(ctx, r)
	r.scanner.end()
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

// summary is what is printed. Times are of the runs that went well; null when there were none.
type summary struct {
	Runs         int             `json:"runs"`
	OK           int             `json:"ok"`
	Problems     []string        `json:"problems"`
	Tokens       int             `json:"tokens"`
	Messages     int             `json:"messages"`
	Bytes        int             `json:"bytes"`
	Seconds      float64         `json:"seconds"`
	FirstEvent   *spread         `json:"first_event_ms"`
	FirstDelta   *spread         `json:"first_delta_ms"`
	FirstToken   *spread         `json:"first_token_ms"`
	Duration     *spread         `json:"duration_s"`
	SlowestRatio float64         `json:"slowest_ratio"`
	Lateness     *spread         `json:"lateness_ms"`
	Followers    followerSummary `json:"followers"`
	CPU          float64         `json:"cpu_seconds"`
}

type followerSummary struct {
	OK       int      `json:"ok"`
	Problems []string `json:"problems"`
	Messages int      `json:"messages"`
}

func (p *plan) print(all []*run) error {
	made := summary{Runs: len(all), Problems: []string{}, Lateness: p.late.spread(), CPU: rounded(cpuSeconds())}
	made.Followers.Problems = []string{}
	var event, delta, token, duration []float64
	first, last := all[0].start, all[0].end
	for _, r := range all {
		made.Tokens += r.scanner.seen
		made.Messages += r.messages
		made.Bytes += r.bytes
		if r.start.Before(first) {
			first = r.start
		}
		if r.end.After(last) {
			last = r.end
		}
		made.Followers.add(r.followers)
		if r.problem != "" {
			made.Problems = noted(made.Problems, r.problem)
			continue
		}
		made.OK++
		event = since(event, r.start, r.firstEvent)
		delta = since(delta, r.start, r.firstDelta)
		token = since(token, r.start, r.firstToken)
		duration = append(duration, r.end.Sub(r.start).Seconds())
	}
	made.Seconds = rounded(last.Sub(first).Seconds())
	made.FirstEvent, made.FirstDelta, made.FirstToken = spreadOf(event), spreadOf(delta), spreadOf(token)
	if made.Duration = spreadOf(duration); made.Duration != nil {
		least := rounded(duration[0])
		made.Duration.Min = &least
		made.SlowestRatio = rounded(duration[len(duration)-1] / duration[len(duration)/2])
	}
	return json.NewEncoder(os.Stdout).Encode(made)
}

func (s *followerSummary) add(followers []*follower) {
	for _, f := range followers {
		s.Messages += f.messages
		if f.problem == "" {
			s.OK++
		} else {
			s.Problems = noted(s.Problems, f.problem)
		}
	}
}

func noted(problems []string, problem string) []string {
	if len(problems) < problemsMax {
		problems = append(problems, problem)
	}
	return problems
}

// since adds the milliseconds from start to a moment, if that came.
func since(values []float64, start, moment time.Time) []float64 {
	if moment.IsZero() {
		return values
	}
	return append(values, moment.Sub(start).Seconds()*1000)
}

// rounded keeps a millionth.
func rounded(value float64) float64 { return math.Round(value*1e6) / 1e6 }

// cpuSeconds is what this process has used, user and system.
func cpuSeconds() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}
