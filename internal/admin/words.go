package admin

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// word answers one four-letter word by appending to b.
type word struct {
	// answer gets nil for n only if noNode is set.
	answer func(a *Admin, b []byte, n *Node, arg []byte) []byte
	noNode bool
}

// fourLetterWords are all there are.
func fourLetterWords() map[string]word {
	return map[string]word{
		"conf": {answer: wordConf},
		"cons": {answer: wordCons},
		"crst": {answer: wordCrst},
		"dirs": {answer: wordDirs},
		"dump": {answer: wordDump},
		"envi": {answer: wordEnvi, noNode: true},
		"gtmk": {answer: wordGtmk, noNode: true},
		"hash": {answer: wordHash},
		"isro": {answer: wordIsro, noNode: true},
		"mntr": {answer: wordMntr},
		"ruok": {answer: wordRuok, noNode: true},
		"srst": {answer: wordSrst},
		"srvr": {answer: wordSrvr},
		"stat": {answer: wordStat},
		"stmk": {answer: wordStmk, noNode: true},
		"wchc": {answer: wordWchc},
		"wchp": {answer: wordWchp},
		"wchs": {answer: wordWchs},
	}
}

// whitelist is the set of words that may be used. srvr always may: scripts that
// manage servers depend on it; so may isro where clients that may read without a
// quorum ask for one that has it.
func whitelist(configured []string, readOnly bool) map[string]bool {
	allowed := map[string]bool{"srvr": true}
	if readOnly {
		allowed["isro"] = true
	}
	for _, w := range configured {
		w = strings.TrimSpace(w)
		if w == "*" {
			for name := range fourLetterWords() {
				allowed[name] = true
			}
			break
		}
		allowed[w] = true
	}
	return allowed
}

// FourLetter answers a four-letter word, with what came after it, to w. It is
// false if there is no such word; then nothing was written.
func (a *Admin) FourLetter(name string, arg []byte, w io.Writer) bool {
	wd, known := fourLetterWords()[name]
	if !known {
		return false
	}
	a.Logger.Debug("four-letter word", "word", name)
	if _, err := w.Write(a.answerWord(name, wd, arg)); err != nil {
		a.Logger.Debug("cannot answer a four-letter word", "word", name, "error", err)
	}
	return true
}

func (a *Admin) answerWord(name string, wd word, arg []byte) []byte {
	if !a.words[name] {
		return []byte(name + " is not executed because it is not in the whitelist.\n")
	}
	n := a.serving()
	switch {
	case n != nil || wd.noNode:
		return wd.answer(a, nil, n, arg)
	case name == "hash":
		return []byte(notServing)
	}
	return []byte(notServing + "\n")
}

func wordRuok(_ *Admin, b []byte, _ *Node, _ []byte) []byte { return append(b, "imok"...) }

func wordIsro(_ *Admin, b []byte, n *Node, _ []byte) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	if n.Engine.ReadsOnly() {
		return append(b, "ro"...)
	}
	return append(b, "rw"...)
}

func wordGtmk(a *Admin, b []byte, _ *Node, _ []byte) []byte {
	return strconv.AppendInt(b, a.trace.Load(), 10)
}

// wordStmk takes the mask from the eight bytes after the word.
func wordStmk(a *Admin, b []byte, n *Node, arg []byte) []byte {
	if len(arg) >= 8 {
		a.trace.Store(int64(binary.BigEndian.Uint64(arg)))
	}
	return wordGtmk(a, b, n, nil)
}

func wordConf(a *Admin, b []byte, n *Node, _ []byte) []byte {
	return a.Config.AppendConf(b, a.live(n))
}

func wordCrst(_ *Admin, b []byte, n *Node, _ []byte) []byte {
	n.Listener.ResetStats()
	return append(b, "Connection stats reset.\n"...)
}

func wordSrst(a *Admin, b []byte, n *Node, _ []byte) []byte {
	a.resetStats(n)
	return append(b, "Server stats reset.\n"...)
}

func wordDirs(_ *Admin, b []byte, n *Node, _ []byte) []byte {
	data, logs := dirSizes(n)
	return fmt.Appendf(b, "datadir_size: %d\nlogdir_size: %d\n", data, logs)
}

func wordEnvi(a *Admin, b []byte, _ *Node, _ []byte) []byte {
	b = append(b, "Environment:\n"...)
	for _, f := range a.environment() {
		b = fmt.Appendf(b, "%s=%s\n", f.key, f.value)
	}
	return b
}

func wordHash(_ *Admin, b []byte, n *Node, _ []byte) []byte {
	for _, d := range n.Engine.Digests() {
		b = fmt.Appendf(b, "%x: %d\n", uint64(d.Zxid), int64(d.Digest))
	}
	return b
}
