package discovery

import (
	"fmt"
	"strings"

	"github.com/quollhq/quoll/client"
)

// Layout is the form in which instances lie in the tree. [Curator], [Dubbo] and
// [ServerSet] are layouts.
type Layout interface {
	// Root is the node below which the services are.
	Root() string
	// ServiceName is the service that a child of Root stands for; ok is false if
	// it stands for something else.
	ServiceName(child string) (name string, ok bool)
	// Dir is the node whose children are the instances of a service.
	Dir(service string) (string, error)
	// Encode makes the node of an instance.
	Encode(in Instance) (Node, error)
	// Decode reads the node of an instance of a service, at path.
	Decode(service, path string, data []byte) (Instance, error)
}

// Node is the form of an instance in the tree.
type Node struct {
	Name       string // the beginning of the name, if it is sequential
	Data       []byte
	Sequential bool
}

// below makes the path of a service's node and validates it. A service's name
// may have several parts, as "team/orders".
func below(root, service string) (string, error) {
	path := strings.TrimSuffix(root, "/") + "/" + service
	if err := client.ValidatePath(path); err != nil || service == "" {
		return "", fmt.Errorf("%w: %q is not the name of a service: %w", ErrInvalid, service, orEmpty(err))
	}
	return path, nil
}

func orEmpty(err error) error {
	if err == nil {
		return fmt.Errorf("%w: it is empty", client.ErrBadArguments)
	}
	return err
}

// nodeName validates what is to be the name of an instance's node.
func nodeName(name string) error {
	if strings.Contains(name, "/") {
		return fmt.Errorf("%w: %q is not the id of an instance: it contains a slash", ErrInvalid, name)
	}
	if err := client.ValidatePath("/" + name); err != nil || name == "" {
		return fmt.Errorf("%w: %q is not the id of an instance: %w", ErrInvalid, name, orEmpty(err))
	}
	return nil
}

// lastName is the last part of a path.
func lastName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
