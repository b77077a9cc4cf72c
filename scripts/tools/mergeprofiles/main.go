// Mergeprofiles merges CPU profiles into one for the compiler, without the name of the program that they were taken
// of and of the place where it lay.
//
//	mergeprofiles OUTPUT PROFILE...
package main

import (
	"fmt"
	"os"

	"github.com/google/pprof/profile"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: mergeprofiles OUTPUT PROFILE...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "mergeprofiles:", err)
		os.Exit(1)
	}
}

func run(output string, names []string) error {
	var all []*profile.Profile
	for _, name := range names {
		p, err := read(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, m := range p.Mapping {
			m.File, m.BuildID = "quoll", ""
		}
		all = append(all, p)
	}
	merged, err := profile.Merge(all)
	if err != nil {
		return err
	}
	f, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := merged.Write(f); err != nil {
		return err
	}
	return f.Close()
}

func read(name string) (*profile.Profile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return profile.Parse(f)
}
