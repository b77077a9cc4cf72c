package configcenter

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrSealed is why a value cannot be decrypted: there is no such key, or somebody
// has changed the value or moved it to another property.
var ErrSealed = errors.New("cannot be decrypted")

// sealedPrefix begins an encrypted value: {quoll:KEY}, then base64 of nonce and
// ciphertext.
const sealedPrefix = "{quoll:"

// Keyring holds the keys of encrypted values by name: more than one, so that keys
// can be replaced one after the other.
type Keyring struct {
	newest string
	keys   map[string]cipher.AEAD
}

// NewKey draws a key, as a line for ParseKeyring.
func NewKey(name string) (string, error) {
	if err := checkKeyName(name); err != nil {
		return "", err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return name + " " + base64.StdEncoding.EncodeToString(key), nil
}

func checkKeyName(name string) error {
	if name == "" || strings.ContainsAny(name, "{} \t\n") {
		return fmt.Errorf("%w: %q is not the name of a key", ErrInvalid, name)
	}
	return nil
}

// ParseKeyring reads keys, one to a line: name, space, base64 of 32 bytes. The
// first encrypts, all decrypt. Empty lines and those that begin with # are passed
// over. Errors do not show keys.
func ParseKeyring(text string) (*Keyring, error) {
	k := &Keyring{keys: make(map[string]cipher.AEAD)}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if err := k.add(fields); err != nil {
			return nil, fmt.Errorf("configcenter: line %d of the keyring: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("configcenter: the keyring: %w", err)
	}
	if k.newest == "" {
		return nil, fmt.Errorf("configcenter: %w: the keyring is empty", ErrInvalid)
	}
	return k, nil
}

func (k *Keyring) add(fields []string) error {
	if len(fields) != 2 {
		return fmt.Errorf("%w: it has %d words, not a name and a key", ErrInvalid, len(fields))
	}
	if err := checkKeyName(fields[0]); err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil || len(key) != 32 {
		return fmt.Errorf("%w: the key is not base64 of 32 bytes", ErrInvalid)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if k.keys[fields[0]], err = cipher.NewGCM(block); err != nil {
		return err
	}
	if k.newest == "" {
		k.newest = fields[0]
	}
	return nil
}

// Encrypted tells whether a value is an encrypted one.
func Encrypted(value string) bool { return strings.HasPrefix(value, sealedPrefix) }

// Encrypt encrypts a value for one property: it is of no use as another's.
func (k *Keyring) Encrypt(property, value string) string {
	gcm := k.keys[k.newest]
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return sealedPrefix + k.newest + "}" + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, []byte(value), []byte(property)))
}

// Decrypt decrypts the value of a property. One that is not encrypted comes back
// as it is. The error is ErrSealed; a nil Keyring has no keys.
func (k *Keyring) Decrypt(property, value string) (string, error) {
	rest, sealed := strings.CutPrefix(value, sealedPrefix)
	if !sealed {
		return value, nil
	}
	name, text, ok := strings.Cut(rest, "}")
	if !ok {
		return "", fmt.Errorf("property %q %w: it names no key", property, ErrSealed)
	}
	if k == nil {
		return "", fmt.Errorf("property %q %w: it is encrypted with key %q, and there is no keyring", property, ErrSealed, name)
	}
	gcm := k.keys[name]
	if gcm == nil {
		return "", fmt.Errorf("property %q %w: the keyring has no key %q", property, ErrSealed, name)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < gcm.NonceSize() {
		return "", fmt.Errorf("property %q %w: it is damaged", property, ErrSealed)
	}
	plain, err := gcm.Open(nil, b[:gcm.NonceSize()], b[gcm.NonceSize():], []byte(property))
	if err != nil {
		return "", fmt.Errorf("property %q %w with key %q: it was changed, or is another property's", property, ErrSealed, name)
	}
	return string(plain), nil
}
