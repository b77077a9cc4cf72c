package tlsconf

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"unicode/utf16"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
)

var jksMagic = []byte{0xfe, 0xed, 0xfe, 0xed}

// errTampered covers both: the format cannot tell one from the other.
var errTampered = errors.New("the password is wrong or the file is damaged")

// loadJKS checks the digest over the whole file before any length in it is
// believed.
func loadJKS(data []byte, password string) (keystore.KeyStore, error) {
	ks := keystore.New(keystore.WithOrderedAliases())
	if len(data) < sha1.Size {
		return ks, errTampered
	}
	body := data[:len(data)-sha1.Size]
	h := sha1.New()
	for _, u := range utf16.Encode([]rune(password)) {
		h.Write([]byte{byte(u >> 8), byte(u)})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(body)
	if subtle.ConstantTimeCompare(h.Sum(nil), data[len(body):]) != 1 {
		return ks, errTampered
	}
	if err := ks.Load(bytes.NewReader(data), []byte(password)); err != nil {
		return ks, fmt.Errorf("reading: %w", err)
	}
	return ks, nil
}

func jksKeys(data []byte, password string) ([]tls.Certificate, error) {
	ks, err := loadJKS(data, password)
	if err != nil {
		return nil, err
	}
	var certs []tls.Certificate
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		c, err := jksKey(ks, alias, password)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", alias, err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

func jksKey(ks keystore.KeyStore, alias, password string) (tls.Certificate, error) {
	e, err := ks.GetPrivateKeyEntry(alias, []byte(password))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("decrypting the private key with the store's password: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(e.PrivateKey)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("private key: %w", err)
	}
	var chain []*x509.Certificate
	for _, c := range e.CertificateChain {
		x, err := x509.ParseCertificate(c.Content)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("certificate: %w", err)
		}
		chain = append(chain, x)
	}
	return pair(key, chain)
}

func jksTrusted(data []byte, password string) ([]*x509.Certificate, error) {
	ks, err := loadJKS(data, password)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, alias := range ks.Aliases() {
		if !ks.IsTrustedCertificateEntry(alias) {
			continue
		}
		e, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", alias, err)
		}
		c, err := x509.ParseCertificate(e.Certificate.Content)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", alias, err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}
