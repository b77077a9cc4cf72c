package admin

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"
)

const pageHead = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>quoll</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="5">
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.4rem}h2{font-size:1rem;margin:1.5rem 0 .3rem}
table{border-collapse:collapse}td{padding:.1rem 1.5rem .1rem 0;vertical-align:top}td+td{font-variant-numeric:tabular-nums}
.bad{color:#b00020}.good{color:#1b7a2f}a{color:#0b57d0}
</style></head><body>
`

// servePage shows people what the server does and where to look further.
func (a *Admin) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if _, err := w.Write(a.page()); err != nil {
		a.Logger.Debug("cannot send the status page", "error", err)
	}
}

func (a *Admin) page() []byte {
	var b bytes.Buffer
	n := a.node.Load()
	b.WriteString(pageHead)
	fmt.Fprintf(&b, "<h1>quoll server</h1><p>%s</p>\n", html.EscapeString("Version "+a.Version))
	a.pageHealth(&b, n)
	if n != nil {
		a.pageFigures(&b, n)
	}
	a.pageLinks(&b)
	b.WriteString("</body></html>\n")
	return b.Bytes()
}

func (a *Admin) pageHealth(b *bytes.Buffer, n *Node) {
	b.WriteString("<h2>Health</h2><table>")
	for _, c := range a.readyChecks() {
		class, text := "good", "ok"
		if err := c.run(n); err != nil {
			class, text = "bad", err.Error()
		}
		row(b, c.name, fmt.Sprintf(`<span class="%s">%s</span>`, class, html.EscapeString(text)))
	}
	b.WriteString("</table>\n")
}

// row adds a line of a table; the value is HTML.
func row(b *bytes.Buffer, name, value string) {
	fmt.Fprintf(b, "<tr><td>%s</td><td>%s</td></tr>\n", html.EscapeString(name), value)
}

func (a *Admin) pageFigures(b *bytes.Buffer, n *Node) {
	s := a.scrape(n)
	text := func(name string, value any) { row(b, name, html.EscapeString(fmt.Sprint(value))) }
	b.WriteString("<h2>Now</h2><table>")
	text("Mode", n.Mode())
	text("Up for", s.now.Sub(a.Began).Round(time.Second))
	text("Last transaction", fmt.Sprintf("0x%x", uint64(n.Engine.Zxid())))
	text("Znodes", fmt.Sprintf("%d (%d ephemeral), %s of paths and data", s.tree.nodes, s.tree.ephemerals, size(s.tree.dataSize)))
	text("Sessions", n.Engine.Sessions.Len())
	text("Connections", n.Listener.Len())
	text("Watches", n.Engine.Watches.Len())
	text("Requests", fmt.Sprintf("%d received, %d replies and events sent, %d writes under way",
		s.m.Received.Load(), s.m.Sent.Load(), n.Engine.InFlight()))
	text("Latency", fmt.Sprintf("reads %s, writes %s, syncs of the log %s", latencyText(latencySummary(s.reads)),
		latencyText(latencySummary(s.writes)), latencyText(latencySummary(s.syncs))))
	data, logs := dirSizes(n)
	dataDir, logDir := n.Host.Dirs()
	if dataDir == logDir {
		text("Snapshots and logs in", dataDir+", "+size(data))
	} else {
		text("Snapshots in", dataDir+", "+size(data))
		text("Logs in", logDir+", "+size(logs))
	}
	if last, ok := n.Host.LastSnapshot(); ok {
		text("Last snapshot", fmt.Sprintf("0x%x, %s ago", uint64(last.Zxid), s.now.Sub(last.Time).Round(time.Second)))
	}
	b.WriteString("</table>\n")
}

// latencyText is for people: median and 99th percentile.
func latencyText(v summary) string {
	if v.count == 0 {
		return "none so far"
	}
	return fmt.Sprintf("%.2f ms (99 %% below %.2f)", v.at(0.5), v.at(0.99))
}

// size writes bytes for people.
func size(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

func (a *Admin) pageLinks(b *bytes.Buffer) {
	base := strings.TrimSuffix(a.Config.Admin.CommandURL, "/")
	b.WriteString(`<h2>More</h2><p><a href="/livez?verbose">livez</a> &middot; <a href="/readyz?verbose">readyz</a> &middot; ` +
		`<a href="/metrics">metrics</a></p>` + "\n<h2>Commands</h2><p>")
	for _, c := range commands() {
		name := html.EscapeString(c.names[0])
		if c.post || c.auth {
			fmt.Fprintf(b, "%s (with authorization) ", name)
			continue
		}
		if strings.HasSuffix(name, "_reset") || name == "set_trace_mask" {
			continue // a click must not change anything
		}
		fmt.Fprintf(b, `<a href="%s/%s">%s</a> `, html.EscapeString(base), name, name)
	}
	b.WriteString("</p>\n")
}
