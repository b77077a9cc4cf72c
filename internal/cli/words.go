package cli

import "regexp"

// A word is a run without spaces, or anything between two quotes of a kind.
var wordPattern = regexp.MustCompile(`\s*([^"']\S*|"[^"]*"|'[^']*')\s*`)

// splitWords cuts a command line into words, as Apache's CLI does.
func splitWords(line string) []string {
	var words []string
	for _, m := range wordPattern.FindAllStringSubmatch(line, -1) {
		w := m[1]
		if n := len(w); n > 1 && (w[0] == '"' || w[0] == '\'') && w[n-1] == w[0] {
			w = w[1 : n-1]
		}
		words = append(words, w)
	}
	return words
}
