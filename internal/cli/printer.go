package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/quollhq/quoll/client"
)

// printer writes what people, or programs, read. Its lock keeps apart what
// commands and what events print.
type printer struct {
	mu       sync.Mutex
	out, err io.Writer
	json     bool
}

// print writes text, or v as one line of JSON. The lock is not held.
func (p *printer) print(v any, text func(w io.Writer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.printLocked(v, text)
}

func (p *printer) printLocked(v any, text func(w io.Writer)) {
	if !p.json {
		text(p.out)
		return
	}
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		fmt.Fprintln(p.err, err)
	}
}

// note tells people something on the side; JSON has no place for it.
func (p *printer) note(format string, args ...any) {
	if p.json {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.err, format+"\n", args...)
}

// say writes a line of text to where results go; JSON has no place for it.
func (p *printer) say(format string, args ...any) {
	if p.json {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, format+"\n", args...)
}

// errorDoc is an error in JSON.
type errorDoc struct {
	Message string `json:"message"`
	Cause   string `json:"cause,omitempty"` // of a connection that could not be made, or was lost
	Code    int32  `json:"code,omitempty"`
	Name    string `json:"name,omitempty"`
	Path    string `json:"path,omitempty"`
	Unknown bool   `json:"outcomeUnknown,omitempty"`
}

// fail prints an error.
func (p *printer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.json {
		fmt.Fprintln(p.err, lines(message(err), unreachable(err), adviceIn(err)))
		return
	}
	doc := errorDoc{Message: message(err), Path: pathOf(err), Unknown: client.MaybeApplied(err)}
	if code, ok := codeOf(err); ok {
		if code == client.ErrConnectionLoss {
			doc.Cause = whyLost(err)
		}
		doc.Code, doc.Name = int32(code), codeWords[code]
	}
	e := json.NewEncoder(p.err)
	e.SetEscapeHTML(false)
	_ = e.Encode(map[string]errorDoc{"error": doc}) // it can hold nothing that fails
}

// dataDoc is data in JSON: as text if it is UTF-8, else in base64. Both are
// absent if it is null.
type dataDoc struct {
	Data   *string `json:"data,omitempty"`
	Base64 []byte  `json:"dataBase64,omitempty"`
}

func newDataDoc(b []byte) dataDoc {
	switch {
	case b == nil:
		return dataDoc{}
	case utf8.Valid(b):
		s := string(b)
		return dataDoc{Data: &s}
	}
	return dataDoc{Base64: b}
}

// bytes is the reverse of newDataDoc.
func (d dataDoc) bytes() []byte {
	if d.Data != nil {
		return []byte(*d.Data)
	}
	return d.Base64
}
