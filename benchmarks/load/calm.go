// A connection that is read at most once a millisecond, so that a busy one costs few wake-ups.

package main

import (
	"context"
	"net"
	"time"
)

// readInterval bounds how much later than it came a message may be seen. After a pause of that length nothing waits.
const readInterval = time.Millisecond

// calmConn is a connection that lets what comes in quick succession gather.
type calmConn struct {
	net.Conn
	last time.Time // when Read last returned
}

func dialCalm(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &calmConn{Conn: connection}, nil
}

// Read is called by one goroutine at a time.
func (c *calmConn) Read(into []byte) (int, error) {
	if passed := time.Since(c.last); passed < readInterval {
		time.Sleep(readInterval - passed)
	}
	size, err := c.Conn.Read(into)
	c.last = time.Now()
	return size, err
}
