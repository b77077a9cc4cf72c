package discovery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// The classes of payloads that Java programs keep their metadata in.
const (
	SpringClass = "org.springframework.cloud.zookeeper.discovery.ZookeeperInstance"
	DubboClass  = "org.apache.dubbo.registry.zookeeper.ZookeeperInstance"
)

// What metadata mean something for Spring Cloud.
const (
	statusKey    = "instance_status"
	statusUp     = "UP"
	outOfService = "OUT_OF_SERVICE"
	weightKey    = "weight"
	zoneKey      = "zone"
)

// Curator is the layout of Apache Curator's service discovery, which Spring Cloud
// Zookeeper and Dubbo's application registry have, too: /services/NAME/ID holds a
// [ServiceInstance].
//
// Weight, zone and state go where Spring Cloud looks for them: into the metadata
// of the payload, as "weight", "zone" and "instance_status". A program on Curator
// alone does not look there: for it an instance is there or it is not.
type Curator struct {
	// Base is the node that holds the services. Default: /services.
	Base string
	// Class is the Java class of the payload, which a Java program must have to
	// read the instance. Default: SpringClass.
	Class string
	// WriteEnabled writes "enabled", which Curator's readers heed, and which those
	// of version 4 and older refuse to read. Default: off, as in Curator.
	WriteEnabled bool
}

// Root is Base.
func (l Curator) Root() string { return cmp.Or(l.Base, "/services") }

// ServiceName is the child's name.
func (l Curator) ServiceName(child string) (string, bool) { return child, true }

// Dir is the service's node.
func (l Curator) Dir(service string) (string, error) { return below(l.Root(), service) }

// Service kinds of a ServiceInstance.
const (
	Dynamic           = "DYNAMIC"
	DynamicSequential = "DYNAMIC_SEQUENTIAL"
	StaticService     = "STATIC"
	Permanent         = "PERMANENT"
)

// ServiceInstance is what Curator writes into the node of an instance. Marshalled
// by [ServiceInstance.Encode] it has Curator's bytes.
type ServiceInstance struct {
	Name                string          `json:"name"`
	ID                  string          `json:"id"`
	Address             string          `json:"address"`
	Port                *int            `json:"port"`
	SSLPort             *int            `json:"sslPort"`
	Payload             json.RawMessage `json:"payload"`
	RegistrationTimeUTC int64           `json:"registrationTimeUTC"` // milliseconds since 1970
	ServiceType         string          `json:"serviceType"`
	URISpec             *URISpec        `json:"uriSpec"`
	// Enabled is absent unless the writer has left Curator's compatible mode;
	// absent it is true.
	Enabled *bool `json:"enabled,omitempty"`
}

// URISpec is the pattern of an instance's URI.
type URISpec struct {
	Parts []URIPart `json:"parts"`
}

// URIPart is a text, or the name of a variable.
type URIPart struct {
	Value    string `json:"value"`
	Variable bool   `json:"variable"`
}

// payload is what SpringClass and DubboClass look like.
type payload struct {
	Class    string            `json:"@class"`
	ID       *string           `json:"id"`
	Name     string            `json:"name"`
	Metadata map[string]string `json:"metadata"`
}

// Encode makes the bytes that Curator makes of an instance.
func (s *ServiceInstance) Encode() ([]byte, error) { return marshal(s) }

// marshal makes JSON that leaves <, > and & as they are, as Jackson does.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// DecodeServiceInstance reads what Curator, or a program like it, has written.
// Members that it does not know are passed over. The error is ErrInvalid.
func DecodeServiceInstance(data []byte) (*ServiceInstance, error) {
	s := new(ServiceInstance)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%w: no service instance in JSON: %w", ErrInvalid, err)
	}
	for _, port := range []*int{s.Port, s.SSLPort} {
		if port != nil && !isPort(*port) {
			return nil, fmt.Errorf("%w: a service instance with the port %d", ErrInvalid, *port)
		}
	}
	if s.Name == "" && s.ID == "" && s.Address == "" {
		return nil, fmt.Errorf("%w: a service instance without name, id and address", ErrInvalid)
	}
	return s, nil
}

// URI is the instance's URI by its pattern, or "" if it has none.
func (s *ServiceInstance) URI() string {
	if s.URISpec == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range s.URISpec.Parts {
		if p.Variable {
			b.WriteString(s.variable(p.Value))
		} else {
			b.WriteString(p.Value)
		}
	}
	return b.String()
}

func (s *ServiceInstance) variable(name string) string {
	switch name {
	case "scheme":
		if s.SSLPort != nil {
			return "https"
		}
		return "http"
	case "name":
		return s.Name
	case "id":
		return s.ID
	case "address":
		return s.Address
	case "port":
		return number(s.Port)
	case "ssl-port":
		return number(s.SSLPort)
	case "registration-time-utc":
		return strconv.FormatInt(s.RegistrationTimeUTC, 10)
	case "service-type":
		return strings.ToLower(s.ServiceType)
	case "[":
		return "{"
	case "]":
		return "}"
	}
	return ""
}

