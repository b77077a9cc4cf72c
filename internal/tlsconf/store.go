package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxStore bounds store and password files; the largest trust stores hold a
// few hundred certificates of some kilobytes.
const maxStore = 16 << 20

// storeKind is a format of store files.
type storeKind string

const (
	kindJKS    storeKind = "JKS"
	kindPEM    storeKind = "PEM"
	kindPKCS12 storeKind = "PKCS12"
)

// ErrUnsupportedStore is wrapped by errors about store types that cannot be read.
var ErrUnsupportedStore = errors.New("unsupported store type")

// kind returns the format by the type or, without one, by the suffix.
func (s Store) kind() (storeKind, error) {
	if s.Type != "" {
		switch k := storeKind(strings.ToUpper(s.Type)); k {
		case kindJKS, kindPEM, kindPKCS12:
			return k, nil
		}
		return "", fmt.Errorf("%s: found the type %s, want JKS, PEM or PKCS12: %w", s.Location, s.Type, ErrUnsupportedStore)
	}
	switch filepath.Ext(s.Location) {
	case ".jks":
		return kindJKS, nil
	case ".pem":
		return kindPEM, nil
	case ".p12":
		return kindPKCS12, nil
	}
	return "", fmt.Errorf("%s: the suffix tells no store type, want .jks, .pem or .p12 or a type: %w", s.Location, ErrUnsupportedStore)
}

// password returns the content of PasswordPath without its line end, else Password.
func (s Store) password() (string, error) {
	if s.PasswordPath == "" {
		return s.Password, nil
	}
	b, err := readFile(s.PasswordPath)
	if err != nil {
		return "", fmt.Errorf("password of %s: %w", s.Location, err)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

// paths are the files the store depends on.
func (s Store) paths() []string {
	var ps []string
	for _, p := range []string{s.Location, s.PasswordPath} {
		if p != "" {
			ps = append(ps, p)
		}
	}
	return ps
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxStore {
		return nil, fmt.Errorf("%s is no file or larger than %d bytes", path, maxStore)
	}
	return os.ReadFile(path)
}

// open reads the store's bytes and tells format and password. A JKS that is
// really PKCS#12 or the other way round is taken for what it is, as Java does.
func (s Store) open() (data []byte, kind storeKind, password string, err error) {
	if kind, err = s.kind(); err != nil {
		return nil, "", "", err
	}
	if data, err = readFile(s.Location); err != nil {
		return nil, "", "", fmt.Errorf("store: %w", err)
	}
	if password, err = s.password(); err != nil {
		return nil, "", "", err
	}
	if kind != kindPEM {
		kind = kindPKCS12
		if bytes.HasPrefix(data, jksMagic) {
			kind = kindJKS
		}
	}
	return data, kind, password, nil
}

// keys reads the private keys with their chains.
func (s Store) keys() ([]tls.Certificate, error) {
	data, kind, password, err := s.open()
	if err != nil {
		return nil, err
	}
	var certs []tls.Certificate
	switch kind {
	case kindPEM:
		certs, err = pemKeys(data, password)
	case kindJKS:
		certs, err = jksKeys(data, password)
	default:
		certs, err = pkcs12Keys(data, password)
	}
	if err == nil && len(certs) == 0 {
		err = errors.New("found no private key with its certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("key store %s (%s): %w", s.Location, kind, err)
	}
	return certs, nil
}

// trusted reads the certificates to be trusted.
func (s Store) trusted() ([]*x509.Certificate, error) {
	data, kind, password, err := s.open()
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	switch kind {
	case kindPEM:
		certs, err = pemCertificates(data)
	case kindJKS:
		certs, err = jksTrusted(data, password)
	default:
		certs, err = pkcs12Trusted(data, password)
	}
	if err == nil && len(certs) == 0 {
		err = errors.New("found no trusted certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("trust store %s (%s): %w", s.Location, kind, err)
	}
	return certs, nil
}

// pair joins a key and its chain, whose first certificate must be the key's.
func pair(key any, chain []*x509.Certificate) (tls.Certificate, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("found a private key of type %T, want RSA, ECDSA or Ed25519", key)
	}
	if len(chain) == 0 {
		return tls.Certificate{}, errors.New("found a private key without a certificate")
	}
	if !sameKey(signer.Public(), chain[0].PublicKey) {
		return tls.Certificate{}, fmt.Errorf("the private key does not belong to the first certificate (%s)", chain[0].Subject)
	}
	c := tls.Certificate{PrivateKey: signer, Leaf: chain[0]}
	for _, x := range chain {
		c.Certificate = append(c.Certificate, x.Raw)
	}
	return c, nil
}

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// chainOf orders the certificates of pool from the one of key up to its root.
func chainOf(key any, pool []*x509.Certificate) []*x509.Certificate {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil
	}
	var chain []*x509.Certificate
	for _, c := range pool {
		if sameKey(signer.Public(), c.PublicKey) {
			chain = append(chain, c)
			break
		}
	}
	for len(chain) > 0 && len(chain) <= len(pool) {
		last := chain[len(chain)-1]
		if bytes.Equal(last.RawIssuer, last.RawSubject) {
			break
		}
		next := issuerIn(last, pool)
		if next == nil {
			break
		}
		chain = append(chain, next)
	}
	return chain
}

func issuerIn(c *x509.Certificate, pool []*x509.Certificate) *x509.Certificate {
	for _, p := range pool {
		if bytes.Equal(c.RawIssuer, p.RawSubject) && c.CheckSignatureFrom(p) == nil {
			return p
		}
	}
	return nil
}
