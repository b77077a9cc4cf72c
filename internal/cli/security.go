package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/client/kerberos"
	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/tlsconf"
)

// secure adds what the properties of Apache's client ask for.
func (cc *connectConfig) secure(c config.Client) error {
	add := func(o client.Option) { cc.options = append(cc.options, o) }
	if c.JuteMaxBuffer > 0 {
		add(client.WithMaxReply(int(max(c.JuteMaxBuffer, client.DefaultMaxReply))))
	}
	if c.RequestTimeout > 0 {
		add(client.WithRequestTimeout(c.RequestTimeout))
	}
	if c.Secure {
		source, err := tlsconf.Open(c.TLS, slog.New(slog.DiscardHandler))
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		cc.tls = source
		add(client.WithDialer(tlsDialer(source)))
	}
	section := c.SASL.ClientSection()
	if section == nil {
		return nil
	}
	if login, ok := section.Kerberos(); ok {
		k := kerberosConfig(c.SASL, login)
		if kind, _, ok := strings.Cut(k.Cache, ":"); ok && !strings.Contains(kind, "/") {
			return fmt.Errorf("the tickets in %s cannot be read: want those in a file, by KRB5CCNAME=FILE:/path for kinit, too, or by ticketCache in %s", k.Cache, c.SASL.LoginConfig)
		}
		ticket, err := kerberos.New(k)
		if err != nil {
			return fmt.Errorf("%s: section %s: %w", c.SASL.LoginConfig, section.Name, err)
		}
		add(client.WithSASL(ticket))
		return nil
	}
	user, password, ok := digestLogin(section)
	if !ok {
		return fmt.Errorf("%s: section %s has neither a username and password for DIGEST-MD5 nor a Krb5LoginModule", c.SASL.LoginConfig, section.Name)
	}
	add(client.WithSASL(client.DigestMD5(user, password)))
	return nil
}

// kerberosConfig is what a module of Kerberos says, in the words of the client.
func kerberosConfig(c config.ClientSASL, login config.KerberosLogin) kerberos.Config {
	k := kerberos.Config{Principal: login.Principal, Conf: c.KerberosConfig, Service: c.Username + "/_HOST"}
	if c.ServerPrincipal != "" {
		k.Service, _, _ = strings.Cut(c.ServerPrincipal, "@")
	}
	if login.UseKeyTab {
		k.Keytab = login.KeyTab
		return k
	}
	k.Cache = strings.TrimPrefix(cmp.Or(login.TicketCache, os.Getenv("KRB5CCNAME"), fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid())), "FILE:")
	return k
}

// tlsDialer connects by TLS, with the configuration that a source has for a
// host at that moment.
func tlsDialer(source *tlsconf.Source) client.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := tls.Dialer{Config: source.Client(host)}
		return d.DialContext(ctx, network, address)
	}
}

// digestLogin finds user and password in a JAAS section.
func digestLogin(section *config.JAASSection) (user, password string, ok bool) {
	for _, m := range section.Modules {
		user, hasUser := m.Options["username"]
		password, hasPassword := m.Options["password"]
		if hasUser && hasPassword {
			return user, password, true
		}
	}
	return "", "", false
}
