// How late tokens are, without keeping each of them.

package main

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

const (
	octaveBits    = 6                                 // 64 buckets for each doubling: at most 1.6 % wide
	octaveBuckets = 1 << octaveBits                   // also the first, exact ones
	bucketsMax    = octaveBuckets * (64 - octaveBits) // enough for any int64
)

// histogram counts µs in buckets that widen with the value. Any goroutine may add. The zero value is empty.
type histogram struct {
	counts [bucketsMax]atomic.Int64
	most   atomic.Int64
}

func (h *histogram) add(value int64) {
	value = max(value, 0)
	h.counts[bucket(value)].Add(1)
	for {
		most := h.most.Load()
		if value <= most || h.most.CompareAndSwap(most, value) {
			return
		}
	}
}

func bucket(value int64) int {
	if value < octaveBuckets {
		return int(value)
	}
	shift := bits.Len64(uint64(value)) - octaveBits - 1
	return shift*octaveBuckets + int(value>>shift)
}

// middle is the value that a bucket stands for.
func middle(bucket int) float64 {
	if bucket < 2*octaveBuckets {
		return float64(bucket)
	}
	shift := bucket/octaveBuckets - 1
	return float64(int64(bucket-shift*octaveBuckets)<<shift) + float64(int64(1)<<shift)/2
}

// spread is how values lie: half of them up to P50, 99 of 100 up to P99.
type spread struct {
	P50 float64  `json:"p50"`
	P99 float64  `json:"p99"`
	Max float64  `json:"max"`
	Min *float64 `json:"min,omitempty"`
}

// spread gives milliseconds; nil when nothing was added.
func (h *histogram) spread() *spread {
	var total int64
	for i := range h.counts {
		total += h.counts[i].Load()
	}
	if total == 0 {
		return nil
	}
	most := float64(h.most.Load())
	at := func(share float64) float64 {
		var sum int64
		for i := range h.counts {
			if sum += h.counts[i].Load(); float64(sum) >= share*float64(total) {
				return rounded(min(middle(i), most) / 1000)
			}
		}
		return rounded(most / 1000)
	}
	return &spread{P50: at(0.50), P99: at(0.99), Max: rounded(most / 1000)}
}

// spreadOf sorts values and gives how they lie; nil when there are none.
func spreadOf(values []float64) *spread {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	at := func(share float64) float64 {
		return rounded(values[int(share*float64(len(values)-1)+0.5)])
	}
	return &spread{P50: at(0.50), P99: at(0.99), Max: at(1)}
}
