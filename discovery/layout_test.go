package discovery

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The bytes that Curator has written come out again.
func TestServiceInstanceBytes(t *testing.T) {
	for _, line := range curatorLines(t) {
		s, err := DecodeServiceInstance([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := s.Encode(); err != nil || string(out) != line {
			t.Errorf("%v\n got %s\nwant %s", err, out, line)
		}
	}
}

func curatorLines(t testing.TB) []string {
	t.Helper()
	golden, err := os.ReadFile("testdata/curator.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(golden)), "\n")
}

func TestCuratorDecodes(t *testing.T) {
	lines := curatorLines(t)
	in, err := Curator{}.Decode("svc", "/services/svc/id-1", []byte(lines[0]))
	if err != nil {
		t.Fatal(err)
	}
	if in.Address != "10.0.0.1" || in.Port != 8080 || in.Zone != "z1" || in.Weight != 3 || in.Metadata["a"] != "b" ||
		in.URI != "http://10.0.0.1:8080" || in.Payload == nil || in.Draining || in.ID != "id-1" {
		t.Errorf("%+v", in)
	}
	if in.Registered.UnixMilli() != 1795225612606 {
		t.Errorf("registered %v", in.Registered)
	}
	static, err := Curator{}.Decode("svc", "/services/svc/id-2", []byte(lines[1]))
	if err != nil || !static.Static || static.SSLPort != 8443 || static.Port != 0 || static.HostPort() != "10.0.0.2:8443" {
		t.Errorf("%+v, %v", static, err)
	}
	numbered, err := Curator{}.Decode("svc", "/services/svc/seq-0000000002", []byte(lines[2]))
	if err != nil || numbered.ID != "seq-0000000002" {
		t.Errorf("%+v, %v", numbered, err)
	}
	disabled, err := Curator{}.Decode("svc", "/services/svc/id-1", []byte(lines[3]))
	if err != nil || !disabled.Draining {
		t.Errorf("%+v, %v", disabled, err)
	}
}

func TestCuratorEncodes(t *testing.T) {
	in := Instance{
		Service: "orders", ID: "a", Address: "h", Port: 80, Weight: 2, Zone: "z", Metadata: map[string]string{"k": "<v>"},
		Registered: time.UnixMilli(5),
	}
	node, err := Curator{}.Encode(in)
	want := `{"name":"orders","id":"a","address":"h","port":80,"sslPort":null,` +
		`"payload":{"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance","id":"a","name":"orders",` +
		`"metadata":{"instance_status":"UP","k":"<v>","weight":"2","zone":"z"}},"registrationTimeUTC":5,"serviceType":"DYNAMIC",` +
		`"uriSpec":{"parts":[{"value":"scheme","variable":true},{"value":"://","variable":false},{"value":"address","variable":true},` +
		`{"value":":","variable":false},{"value":"port","variable":true}]}}`
	if err != nil || node.Name != "a" || node.Sequential || string(node.Data) != want {
		t.Errorf("%v %+v\n got %s\nwant %s", err, node, node.Data, want)
	}
}

// Spring Cloud's own form of an instance, with a payload without an id, as Dubbo writes it.
func TestDubboApplication(t *testing.T) {
	const data = `{"name":"demo","id":"10.0.0.1:20880","address":"10.0.0.1","port":20880,"sslPort":null,` +
		`"payload":{"@class":"org.apache.dubbo.registry.zookeeper.ZookeeperInstance","id":null,"name":"demo","metadata":{"dubbo.metadata.revision":"1"}},` +
		`"registrationTimeUTC":1,"serviceType":"DYNAMIC","uriSpec":null,"later":true}`
	in, err := Curator{Class: DubboClass}.Decode("demo", "/services/demo/10.0.0.1:20880", []byte(data))
	if err != nil || in.Payload != nil || in.Metadata["dubbo.metadata.revision"] != "1" || in.URI != "" {
		t.Errorf("%+v, %v", in, err)
	}
}

// What one writes is what another reads.
func TestLayoutsRoundTrip(t *testing.T) {
	in := Instance{Service: "com.example.Orders", ID: "a", Address: "10.0.0.7", Port: 8080, Registered: time.UnixMilli(1700000000000)}
	for name, test := range map[string]struct {
		layout Layout
		change func(*Instance)
	}{
		"curator":  {Curator{}, func(in *Instance) { in.Zone, in.Weight, in.Metadata = "z", 7, map[string]string{"weight-class": "x"} }},
		"draining": {Curator{}, func(in *Instance) { in.Draining = true }},
		"enabled":  {Curator{WriteEnabled: true}, func(in *Instance) { in.Draining = true }},
		"tls":      {Curator{}, func(in *Instance) { in.Port, in.SSLPort = 0, 8443 }},
		"scheme":   {Curator{}, func(in *Instance) { in.Scheme = "grpc" }},
		"static":   {Curator{}, func(in *Instance) { in.Static = true }},
		"payload":  {Curator{}, func(in *Instance) { in.Payload = json.RawMessage(`"text"`) }},
		"dubbo": {Dubbo{}, func(in *Instance) {
			in.Scheme, in.Weight, in.Metadata = "tri", 50, map[string]string{"methods": "a,b *~"}
		}},
		"dubbo off": {Dubbo{}, func(in *Instance) { in.Scheme, in.Weight, in.Zone, in.Draining = "dubbo", 100, "z", true }},
		"serverset": {ServerSet{Base: "/aurora"}, func(in *Instance) {
			in.Metadata = map[string]string{"shard": "3", "endpoint.admin": "10.0.0.7:9990"}
		}},
		"stopping": {ServerSet{}, func(in *Instance) { in.Draining = true }},
	} {
		t.Run(name, func(t *testing.T) {
			want := in.clone()
			test.change(&want)
			node, err := test.layout.Encode(want)
			if err != nil {
				t.Fatal(err)
			}
			dir, err := test.layout.Dir(want.Service)
			if err != nil {
				t.Fatal(err)
			}
			path := dir + "/" + node.Name
			if node.Sequential {
				path += "0000000003"
			}
			got, err := test.layout.Decode(want.Service, path, node.Data)
			if err != nil {
				t.Fatal(err)
			}
			if !sameInstance(got, want) {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

// sameInstance compares what a layout can keep.
func sameInstance(got, want Instance) bool {
	maps.DeleteFunc(got.Metadata, func(k, _ string) bool { return k == timestampKey })
	if len(got.Metadata) == 0 {
		got.Metadata = nil
	}
	if got.Registered.IsZero() {
		got.Registered = want.Registered
	}
	got.ID, got.URI = want.ID, ""
	return reflect.DeepEqual(got, want)
}

func TestServerSetBytes(t *testing.T) {
	const data = `{"serviceEndpoint":{"host":"myserver","port":10000},"additionalEndpoints":{},"status":"ALIVE","shard":1}`
	in, err := ServerSet{}.Decode("s", "/s/member_0000000000", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	node, err := ServerSet{}.Encode(in)
	if err != nil || string(node.Data) != data || node.Name != "member_" || !node.Sequential {
		t.Errorf("%+v, %v", node, err)
	}
}

// The name of a provider's node, as Java's URLEncoder makes it.
func TestDubboBytes(t *testing.T) {
	const name = "dubbo%3A%2F%2F192.168.61.99%3A20891%2Fcom.example.Search%3Fanyhost%3Dtrue%26application%3Dsearch-provider%26" +
		"interface%3Dcom.example.Search%26methods%3DfindStockDoc%2C*%26revision%3D0.0.2-SNAPSHOT%7E1+x%26side%3Dprovider%26" +
		"timestamp%3D1572509354829%26weight%3D100"
	dir, err := Dubbo{}.Dir("com.example.Search")
	if err != nil || dir != "/dubbo/com.example.Search/providers" {
		t.Fatal(dir, err)
	}
	in, err := Dubbo{}.Decode("com.example.Search", dir+"/"+name, nil)
	if err != nil || in.Metadata["revision"] != "0.0.2-SNAPSHOT~1 x" || in.Registered.UnixMilli() != 1572509354829 {
		t.Fatalf("%+v, %v", in, err)
	}
	node, err := Dubbo{}.Encode(in)
	if err != nil || node.Name != name {
		t.Errorf("%v\n got %s\nwant %s", err, node.Name, name)
	}
	if name, ok := (Dubbo{}).ServiceName("com.example%24Inner"); !ok || name != "com.example$Inner" {
		t.Error(name, ok)
	}
	if _, ok := (Dubbo{}).ServiceName("metadata"); ok {
		t.Error("metadata is no service")
	}
}

func TestMalformedNodes(t *testing.T) {
	for name, test := range map[string]struct {
		layout Layout
		path   string
		data   string
	}{
		"empty":           {Curator{}, "/services/s/x", ""},
		"no JSON":         {Curator{}, "/services/s/x", "127.0.0.1"},
		"other JSON":      {Curator{}, "/services/s/x", `{"a":1}`},
		"wrong type":      {Curator{}, "/services/s/x", `{"name":"s","port":"80"}`},
		"port":            {Curator{}, "/services/s/x", `{"name":"s","port":70000}`},
		"null":            {Curator{}, "/services/s/x", `null`},
		"deep":            {Curator{}, "/services/s/x", strings.Repeat("[", 100000)},
		"member":          {ServerSet{}, "/s/member_0", `{"status":"ALIVE"}`},
		"member's port":   {ServerSet{}, "/s/member_0", `{"serviceEndpoint":{"host":"h","port":-1}}`},
		"member, no JSON": {ServerSet{}, "/s/member_0", `x`},
		"no URL":          {Dubbo{}, "/dubbo/s/providers/x", ""},
		"bad escape":      {Dubbo{}, "/dubbo/s/providers/dubbo%3", ""},
		"no host":         {Dubbo{}, "/dubbo/s/providers/dubbo%3A%2F%2F%2Fs", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if in, err := test.layout.Decode("s", test.path, []byte(test.data)); !errors.Is(err, ErrInvalid) {
				t.Errorf("%+v, %v", in, err)
			}
		})
	}
}

func TestInvalidNames(t *testing.T) {
	for _, layout := range []Layout{Curator{}, Dubbo{}, ServerSet{}} {
		if _, err := layout.Dir(""); !errors.Is(err, ErrInvalid) {
			t.Errorf("%T: %v", layout, err)
		}
	}
	for _, service := range []string{"/a", "a/", "a//b", "..", "a/../b", "\x00"} {
		if _, err := (Curator{}).Dir(service); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", service, err)
		}
	}
	for _, id := range []string{"", "a/b", ".", "\x01"} {
		if _, err := (Curator{}).Encode(Instance{Service: "s", ID: id, Address: "h"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, metadata := range []map[string]string{{"shard": "x"}, {"k": "v"}, {"endpoint.a": "h"}} {
		if _, err := (ServerSet{}).Encode(Instance{Service: "s", Address: "h", Metadata: metadata}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", metadata, err)
		}
	}
	if _, err := (Dubbo{}).Encode(Instance{Service: "s", Address: "h", Metadata: map[string]string{"a": "b&c"}}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// Whatever is read as an instance can be written and read again.
func fuzzLayout(f *testing.F, layout Layout) {
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		in, err := layout.Decode("s", "/s/"+name, data)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		node, err := layout.Encode(in)
		if err != nil {
			return // a name, or a host, that only other programs would write
		}
		again, err := layout.Decode("s", "/s/"+node.Name, node.Data)
		if err != nil || again.Address != in.Address || again.Port != in.Port || again.Draining != in.Draining {
			t.Errorf("%v\n got %+v\nwant %+v", err, again, in)
		}
	})
}

func FuzzCurator(f *testing.F) {
	for _, line := range curatorLines(f) {
		f.Add("id-1", []byte(line))
	}
	fuzzLayout(f, Curator{WriteEnabled: true})
}

func FuzzServerSet(f *testing.F) {
	f.Add("member_0", []byte(`{"serviceEndpoint":{"host":"h","port":1},"additionalEndpoints":{"a":{"host":"::1","port":2}},"status":"ALIVE","shard":1}`))
	fuzzLayout(f, ServerSet{})
}

func FuzzDubbo(f *testing.F) {
	f.Add("dubbo%3A%2F%2Fuser%40%5B%3A%3A1%5D%3A20880%2Fs%3Fweight%3D3%26disabled%3Dtrue%26zone%3Dz", []byte(nil))
	fuzzLayout(f, Dubbo{})
}
