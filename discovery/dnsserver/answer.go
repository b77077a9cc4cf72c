package dnsserver

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/quollhq/quoll/discovery"
)

// ttl is the time to live of all records, in seconds.
const ttl = 1

// source knows what names stand for.
type source interface {
	// zone are the labels of the domain.
	zone() []string
	// instances are those of the service that a label stands for; found is false
	// if there is no such service.
	instances(ctx context.Context, label string) (list []discovery.Instance, found bool, err error)
}

func (s *Server) zone() []string { return s.domain }

// instances looks a service up, in whatever case its name is written.
func (s *Server) instances(ctx context.Context, label string) ([]discovery.Instance, bool, error) {
	names, err := s.d.Services(ctx)
	if err != nil {
		return nil, false, err
	}
	i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, label) })
	if i < 0 {
		return nil, false, nil
	}
	now, err := s.pool.Snapshot(ctx, names[i])
	if err != nil {
		s.log.Warn("service not followed", "service", names[i], "error", err)
		return nil, false, err
	}
	ready := slices.Clone(now.Ready())
	rand.Shuffle(len(ready), func(i, j int) { ready[i], ready[j] = ready[j], ready[i] })
	return ready, true, nil
}

// response is an answer that is being made.
type response struct {
	dnsmessage.Message
	limit int // bytes
}

// answer answers a query; nil if it is none.
func answer(ctx context.Context, src source, query []byte, stream bool) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil || header.Response {
		return nil
	}
	r := response{limit: minUDPAnswer}
	r.Header = dnsmessage.Header{ID: header.ID, Response: true, OpCode: header.OpCode, RecursionDesired: header.RecursionDesired}
	question, err := p.Question()
	switch {
	case header.OpCode != 0:
		r.RCode = dnsmessage.RCodeNotImplemented
	case err != nil:
		r.RCode = dnsmessage.RCodeFormatError
	default:
		r.Questions = []dnsmessage.Question{question}
		r.takeSize(&p)
		r.fill(ctx, src, question)
	}
	if stream {
		r.limit = maxTCPAnswer
	}
	return r.pack()
}

// takeSize takes how much the client accepts from its EDNS option.
func (r *response) takeSize(p *dnsmessage.Parser) {
	if p.SkipAllQuestions() != nil || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return
		}
		if h.Type == dnsmessage.TypeOPT {
			r.limit = min(max(int(h.Class), minUDPAnswer), maxUDPAnswer)
			var own dnsmessage.ResourceHeader
			if own.SetEDNS0(maxUDPAnswer, dnsmessage.RCodeSuccess, false) == nil {
				r.Additionals = append(r.Additionals, dnsmessage.Resource{Header: own, Body: &dnsmessage.OPTResource{}})
			}
			return
		}
		if p.SkipAdditional() != nil {
			return
		}
	}
}

// pack encodes the answer; if it is too long, only that it was cut.
func (r *response) pack() []byte {
	b, err := r.Pack()
	if err == nil && len(b) > r.limit {
		r.Truncated = true
		r.Answers, r.Authorities = nil, nil
		r.Additionals = slices.DeleteFunc(r.Additionals, func(a dnsmessage.Resource) bool { return a.Header.Type != dnsmessage.TypeOPT })
		b, err = r.Pack()
	}
	if err != nil {
		return nil
	}
	return b
}

// fill answers one question.
func (r *response) fill(ctx context.Context, src source, q dnsmessage.Question) {
	labels, mine := below(src.zone(), q.Name.String())
	if !mine || q.Class != dnsmessage.ClassINET && q.Class != dnsmessage.ClassANY {
		r.RCode = dnsmessage.RCodeRefused
		return
	}
	r.Authoritative = true
	switch {
	case len(labels) == 0:
	case len(labels) == 2 && labels[1] == addrLabel:
		if addr, ok := address(labels[0]); ok {
			r.host(q, q.Name, addr, &r.Answers)
		} else {
			r.RCode = dnsmessage.RCodeNameError
		}
	case len(labels) == 1:
		r.service(ctx, src, q, labels[0], q.Type == dnsmessage.TypeSRV)
	case len(labels) == 2 && labels[1] == "_tcp" && len(labels[0]) > 1 && labels[0][0] == '_':
		r.service(ctx, src, q, labels[0][1:], true)
	default:
		r.RCode = dnsmessage.RCodeNameError
	}
	if len(r.Answers) == 0 && r.RCode != dnsmessage.RCodeServerFailure {
		r.negative(src.zone())
	}
}

