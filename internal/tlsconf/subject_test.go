package tlsconf

import (
	"bufio"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestNamesAsJava compares with X500Principal.getName (17): a line is the DER,
// "ok" and the name in UTF-16, both in hexadecimal.
func TestNamesAsJava(t *testing.T) {
	f, err := os.Open("testdata/java-names.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		fields := strings.Fields(sc.Text())
		der := fromHex(t, fields[0])
		want := ""
		if len(fields) == 3 {
			want = fromUTF16(fromHex(t, fields[2]))
		}
		got, err := NameOf(der)
		if err != nil || got != want {
			t.Errorf("%s:\n got %q, %v\nwant %q", fields[0], got, err, want)
		}
	}
	if n < 400 {
		t.Errorf("only %d names", n)
	}
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fromUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return string(utf16.Decode(units))
}

func TestSubjectOfCertificate(t *testing.T) {
	certs, err := testStore("client.pem").keys()
	if err != nil {
		t.Fatal(err)
	}
	// What Java 17 prints for this certificate.
	want := `1.2.840.113549.1.9.1=#160d6a406578616d706c652e636f6d,CN=J\+ürgen \#1\ ,OU=a+OU=b,O=Quoll\, Inc.,DC=org`
	if got, err := SubjectName(certs[0].Leaf); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func FuzzNameOf(f *testing.F) {
	f.Add([]byte{0x30, 0})
	f.Add([]byte{0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 6, 3, 0x55, 4, 3, 0x0c, 1, 'a'})
	f.Add([]byte{0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 6, 3, 0x55, 4, 3, 0x1e, 2, 0xd8, 0x3d})
	f.Fuzz(func(t *testing.T, der []byte) {
		name, err := NameOf(der)
		if err != nil && name != "" {
			t.Fatalf("both %q and %v", name, err)
		}
	})
}
