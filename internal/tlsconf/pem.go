package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
)

// pemKeys reads the first private key of data and, as its chain, all
// certificates in their order.
func pemKeys(data []byte, password string) ([]tls.Certificate, error) {
	chain, err := pemCertificates(data)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		key, err := pemKey(block, password)
		if err != nil {
			return nil, err
		}
		c, err := pair(key, chain)
		return []tls.Certificate{c}, err
	}
	return nil, errors.New("found no private key")
}

func pemKey(block *pem.Block, password string) (any, error) {
	if _, legacy := block.Headers["DEK-Info"]; legacy {
		return nil, errors.New("found a private key in OpenSSL's old encryption, want PKCS#8 (openssl pkcs8 -topk8 converts it)")
	}
	switch block.Type {
	case "ENCRYPTED PRIVATE KEY":
		if password == "" {
			return nil, errors.New("found an encrypted private key, want a password for it")
		}
		key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("decrypting the private key (wrong password, or not encrypted by PBES2): %w", err)
		}
		return key, nil
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

func pemCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "CERTIFICATE") {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}