func number(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// Encode makes a ServiceInstance of an instance.
func (l Curator) Encode(in Instance) (Node, error) {
	if err := nodeName(in.ID); err != nil {
		return Node{}, err
	}
	s := ServiceInstance{
		Name: in.Service, ID: in.ID, Address: in.Address,
		Port: port(in.Port), SSLPort: port(in.SSLPort),
		RegistrationTimeUTC: in.Registered.UnixMilli(),
		ServiceType:         Dynamic, URISpec: uriSpec(in),
	}
	if in.Static {
		s.ServiceType = StaticService
	}
	if l.WriteEnabled {
		enabled := !in.Draining
		s.Enabled = &enabled
	}
	var err error
	if s.Payload = in.Payload; s.Payload == nil {
		if s.Payload, err = l.payload(in); err != nil {
			return Node{}, err
		}
	}
	data, err := s.Encode()
	return Node{Name: in.ID, Data: data}, err
}

func port(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// uriSpec is the pattern that Spring Cloud gives its instances.
func uriSpec(in Instance) *URISpec {
	scheme, at := URIPart{"scheme", true}, "port"
	if in.Scheme != "" {
		scheme = URIPart{in.Scheme, false}
	}
	if in.Port == 0 && in.SSLPort != 0 {
		at = "ssl-port"
	}
	return &URISpec{[]URIPart{scheme, {"://", false}, {"address", true}, {":", false}, {at, true}}}
}

func (l Curator) payload(in Instance) (json.RawMessage, error) {
	p := payload{Class: cmp.Or(l.Class, SpringClass), ID: &in.ID, Name: in.Service, Metadata: map[string]string{statusKey: statusUp}}
	if in.Draining {
		p.Metadata[statusKey] = outOfService
	}
	if in.Weight != 0 {
		p.Metadata[weightKey] = strconv.Itoa(in.Weight)
	}
	if in.Zone != "" {
		p.Metadata[zoneKey] = in.Zone
	}
	maps.Copy(p.Metadata, in.Metadata)
	return marshal(p)
}

// Decode reads a ServiceInstance. What it finds of weight, zone and metadata in
// the payload, whatever its class, it takes.
func (l Curator) Decode(service, path string, data []byte) (Instance, error) {
	s, err := DecodeServiceInstance(data)
	if err != nil {
		return Instance{}, err
	}
	in := Instance{
		Service: service, ID: lastName(path), Address: s.Address,
		Registered: time.UnixMilli(s.RegistrationTimeUTC), URI: s.URI(),
		Static:   s.ServiceType == StaticService || s.ServiceType == Permanent,
		Draining: s.Enabled != nil && !*s.Enabled,
		Payload:  s.Payload,
	}
	if s.Port != nil {
		in.Port = *s.Port
	}
	if s.SSLPort != nil {
		in.SSLPort = *s.SSLPort
	}
	if s.URISpec != nil && len(s.URISpec.Parts) > 0 && !s.URISpec.Parts[0].Variable {
		if scheme, _, ok := strings.Cut(in.URI, "://"); ok {
			in.Scheme = scheme
		}
	}
	in.takePayload(s.Payload)
	return in, nil
}

// takePayload takes from a payload what instances have in common. A payload is
// its owner's business: what does not fit is passed over.
func (in *Instance) takePayload(raw json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return
	}
	var metadata map[string]json.RawMessage
	_ = json.Unmarshal(members["metadata"], &metadata) // no object: no metadata
	in.take(members)
	in.take(metadata)
	var class string
	_ = json.Unmarshal(members["@class"], &class) // no text: a class that nobody knows
	if class == SpringClass || class == DubboClass {
		in.Payload = nil
	}
	for key, value := range metadata {
		var s string
		if json.Unmarshal(value, &s) != nil || key == statusKey || key == zoneKey || key == weightKey && in.Weight != 0 {
			continue
		}
		if in.Metadata == nil {
			in.Metadata = make(map[string]string, len(metadata))
		}
		in.Metadata[key] = s
	}
}

// take takes weight, zone and state, of which the weight may be a text.
func (in *Instance) take(members map[string]json.RawMessage) {
	_ = json.Unmarshal(members[zoneKey], &in.Zone) // what is no text is no zone
	weight := strings.Trim(string(members[weightKey]), `"`)
	if n, err := strconv.Atoi(weight); err == nil && n >= 0 {
		in.Weight = n
		in.Draining = in.Draining || n == 0
	}
	var status string
	if json.Unmarshal(members[statusKey], &status) == nil && status != statusUp {
		in.Draining = true
	}
}
