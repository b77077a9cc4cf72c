package discovery

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ErrInvalid marks an instance, or the name of a service, that cannot be
// registered, and a node that is no instance.
var ErrInvalid = errors.New("invalid")

// Instance is one instance of a service: where it is, and what callers should
// know.
type Instance struct {
	// Service is the name of what it serves.
	Service string
	// ID tells it from the other instances of its service. Register draws one if
	// it is empty. As read, it is the name of the node where the layout has names
	// of its own choosing.
	ID string
	// Address is a host name or an IP address, without a port.
	Address string
	// Port and SSLPort are where it listens; 0 where it does not.
	Port, SSLPort int
	// Scheme is the protocol it speaks, as "http", "grpc", "dubbo". Empty: http,
	// or https if there is only an SSLPort.
	Scheme string
	// Weight is its share of the load compared with the others'. 0 counts as 1.
	Weight int
	// Zone is where it runs, for callers that prefer their own zone.
	Zone string
	// Draining says that it answers but wants no new work.
	Draining bool
	// Metadata is whatever else callers want to know.
	Metadata map[string]string
	// Registered is when it was registered, in milliseconds precisely.
	Registered time.Time
	// Static says that it stays registered after its session, until somebody
	// removes it.
	Static bool
	// Payload is what a foreign program keeps in an instance of Curator's layout,
	// as JSON. If it is set when an instance is written, it is written as it is,
	// and Weight, Zone, Draining and Metadata are not.
	Payload json.RawMessage
	// URI is where to call the instance, as it says itself; set on reading.
	URI string
	// Path is its node; set on reading.
	Path string
	// Session owns the node; 0 if it is static. Set on reading.
	Session int64
}

// HostPort is the address to connect to: with Port, or SSLPort if there is none.
func (in Instance) HostPort() string {
	return net.JoinHostPort(in.Address, strconv.Itoa(cmp.Or(in.Port, in.SSLPort)))
}

// clone copies what a caller may change.
func (in Instance) clone() Instance {
	in.Metadata = maps.Clone(in.Metadata)
	return in
}

// valid tells what keeps an instance from being registered.
func (in Instance) valid() error {
	switch {
	case in.Address == "":
		return fmt.Errorf("%w: an instance of %q has no address", ErrInvalid, in.Service)
	case !isHost(in.Address):
		return fmt.Errorf("%w: an instance of %q has the address %q, which is no host name or IP address", ErrInvalid, in.Service, in.Address)
	case !isPort(in.Port) || !isPort(in.SSLPort):
		return fmt.Errorf("%w: an instance of %q has the ports %d and %d", ErrInvalid, in.Service, in.Port, in.SSLPort)
	case in.Weight < 0:
		return fmt.Errorf("%w: an instance of %q has the weight %d", ErrInvalid, in.Service, in.Weight)
	case in.Payload != nil && !json.Valid(in.Payload):
		return fmt.Errorf("%w: the payload of an instance of %q is no JSON", ErrInvalid, in.Service)
	}
	return nil
}

func isPort(n int) bool { return n >= 0 && n <= 65535 }

// longestName bounds the name of a host, in bytes, as DNS does.
const longestName = 253

// isHost tells whether text is an IP address or may be the name of a host. Names
// of containers have underscores, too.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	if len(text) > longestName {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(text, "."), ".") {
		if label == "" || strings.Trim(label, "-") != label || strings.ContainsFunc(label, notOfName) {
			return false
		}
	}
	return true
}

func notOfName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
