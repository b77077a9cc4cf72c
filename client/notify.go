package client

import "context"

// The Notify methods are GetW, ExistsW and ChildrenW with a function in place of
// the channel, so that who has very many watches needs neither a channel nor a
// goroutine for each. The function is called once, with the event that the
// channel would yield, by the goroutine that reads replies: it must not block,
// and must not wait for the client. When the request fails it is not called.

// GetNotify is Get, and notify is called when the data changes or the node goes
// away.
func (c *Client) GetNotify(ctx context.Context, path string, notify func(Event)) ([]byte, Stat, error) {
	return c.get(ctx, path, sink{notify: notify})
}

// ExistsNotify is Exists, and notify is called when the node comes, goes or gets
// other data.
func (c *Client) ExistsNotify(ctx context.Context, path string, notify func(Event)) (Stat, bool, error) {
	return c.exists(ctx, path, sink{notify: notify})
}

// ChildrenNotify is Children, and notify is called when a child comes or goes, or
// the node itself goes away.
func (c *Client) ChildrenNotify(ctx context.Context, path string, notify func(Event)) ([]string, Stat, error) {
	return c.children(ctx, path, sink{notify: notify})
}
