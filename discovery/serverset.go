package discovery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// ServerSet is the layout of Twitter's ServerSets, which Finagle, Aurora and
// Prometheus have: BASE/NAME/member_NNNNNNNNNN holds the endpoints in JSON.
// Weight, zone and metadata have no place in it; the metadata read are the
// additional endpoints, as "endpoint.NAME", and the shard.
type ServerSet struct {
	// Base is the node that holds the services; empty is the root.
	Base string
}

// member is what a node holds.
type member struct {
	Service    *endpoint           `json:"serviceEndpoint"`
	Additional map[string]endpoint `json:"additionalEndpoints"`
	Status     string              `json:"status"`
	Shard      *int                `json:"shard,omitempty"`
}

type endpoint struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

const (
	memberPrefix  = "member_"
	statusAlive   = "ALIVE"
	statusStopped = "STOPPING"
	shardKey      = "shard"
	endpointKey   = "endpoint."
)

// Root is Base.
func (l ServerSet) Root() string { return cmp.Or(l.Base, "/") }

// ServiceName is the child's name.
func (l ServerSet) ServiceName(child string) (string, bool) { return child, child != "zookeeper" }

// Dir is the service's node.
func (l ServerSet) Dir(service string) (string, error) { return below(l.Root(), service) }

// Encode makes the member of an instance.
func (l ServerSet) Encode(in Instance) (Node, error) {
	if in.Static {
		return Node{}, fmt.Errorf("%w: a ServerSet has no static instances", ErrInvalid)
	}
	m := member{Service: &endpoint{in.Address, cmp.Or(in.Port, in.SSLPort)}, Additional: map[string]endpoint{}, Status: statusAlive}
	if in.Draining {
		m.Status = statusStopped
	}
	for key, value := range in.Metadata {
		if err := m.put(key, value); err != nil {
			return Node{}, err
		}
	}
	data, err := marshal(m)
	return Node{Name: memberPrefix, Data: data, Sequential: true}, err
}

// put puts metadata where a member has a place for it.
func (m *member) put(key, value string) error {
	if key == shardKey {
		shard, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%w: the shard %q is no number", ErrInvalid, value)
		}
		m.Shard = &shard
		return nil
	}
	name, ok := strings.CutPrefix(key, endpointKey)
	if !ok {
		return fmt.Errorf("%w: a ServerSet has no place for the metadata %q", ErrInvalid, key)
	}
	host, port, err := splitHostPort(value)
	if err != nil {
		return fmt.Errorf("%w: the endpoint %q: %w", ErrInvalid, name, err)
	}
	m.Additional[name] = endpoint{host, port}
	return nil
}

// Decode reads a member.
func (l ServerSet) Decode(service, path string, data []byte) (Instance, error) {
	var m member
	if err := json.Unmarshal(data, &m); err != nil {
		return Instance{}, fmt.Errorf("%w: no member of a ServerSet in JSON: %w", ErrInvalid, err)
	}
	if m.Service == nil || m.Service.Host == "" || !isPort(m.Service.Port) {
		return Instance{}, fmt.Errorf("%w: a member of a ServerSet without a service endpoint", ErrInvalid)
	}
	in := Instance{
		Service: service, ID: lastName(path), Address: m.Service.Host, Port: m.Service.Port,
		Draining: m.Status != statusAlive && m.Status != "",
	}
	if len(m.Additional) > 0 || m.Shard != nil {
		in.Metadata = make(map[string]string)
	}
	for name, e := range m.Additional {
		in.Metadata[endpointKey+name] = joinHostPort(e.Host, e.Port)
	}
	if m.Shard != nil {
		in.Metadata[shardKey] = strconv.Itoa(*m.Shard)
	}
	return in, nil
}
