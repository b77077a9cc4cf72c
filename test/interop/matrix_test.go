package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// matrix is what came of each recipe, by server and library.
type matrix struct {
	rows, columns []string // in the order in which they were played
	cells         map[[2]string][]string
}

// set notes who came first where it went well.
func (m *matrix) set(row, column string, well []string) {
	if m.cells == nil {
		m.cells = make(map[[2]string][]string)
	}
	if !slices.Contains(m.rows, row) {
		m.rows = append(m.rows, row)
	}
	if !slices.Contains(m.columns, column) {
		m.columns = append(m.columns, column)
	}
	m.cells[[2]string{row, column}] = well
}

// cell is "ok" if it went well whoever came first.
func (m *matrix) cell(row, column string) string {
	well, played := m.cells[[2]string{row, column}]
	switch {
	case !played:
		return "-"
	case len(well) == 2:
		return "ok"
	case len(well) == 0:
		return "FAILS"
	}
	return "only " + well[0] + " first"
}

func (m *matrix) print(t *testing.T) {
	var b strings.Builder
	line := func(first string, cell func(column string) string) {
		fmt.Fprintf(&b, "| %-24s |", first)
		for _, column := range m.columns {
			fmt.Fprintf(&b, " %-16s |", cell(column))
		}
		b.WriteString("\n")
	}
	line("server, library", func(column string) string { return column })
	line(strings.Repeat("-", 24), func(string) string { return strings.Repeat("-", 16) })
	slices.SortStableFunc(m.rows, func(a, b string) int { return strings.Compare(strings.Fields(a)[0], strings.Fields(b)[0]) })
	for _, row := range m.rows {
		line(row, func(column string) string { return m.cell(row, column) })
	}
	t.Logf("whoever comes first, quoll or the other library:\n%s", b.String())
}
