package zk

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxWord bounds the answer to a four-letter word: a line for each of very many
// connections.
const maxWord = 64 << 20

var errUnparsed = errors.New("unable to parse fields from zookeeper response")

// FLWSrvr asks servers by "srvr" how they are. The result has an entry for each;
// ok tells that none of them has an Error.
func FLWSrvr(servers []string, timeout time.Duration) (stats []*ServerStats, ok bool) {
	ok = true
	for _, server := range FormatServers(servers) {
		answer, err := fourLetterWord(server, "srvr", timeout)
		s := &ServerStats{Error: err}
		if err == nil {
			s = parseSrvr(answer)
		}
		s.Server = server
		ok = ok && s.Error == nil
		stats = append(stats, s)
	}
	return stats, ok
}

func parseSrvr(answer string) *ServerStats {
	f := fields{}
	for line := range strings.Lines(answer) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), ": "); found {
			f[key] = value
		}
	}
	version, built, _ := strings.Cut(f["Zookeeper version"], ", built on ")
	build, err := buildTime(built)
	latency := strings.Split(f["Latency min/avg/max"], "/")
	if err != nil || len(latency) != 3 {
		return &ServerStats{Error: fmt.Errorf("%w: %q", errUnparsed, answer)}
	}
	zxid := f.number("Zxid")
	s := &ServerStats{
		Version: version, BuildTime: build, Mode: modeOf(f["Mode"]),
		Received: f.number("Received"), Sent: f.number("Sent"), Connections: f.number("Connections"),
		Outstanding: f.number("Outstanding"), NodeCount: f.number("Node count"),
		MinLatency: number(latency[0]), MaxLatency: number(latency[2]),
		Epoch: int32(zxid >> 32), Counter: int32(zxid),
	}
	s.AvgLatency, _ = strconv.ParseFloat(latency[1], 64) // 0 if it is no number
	return s
}

// buildTime reads the date of a build: in the form of servers before 3.6, or
// later ones.
func buildTime(s string) (t time.Time, err error) {
	for _, layout := range []string{"01/02/2006 15:04 MST", "2006-01-02 15:04 MST"} {
		if t, err = time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return t, err
}

func modeOf(s string) Mode {
	for _, m := range []Mode{ModeLeader, ModeFollower, ModeStandalone} {
		if m.String() == s {
			return m
		}
	}
	return ModeUnknown
}

// FLWRuok asks servers by "ruok" whether they run.
func FLWRuok(servers []string, timeout time.Duration) []bool {
	oks := make([]bool, len(servers))
	for i, server := range FormatServers(servers) {
		answer, err := fourLetterWord(server, "ruok", timeout)
		oks[i] = err == nil && strings.HasPrefix(answer, "imok")
	}
	return oks
}

// FLWCons asks servers by "cons" for their clients. The result has an entry for
// each; ok tells that none of them has an Error.
func FLWCons(servers []string, timeout time.Duration) (clients []*ServerClients, ok bool) {
	ok = true
	for _, server := range FormatServers(servers) {
		answer, err := fourLetterWord(server, "cons", timeout)
		s := &ServerClients{Error: err}
		for line := range strings.Lines(answer) {
			if line = strings.TrimSpace(line); line == "" || s.Error != nil {
				continue
			}
			var one *ServerClient
			if one, s.Error = parseCons(line); one != nil {
				s.Clients = append(s.Clients, one)
			}
		}
		ok = ok && s.Error == nil
		clients = append(clients, s)
	}
	return clients, ok
}

// consLine is "/address:port[ops](key=value,...)".
var consLine = regexp.MustCompile(`^/(.+:\d+)\[\d+\]\((.*)\)$`)

func parseCons(line string) (*ServerClient, error) {
	m := consLine.FindStringSubmatch(line)
	if m == nil {
		return nil, fmt.Errorf("%w: %q", errUnparsed, line)
	}
	f := fields{}
	for pair := range strings.SplitSeq(m[2], ",") {
		if key, value, found := strings.Cut(pair, "="); found {
			f[key] = value
		}
	}
	return &ServerClient{
		Addr: m[1], LastOperation: f["lop"],
		Queued: f.number("queued"), Received: f.number("recved"), Sent: f.number("sent"),
		SessionID: f.number("sid"), Lcxid: f.number("lcxid"), Lzxid: f.number("lzxid"),
		Timeout: int32(f.number("to")), LastLatency: int32(f.number("llat")), MinLatency: int32(f.number("minlat")),
		AvgLatency: int32(f.number("avglat")), MaxLatency: int32(f.number("maxlat")),
		// The server tells milliseconds. That they are taken for seconds is what
		// programs have come to live with.
		Established: time.Unix(f.number("est"), 0), LastResponse: time.Unix(f.number("lresp"), 0),
	}, nil
}

// fields are what a server has answered, by key.
type fields map[string]string

func (f fields) number(key string) int64 { return number(f[key]) }

// number reads a decimal number, or a hexadecimal one of 64 bits, which may have
// the sign as its first bit; 0 of what is none.
func number(s string) int64 {
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		n, _ := strconv.ParseUint(hex, 16, 64)
		return int64(n)
	}
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func fourLetterWord(server, word string, timeout time.Duration) (string, error) {
	conn, err := net.DialTimeout("tcp", server, timeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, maxWord))
	return string(answer), err
}
