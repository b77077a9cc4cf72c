package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const installHint = "run scripts/install-peers.sh"

// Root returns the directory of the checkout.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "scripts", "install-peers.sh")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("harness: not inside a checkout of quoll")
		}
	}
}

// Cache returns the directory that scripts/install-peers.sh fills.
func Cache() (string, error) {
	if cache := os.Getenv("QUOLL_CACHE"); cache != "" {
		return filepath.Abs(cache)
	}
	root, err := Root()
	return filepath.Join(root, ".cache"), err
}

// Peer returns the path of something that scripts/install-peers.sh installs, or an error that says so.
func Peer(name ...string) (string, error) {
	cache, err := Cache()
	if err != nil {
		return "", err
	}
	path := filepath.Join(append([]string{cache, "peers"}, name...)...)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not installed: %s (%w)", filepath.Join(name...), installHint, err)
	}
	return path, nil
}

// ZooKeeperHome returns the directory of an installed Apache ZooKeeper: bin, conf, lib.
func ZooKeeperHome(version string) (string, error) {
	lib, err := Peer("zookeeper-"+version, "lib")
	if err != nil {
		return "", fmt.Errorf("%w; for another version: scripts/install-peers.sh zookeeper %s", err, version)
	}
	return filepath.Dir(lib), nil
}
