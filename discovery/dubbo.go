package discovery

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dubbo is the layout of Dubbo's interface registry: the name of the node
// /dubbo/INTERFACE/providers/URL is the instance, escaped. Parameters of the URL
// are the instance's metadata. Dubbo's application registry has the layout
// Curator{Class: DubboClass}, with HOST:PORT for an id.
type Dubbo struct {
	// Group is the node that holds the interfaces, without a slash. Default: dubbo.
	Group string
}

// What parameters mean something for Dubbo.
const (
	interfaceKey  = "interface"
	sideKey       = "side"
	disabledKey   = "disabled"
	timestampKey  = "timestamp"
	defaultWeight = 100 // of a provider that names none
)

// Root is the group's node.
func (l Dubbo) Root() string { return "/" + cmp.Or(l.Group, "dubbo") }

// ServiceName is the interface. Metadata, configuration and mappings are kept
// beside the interfaces.
func (l Dubbo) ServiceName(child string) (string, bool) {
	switch child {
	case "metadata", "config", "mapping":
		return "", false
	}
	name, err := url.QueryUnescape(child)
	return name, err == nil
}

// Dir is the node of the interface's providers.
func (l Dubbo) Dir(service string) (string, error) {
	if service == "" {
		return "", fmt.Errorf("%w: the name of a service is empty", ErrInvalid)
	}
	return below(l.Root(), escape(service)+"/providers")
}

// Encode makes the URL of an instance. The node holds nothing.
func (l Dubbo) Encode(in Instance) (Node, error) {
	params := maps.Clone(in.Metadata)
	if params == nil {
		params = make(map[string]string)
	}
	for key, value := range map[string]string{
		interfaceKey: in.Service, sideKey: "provider", timestampKey: strconv.FormatInt(in.Registered.UnixMilli(), 10),
	} {
		if params[key] == "" {
			params[key] = value
		}
	}
	if in.Weight != 0 {
		params[weightKey] = strconv.Itoa(in.Weight)
	}
	if in.Zone != "" {
		params[zoneKey] = in.Zone
	}
	if in.Draining {
		params[disabledKey] = "true"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s://%s/%s", cmp.Or(in.Scheme, "dubbo"), dubboHost(in), in.Service)
	sep := byte('?')
	for _, key := range slices.Sorted(maps.Keys(params)) {
		if strings.ContainsAny(key, "&=") || strings.Contains(params[key], "&") {
			return Node{}, fmt.Errorf("%w: a URL of Dubbo has no place for the parameter %q=%q", ErrInvalid, key, params[key])
		}
		b.WriteByte(sep)
		b.WriteString(key + "=" + params[key])
		sep = '&'
	}
	name := escape(b.String())
	return Node{Name: name}, nodeName(name)
}

func dubboHost(in Instance) string {
	port := cmp.Or(in.Port, in.SSLPort)
	if port == 0 {
		return in.Address
	}
	return net.JoinHostPort(in.Address, strconv.Itoa(port))
}

// Decode reads the URL that the node's name is.
func (l Dubbo) Decode(service, path string, _ []byte) (Instance, error) {
	raw, err := url.QueryUnescape(lastName(path))
	if err != nil {
		return Instance{}, fmt.Errorf("%w: not the URL of a provider: %w", ErrInvalid, err)
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme == "" {
		return Instance{}, fmt.Errorf("%w: %q is not the URL of a provider", ErrInvalid, raw)
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(rest, "/")
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	in := Instance{Service: service, ID: lastName(path), Scheme: scheme, Address: authority, Weight: defaultWeight, URI: raw}
	if host, port, err := splitHostPort(authority); err == nil {
		in.Address, in.Port = host, port
	}
	if in.Address == "" {
		return Instance{}, fmt.Errorf("%w: the URL %q has no host", ErrInvalid, raw)
	}
	for param := range strings.SplitSeq(query, "&") {
		in.takeParameter(param)
	}
	return in, nil
}

// takeParameter takes one parameter of a provider's URL.
func (in *Instance) takeParameter(param string) {
	key, value, _ := strings.Cut(param, "=")
	switch key {
	case "", interfaceKey, sideKey:
		return
	case zoneKey:
		in.Zone = value
		return
	case disabledKey:
		in.Draining = in.Draining || value == "true"
		return
	case weightKey:
		if n, err := strconv.Atoi(value); err == nil && n >= 0 {
			in.Weight = n
			in.Draining = in.Draining || n == 0
			return
		}
	case timestampKey:
		if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
			in.Registered = time.UnixMilli(ms)
		}
	}
	if in.Metadata == nil {
		in.Metadata = make(map[string]string)
	}
	in.Metadata[key] = value
}

// escape escapes as Java's URLEncoder does.
func escape(s string) string {
	s = url.QueryEscape(s)
	s = strings.ReplaceAll(s, "~", "%7E")
	return strings.ReplaceAll(s, "%2A", "*")
}

func splitHostPort(s string) (string, int, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.Atoi(port)
	if err != nil || !isPort(n) {
		return "", 0, fmt.Errorf("%q is no port", port)
	}
	return host, n, nil
}

func joinHostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
