package config

import (
	"net"
	"strconv"
	"time"

	"github.com/quollhq/quoll/internal/tlsconf"
)

// Config is everything a server can be told, checked and in Go's types.
// Sizes are in bytes. A duration that Apache writes as -1 for "none" is
// negative here, too. Values are defaults where nothing was set.
type Config struct {
	// File is the path of the configuration file, "" without one.
	File string
	// FileText is the file as it was read, for the initial_configuration command.
	FileText string
	// MyID is the content of dataDir/myid; HasMyID tells whether there is one.
	MyID    int64
	HasMyID bool

	// TickTime is the unit of initLimit, syncLimit and of the session time-outs' defaults.
	TickTime time.Duration

	Log        Log
	Data       Data
	Listen     Listen
	Session    Session
	Storage    Storage
	Purge      Purge
	Limits     Limits
	Throttle   Throttle
	Tree       Tree
	Containers Containers
	Auth       Auth
	SASL       SASL
	// TLS is for clients' connections, PeerTLS for those between servers.
	TLS     tlsconf.Options
	PeerTLS tlsconf.Options
	Admin   Admin
	Metrics Metrics
	Audit   bool

	Ensemble Ensemble

	// What follows is only for the way from keys to the fields above.
	tickMillis                       int
	superUser, peerType              string
	requireSASL, enforceAuth         bool
	enforceSchemes                   []string
	metricsNeedCert, metricsWantCert bool
	members                          memberTexts
	client                           Client
}

// Log is how the server writes its own log.
type Log struct {
	// Level is debug, info, warn or error.
	Level string
	// Format is text or json.
	Format string
}

// Data is where the state lies.
type Data struct {
	// Dir holds snapshots and myid, LogDir the transaction logs.
	Dir, LogDir string
	// AutoCreate makes missing directories.
	AutoCreate bool
	// DBAutoCreate lets a server start with no data at all.
	DBAutoCreate bool
}

// Endpoint is an address to listen on.
type Endpoint struct {
	// Enabled is false when nothing is to be listened on.
	Enabled bool
	// Host is a name or address, "" for all addresses.
	Host string
	// Port 0 lets the system choose.
	Port int
}

// String returns host:port as net.Listen takes it.
func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// Listen is how clients come in.
type Listen struct {
	Client, Secure Endpoint
	// Backlog of the listening sockets, -1 for the system's.
	Backlog int
	// Unified lets the client port speak TLS and plain text.
	Unified bool
	// KeepAlive sets TCP keep-alive on clients' connections.
	KeepAlive bool
	// SessionlessTimeout closes connections that do not begin a session.
	SessionlessTimeout time.Duration
	// HandshakeLimit is the most TLS handshakes at a time, <= 0 for any number.
	HandshakeLimit int
	// FourLetterWords are the allowed four-letter words; "*" allows all.
	FourLetterWords []string
}

// Session is about sessions' time-outs and kinds.
type Session struct {
	MinTimeout, MaxTimeout time.Duration
	// Local and LocalUpgrading are local sessions and their upgrade.
	Local, LocalUpgrading bool
	// CloseTxn logs the paths removed by a session's end.
	CloseTxn bool
}

// Storage is about transaction logs and snapshots.
type Storage struct {
	// SnapCount is the number of transactions between snapshots.
	SnapCount int
	// SnapSizeLimit starts a snapshot after so many bytes of log, <= 0 for never.
	SnapSizeLimit int64
	// PreAlloc is by how many bytes a log grows, <= 0 for no preallocation.
	PreAlloc int64
	// LogSizeLimit rolls the log after so many bytes, <= 0 for never.
	LogSizeLimit int64
	// ForceSync makes every batch durable before it is answered.
	ForceSync bool
	// FsyncWarning is how slow an fsync is to be warned about.
	FsyncWarning time.Duration
	// Compression of snapshots: "", "gz" or "snappy".
	Compression string
	// TrustEmpty starts from logs without any snapshot.
	TrustEmpty bool
	// LastProcessedZxid writes the zxid at the end of snapshots.
	LastProcessedZxid bool
	// Digest computes and checks the tree's digest.
	Digest bool
	// JuteMaxBuffer bounds one record from the network, JuteExtra what may be
	// added to it from disk and peers.
	JuteMaxBuffer, JuteExtra int64
}

// Purge is the removal of old snapshots and logs.
type Purge struct {
	// Retain is how many snapshots stay, at least 3.
	Retain int
	// Interval between purges, <= 0 for never.
	Interval time.Duration
}

// Limits bound what clients may use.
type Limits struct {
	// ClientConnections per address, <= 0 for any number.
	ClientConnections int
	// Connections in all, <= 0 for any number.
	Connections int
	// Outstanding requests in all before connections are not read.
	Outstanding int
	// LargeRequestBytes in flight, and from which size a request is large (<= 0: none is).
	LargeRequestBytes     int64
	LargeRequestThreshold int64
	// EnforceQuota refuses what is over a hard quota.
	EnforceQuota bool
}

