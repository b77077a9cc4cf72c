package javatext

import "testing"

func TestDecodeUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		"plain é 😀":            "plain é 😀",
		"\xff":                 "�",
		"\x80\x80":             "��",          // what cannot begin a character
		"\xc3":                 "�",           // the beginning of one
		"\xe2\x82":             "�",           // two thirds of one
		"\xe2\x82x":            "�x",          //
		"\xf0\x9f\x98x":        "�x",          // three quarters
		"\xed\xa0\x80:":        "�:",          // a surrogate
		"\xc0\xaf":             "��",          // longer than needed
		"\xe0\x80\xaf":         "���",         // its second byte is out of bounds
		"\xf0\x8f\xbf\xbf":     "����",        //
		"\xf4\x90\x80\x80":     "����",        // beyond the last character
		"\xf4\x8f\xbf\xbf\xc3": "\U0010ffff�", // the last one
	} {
		if got := DecodeUTF8([]byte(in)); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}
