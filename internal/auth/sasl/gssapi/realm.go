package gssapi

import (
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/config"
)

// DefaultRealm is the default realm of a Kerberos configuration file, such as
// /etc/krb5.conf: what auth_to_local's rule DEFAULT strips and what principals
// without realm are in.
func DefaultRealm(krb5conf string) (realm string, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("kerberos configuration %s: malformed: %v", krb5conf, e)
		}
	}()
	cfg, err := config.Load(krb5conf)
	var unsupported config.UnsupportedDirective
	if err != nil && !(errors.As(err, &unsupported) && cfg != nil) {
		return "", fmt.Errorf("kerberos configuration %s: %w", krb5conf, err)
	}
	if cfg.LibDefaults.DefaultRealm == "" {
		return "", fmt.Errorf("kerberos configuration %s: no default_realm in [libdefaults]", krb5conf)
	}
	return cfg.LibDefaults.DefaultRealm, nil
}
