package config

import (
	"errors"
	"strings"
)

// JVMFlags is what a JVMFLAGS-like variable holds.
type JVMFlags struct {
	// Properties are the -Dkey=value in their order; Line is 0.
	Properties []Property
	// Others are all other words: they mean something to a JVM alone.
	Others []string
}

// ParseJVMFlags splits text into words as a shell does (quotes and backslashes
// taken away, nothing expanded) and picks the -D properties. "-Dk" alone is k
// with an empty value, as the JVM has it.
func ParseJVMFlags(text string) (JVMFlags, error) {
	words, err := shellWords(text)
	if err != nil {
		return JVMFlags{}, err
	}
	var f JVMFlags
	for _, w := range words {
		body, isProperty := strings.CutPrefix(w, "-D")
		key, value, _ := strings.Cut(body, "=")
		if !isProperty || key == "" {
			f.Others = append(f.Others, w)
			continue
		}
		f.Properties = append(f.Properties, Property{Key: key, Value: value})
	}
	return f, nil
}

// shellWords splits as a POSIX shell would, without expansions.
func shellWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\'' || c == '"':
			n, err := quoted(&word, s[i:])
			if err != nil {
				return nil, err
			}
			inWord = true
			i += n - 1
		case c == '\\':
			if i+1 == len(s) {
				return nil, errors.New("found a backslash at the end, want a character after it")
			}
			i++
			inWord = true
			word.WriteByte(s[i])
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// quoted appends the content of the quoted string s begins with and returns
// how many bytes of s it took.
func quoted(word *strings.Builder, s string) (int, error) {
	q := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == q:
			return i + 1, nil
		case s[i] == '\\' && q == '"' && i+1 < len(s) && strings.IndexByte(`"\$`+"`", s[i+1]) >= 0:
			i++
			word.WriteByte(s[i])
		default:
			word.WriteByte(s[i])
		}
	}
	return 0, errors.New("found an opening quote " + string(q) + " without its end")
}
