package gssapi

import (
	"errors"
	"fmt"
	"os"

	"github.com/jcmturner/gokrb5/v8/config"
)

// DefaultRealm is the default realm of a Kerberos configuration file, such as
// /etc/krb5.conf: what auth_to_local's rule DEFAULT strips and what principals
// without realm are in. The error is os.ErrNotExist if there is no such file.
func DefaultRealm(krb5conf string) (realm string, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("kerberos configuration %s: malformed: %v", krb5conf, e)
		}
	}()
	text, err := os.ReadFile(krb5conf) // Load does not tell which error it was
	if err != nil {
		return "", fmt.Errorf("kerberos configuration: %w", err)
	}
	cfg, err := config.NewFromString(string(text))
	var unsupported config.UnsupportedDirective
	if err != nil && !(errors.As(err, &unsupported) && cfg != nil) {
		return "", fmt.Errorf("kerberos configuration %s: %w", krb5conf, err)
	}
	if cfg.LibDefaults.DefaultRealm == "" {
		return "", fmt.Errorf("kerberos configuration %s: no default_realm in [libdefaults]", krb5conf)
	}
	return cfg.LibDefaults.DefaultRealm, nil
}