// Throttle slows connections and requests down.
type Throttle struct {
	Connection ConnectionThrottle
	Request    RequestThrottle
}

// ConnectionThrottle is a token bucket for new connections.
type ConnectionThrottle struct {
	// Tokens in the bucket, <= 0 switches the throttle off.
	Tokens int
	// FillCount tokens are added every FillTime.
	FillTime  time.Duration
	FillCount int
	// FreezeTime between changes of the drop probability, negative for none.
	FreezeTime                                time.Duration
	DropIncrease, DropDecrease, DecreaseRatio float64
	// Weighted makes a connection cost more tokens by its kind.
	Weighted                               bool
	GlobalWeight, RenewWeight, LocalWeight int
}

// RequestThrottle bounds requests in the pipeline.
type RequestThrottle struct {
	// Max requests in the pipeline, <= 0 switches the throttle off.
	Max   int
	Stall time.Duration
	// DropStale drops requests that nobody waits for.
	DropStale bool
	// StaleLatency and StaleConnection say what makes a request stale.
	StaleLatency, StaleConnection bool
	// OpWait is after how long in the throttle a request is refused, <= 0 for never.
	OpWait time.Duration
}

// Tree is about the znodes.
type Tree struct {
	// ExtendedTypes allows TTL nodes, Emulate353 reads those of 3.5.3.
	ExtendedTypes, Emulate353 bool
}

// Containers is the removal of empty containers and old TTL nodes.
type Containers struct {
	CheckInterval time.Duration
	MaxPerMinute  int
	// MaxNeverUsed removes containers that never had a child, 0 for never.
	MaxNeverUsed time.Duration
}

// Provider is one authProvider.X.
type Provider struct {
	// Suffix is what follows "authProvider.", Class the Java class named.
	Suffix, Class string
	// Scheme is the scheme of ACLs it stands for, "" when this server lacks it.
	Scheme string
}

// Auth is who may do what.
type Auth struct {
	// Providers are the authProvider keys in the order of their suffixes.
	Providers []Provider
	// Digest is the digest scheme's switch; SuperDigest is user:base64(hash).
	Digest          bool
	SuperDigest     string
	DigestAlgorithm string
	// SuperUsers are SASL names that are super.
	SuperUsers []string
	// X509SuperUser is the subject that is super.
	X509SuperUser string
	// X509Provider is ssl.authProvider.
	X509Provider string
	// SkipACL switches all checks off.
	SkipACL bool
	// EnforceSchemes are the schemes of which a session must have one; empty
	// when no authentication is required.
	EnforceSchemes []string
	// EnsembleNames are the names clients may expect, nil for no check.
	EnsembleNames []string
	// ForwardedFor lets the admin server believe X-Forwarded-For.
	ForwardedFor bool
	// FIPS is fips-mode.
	FIPS bool
}

// Has tells whether scheme may be used in ACLs beside world and auth.
func (a Auth) Has(scheme string) bool {
	switch scheme {
	case "ip":
		return true
	case "digest":
		return a.Digest
	}
	for _, p := range a.Providers {
		if p.Scheme == scheme {
			return true
		}
	}
	return false
}

// SASL is the server's side of SASL.
type SASL struct {
	// LoginConfig is the path of the JAAS file, "" without one; JAAS its content.
	LoginConfig string
	JAAS        *JAAS
	// Section is the name of the section for clients.
	Section string
	// SuperPassword is DIGEST-MD5's password of the user "super".
	SuperPassword string
	// AllowFailed keeps connections whose SASL failed.
	AllowFailed bool
	// AnyUserCanDo is letAnySaslUserDoX.
	AnyUserCanDo string
	Kerberos     Kerberos
}

// ServerSection returns the JAAS section for clients' connections, nil if SASL
// is not configured.
func (s SASL) ServerSection() *JAASSection { return s.JAAS.Section(s.Section) }

// Kerberos is about principals' names.
type Kerberos struct {
	// Config is the path of krb5.conf, "" for the system's.
	Config                  string
	Realm                   string
	AuthToLocal             string
	RemoveHost, RemoveRealm bool
	CanonicalizeHosts       bool
	RequireConfig           bool
}

// Admin is the HTTP server of commands, health and metrics.
type Admin struct {
	Enabled bool
	Address Endpoint
	// CommandURL is the path commands are under.
	CommandURL  string
	IdleTimeout time.Duration
	// Unified speaks TLS and plain text, ForceHTTPS TLS only, NeedClientAuth
	// wants certificates.
	Unified, ForceHTTPS, NeedClientAuth bool
	// Snapshot and Restore switch these commands.
	Snapshot, Restore bool
	// RateInterval is the least time between two snapshots or restores.
	RateInterval time.Duration
}

// Metrics is the metrics provider's own port.
type Metrics struct {
	// Prometheus is true when the class names Prometheus's provider: metrics
	// are then served on HTTP and HTTPS beside the admin server.
	Prometheus bool
	Class      string
	// Runtime adds figures of the process under the names of a JVM's.
	Runtime bool
	HTTP    Endpoint
	HTTPS   Endpoint
	TLS     tlsconf.Options
}
