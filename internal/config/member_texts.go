package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// memberTexts collects server.N, group.N and weight.N as they are read.
type memberTexts struct {
	servers map[int64]string
	groups  map[int64]string
	weights map[int64]int64
	version int64
}

func addMember(c *Config, suffix, value string) error {
	id, err := memberID(suffix)
	if err != nil {
		return err
	}
	// The addresses are read again once multiAddress.enabled is known.
	if _, err := ParseMember(id, value, true); err != nil {
		return err
	}
	c.members.servers = put(c.members.servers, id, value)
	return nil
}

func addGroup(c *Config, suffix, value string) error {
	id, err := memberID(suffix)
	if err != nil {
		return err
	}
	if _, err := parseIDs(value); err != nil {
		return err
	}
	c.members.groups = put(c.members.groups, id, value)
	return nil
}

func addWeight(c *Config, suffix, value string) error {
	id, err := memberID(suffix)
	if err != nil {
		return err
	}
	w, err := strconv.ParseInt(value, 10, 64)
	if err != nil || w < 0 {
		return wantError("a whole number, at least 0")
	}
	c.members.weights = put(c.members.weights, id, w)
	return nil
}

func put[V any](m map[int64]V, id int64, v V) map[int64]V {
	if m == nil {
		m = make(map[int64]V)
	}
	m[id] = v
	return m
}

func memberID(suffix string) (int64, error) {
	id, err := strconv.ParseInt(suffix, 10, 64)
	if err != nil || id < 0 {
		return 0, wantError("a whole number after the dot, at least 0")
	}
	return id, nil
}

func parseIDs(text string) ([]int64, error) {
	var ids []int64
	for s := range strings.SplitSeq(text, ":") {
		id, err := memberID(s)
		if err != nil {
			return nil, wantError("server ids separated by colons")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// build makes the membership out of the texts.
func (t *memberTexts) build(multi bool) (Membership, error) {
	var m Membership
	var errs []error
	for _, id := range sortedKeys(t.servers) {
		s, err := ParseMember(id, t.servers[id], multi)
		if err != nil {
			errs = append(errs, fmt.Errorf("server.%d: found %q, %w", id, t.servers[id], err))
			continue
		}
		m.Members = append(m.Members, s)
	}
	if len(t.groups) == 0 && len(t.weights) == 0 {
		return m, errors.Join(errs...)
	}
	grouped := make(map[int64]int64)
	for _, gid := range sortedKeys(t.groups) {
		ids, _ := parseIDs(t.groups[gid])
		for _, id := range ids {
			if other, dup := grouped[id]; dup {
				errs = append(errs, fmt.Errorf("server %d is in group.%d and in group.%d, want it in one", id, other, gid))
			}
			grouped[id] = gid
		}
		m.Groups = append(m.Groups, Group{ID: gid, Members: ids})
	}
	m.Weights = make(map[int64]int64, len(t.weights))
	for id, w := range t.weights {
		m.Weights[id] = w
	}
	for _, s := range m.Members {
		if s.Role != Participant {
			continue
		}
		if _, ok := grouped[s.ID]; !ok {
			errs = append(errs, fmt.Errorf("server.%d is in no group, want every participant in one when there are groups or weights", s.ID))
		}
		if _, ok := m.Weights[s.ID]; !ok {
			m.Weights[s.ID] = 1
		}
	}
	for _, id := range sortedKeys(grouped) {
		if _, ok := m.Weights[id]; !ok {
			errs = append(errs, fmt.Errorf("group.%d names server %d, want a participant (server.%d) or a weight for it", grouped[id], id, id))
		}
	}
	return m, errors.Join(errs...)
}

func sortedKeys[V any](m map[int64]V) []int64 {
	ids := make([]int64, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
