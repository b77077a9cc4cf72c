package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// pkcs12Keys reads one private key with its chain, or several from a store
// that holds more.
func pkcs12Keys(data []byte, password string) ([]tls.Certificate, error) {
	key, leaf, rest, err := pkcs12.DecodeChain(data, password)
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		return nil, errTampered
	}
	if err != nil {
		return pkcs12Several(data, password, err)
	}
	c, err := pair(key, chainOf(key, append([]*x509.Certificate{leaf}, rest...)))
	return []tls.Certificate{c}, err
}

// pkcs12Several reads a store with more than one key; first is what reading
// it as one with a single key said.
func pkcs12Several(data []byte, password string, first error) ([]tls.Certificate, error) {
	//lint:ignore SA1019 it is the library's only way to read several keys
	blocks, err := pkcs12.ToPEM(data, password)
	if err != nil {
		return nil, first
	}
	var keys []any
	var pool []*x509.Certificate
	for _, b := range blocks {
		if b.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				return nil, fmt.Errorf("certificate: %w", err)
			}
			pool = append(pool, c)
			continue
		}
		key, err := anyKey(b)
		if err != nil {
			return nil, fmt.Errorf("private key: %w", err)
		}
		keys = append(keys, key)
	}
	var certs []tls.Certificate
	for _, k := range keys {
		c, err := pair(k, chainOf(k, pool))
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// anyKey reads a key in whichever of the encodings it has.
func anyKey(b *pem.Block) (any, error) {
	if k, err := x509.ParsePKCS1PrivateKey(b.Bytes); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(b.Bytes); err == nil {
		return k, nil
	}
	return x509.ParsePKCS8PrivateKey(b.Bytes)
}

func pkcs12Trusted(data []byte, password string) ([]*x509.Certificate, error) {
	certs, err := pkcs12.DecodeTrustStore(data, password)
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		return nil, errTampered
	}
	if err != nil {
		return nil, fmt.Errorf("%w (keytool -importcert makes stores of trusted certificates)", err)
	}
	return certs, nil
}