// below splits a name into the labels before the domain, in lower case.
func below(zone []string, name string) (labels []string, mine bool) {
	labels = strings.Split(strings.ToLower(strings.TrimSuffix(name, ".")), ".")
	n := len(labels) - len(zone)
	if n < 0 || !slices.Equal(labels[n:], zone) {
		return nil, false
	}
	return labels[:n], true
}

func (r *response) service(ctx context.Context, src source, q dnsmessage.Question, label string, srv bool) {
	instances, found, err := src.instances(ctx, label)
	switch {
	case errors.Is(err, discovery.ErrInvalid) || err == nil && !found:
		r.RCode = dnsmessage.RCodeNameError
		return
	case err != nil:
		r.RCode = dnsmessage.RCodeServerFailure
		return
	}
	seen := make(map[string]bool)
	for _, in := range instances {
		if srv && q.Type == dnsmessage.TypeSRV {
			r.srv(src.zone(), q, in)
		} else if addr, err := netip.ParseAddr(in.Address); err == nil && !srv && !seen[in.Address] {
			seen[in.Address] = true
			r.host(q, q.Name, addr, &r.Answers)
		}
	}
}

// host adds the record of an address if the question is for its kind.
func (r *response) host(q dnsmessage.Question, name dnsmessage.Name, addr netip.Addr, to *[]dnsmessage.Resource) {
	addr = addr.Unmap()
	header := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl}
	switch {
	case addr.Is4() && q.Type != dnsmessage.TypeAAAA:
		header.Type = dnsmessage.TypeA
		*to = append(*to, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
	case addr.Is6() && q.Type != dnsmessage.TypeA:
		header.Type = dnsmessage.TypeAAAA
		*to = append(*to, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
	}
	if last := len(*to) - 1; last >= 0 && q.Type != dnsmessage.TypeSRV && q.Type != dnsmessage.TypeALL && (*to)[last].Header.Type != q.Type {
		*to = (*to)[:last]
	}
}

// srv adds where an instance listens.
func (r *response) srv(zone []string, q dnsmessage.Question, in discovery.Instance) {
	target := in.Address + "."
	addr, err := netip.ParseAddr(in.Address)
	if err == nil {
		target = addressName(addr) + "." + strings.Join(zone, ".") + "."
	}
	name, tooLong := dnsmessage.NewName(target)
	if tooLong != nil {
		return
	}
	r.Answers = append(r.Answers, dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET, TTL: ttl},
		Body:   &dnsmessage.SRVResource{Weight: uint16(min(max(in.Weight, 1), 65535)), Port: uint16(cmp.Or(in.Port, in.SSLPort)), Target: name},
	})
	if err == nil {
		r.host(q, name, addr, &r.Additionals)
	}
}

// addrLabel is the label below which each address has a name.
const addrLabel = "addr"

func addressName(addr netip.Addr) string {
	text := addr.WithZone("").Unmap().String()
	if addr.Unmap().Is6() {
		text = addr.WithZone("").StringExpanded() // a label neither begins nor ends with a hyphen
	}
	return strings.NewReplacer(".", "-", ":", "-").Replace(text) + "." + addrLabel
}

// address reads what addressName has made.
func address(label string) (netip.Addr, bool) {
	sep := "."
	if strings.Count(label, "-") == 7 {
		sep = ":"
	}
	addr, err := netip.ParseAddr(strings.ReplaceAll(label, "-", sep))
	return addr, err == nil
}

// negative says that there is no such record, and for how long that holds.
func (r *response) negative(zone []string) {
	name, err := dnsmessage.NewName(strings.Join(zone, ".") + ".")
	if err != nil {
		return
	}
	r.Authorities = append(r.Authorities, dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET, TTL: ttl},
		Body: &dnsmessage.SOAResource{
			NS: name, MBox: name, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, MinTTL: ttl,
		},
	})
}
