package harness

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Config says how a server is to be run. The zero value is a plain server with all four-letter words allowed.
type Config struct {
	// Keys are lines of zoo.cfg, by key; they replace the harness's own.
	Keys map[string]string
	// Properties are Java system properties, by name without -D.
	Properties map[string]string
	// Secure adds a secureClientPort; the caller gives the ssl keys, see [Certificates.Keys].
	Secure bool
	// Admin turns the admin HTTP server on, on a free port.
	Admin bool
	// Dir is where zoo.cfg, data and log go; a fresh temporary directory if empty.
	Dir string
	// DataDir replaces Dir/data, for a server on data that another one wrote.
	DataDir string
}

// ports are the listeners of one server, 0 = none.
type ports struct{ client, secure, admin int }

func (c Config) choosePorts() (ports, error) {
	var p ports
	var err error
	if p.client, err = freePort(); err != nil {
		return p, err
	}
	if c.Secure {
		if p.secure, err = freePort(); err != nil {
			return p, err
		}
	}
	if c.Admin {
		if p.admin, err = freePort(); err != nil {
			return p, err
		}
	}
	return p, nil
}

const configName = "zoo.cfg"

// write puts the configuration into the file path.
func (c Config) write(path, dataDir string, p ports) error {
	keys := map[string]string{
		"dataDir":                dataDir,
		"tickTime":               "500",
		"clientPort":             fmt.Sprint(p.client),
		"clientPortAddress":      "127.0.0.1",
		"maxClientCnxns":         "0",
		"maxSessionTimeout":      "60000",
		"4lw.commands.whitelist": "*",
		"admin.enableServer":     fmt.Sprint(p.admin != 0),
	}
	if p.admin != 0 {
		keys["admin.serverPort"] = fmt.Sprint(p.admin)
		keys["admin.serverAddress"] = "127.0.0.1"
	}
	if p.secure != 0 {
		keys["secureClientPort"] = fmt.Sprint(p.secure)
		keys["secureClientPortAddress"] = "127.0.0.1"
		keys["serverCnxnFactory"] = "org.apache.zookeeper.server.NettyServerCnxnFactory"
	}
	for k, v := range c.Keys {
		keys[k] = v
	}
	return os.WriteFile(path, []byte(strings.Join(pairs(keys), "\n")+"\n"), 0o644)
}

// pairs returns m as sorted "key=value".
func pairs(m map[string]string) []string {
	var s []string
	for k, v := range m {
		s = append(s, k+"="+v)
	}
	slices.Sort(s)
	return s
}
