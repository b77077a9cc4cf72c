package admin

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/tally"
)

// live is what the configuration's texts need from the running server.
func (a *Admin) live(n *Node) config.Live {
	l := config.Live{MaxClientCnxns: a.Config.Limits.ClientConnections}
	l.ClientPort, l.SecurePort = n.Host.Ports()
	l.DataSize, l.LogSize = dirSizes(n)
	return l
}

// dirSizes are the bytes of all files in the two directories.
func dirSizes(n *Node) (data, logs int64) {
	dataDir, logDir := n.Host.Dirs()
	data = dirSize(dataDir)
	if logDir == dataDir {
		return data, data
	}
	return data, dirSize(logDir)
}

// dirSize leaves out what goes away while it looks.
func dirSize(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// treeView is what figures need of the tree, read under one lock.
type treeView struct {
	nodes, ephemerals int
	dataSize          int64
	containers, ttls  int
	mapped, used      int64 // bytes outside of Go's heap
}

func treeFigures(n *Node) treeView {
	t := n.Engine.Tree
	t.RLock(0)
	defer t.RUnlock(0)
	u := t.Usage()
	return treeView{
		nodes: t.NodeCount(), ephemerals: t.EphemeralCount(), dataSize: t.ApproximateDataSize(),
		containers: t.ContainerCount(), ttls: t.TTLCount(), mapped: u.Mapped, used: u.Used,
	}
}

// resetStats starts anew what Apache's srst resets.
func (a *Admin) resetStats(n *Node) {
	n.Engine.ResetMetrics()
	if m := n.Host.Ensemble(); m != nil {
		m.Reset()
	}
	a.windows.reset()
}

// average is in milliseconds, to four digits.
func average(v tally.LatencyView) float64 {
	if v.Count == 0 {
		return 0
	}
	return round4(millis(v.Sum) / float64(v.Count))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func round4(f float64) float64 { return math.Round(f*1e4) / 1e4 }

// javaDouble writes a number as Java does: never without a fraction.
func javaDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f != 0 && (math.Abs(f) >= 1e7 || math.Abs(f) < 1e-3):
		s := strconv.FormatFloat(f, 'E', -1, 64)
		mantissa, exponent, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		e, _ := strconv.Atoi(exponent)
		return mantissa + "E" + strconv.Itoa(e)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// environment is what envi shows, with Apache's keys: tools read the version
// and the host's name from it.
func (a *Admin) environment() object {
	host, _ := os.Hostname()
	home, _ := os.UserHomeDir()
	dir, _ := os.Getwd()
	exe, _ := os.Executable()
	free, most, total := memoryMB()
	return object{
		{"zookeeper.version", a.Version},
		{"host.name", host},
		{"java.version", runtime.Version()},
		{"java.vendor", "quoll (this server needs no Java)"},
		{"java.home", ""},
		{"java.class.path", exe},
		{"java.library.path", ""},
		{"java.io.tmpdir", os.TempDir()},
		{"java.compiler", "<NA>"},
		{"os.name", osName()},
		{"os.arch", runtime.GOARCH},
		{"os.version", kernelRelease()},
		{"user.name", userName()},
		{"user.home", home},
		{"user.dir", dir},
		{"os.memory.free", free},
		{"os.memory.max", most},
		{"os.memory.total", total},
	}
}

// userName does without the system's user database: it may need C's library.
func userName() string {
	for _, key := range []string{"USER", "LOGNAME"} {
		if name := os.Getenv(key); name != "" {
			return name
		}
	}
	if uid := os.Getuid(); uid != 0 {
		return strconv.Itoa(uid)
	}
	return "root"
}

// osName is Java's name of the system.
func osName() string {
	switch runtime.GOOS {
	case "linux":
		return "Linux"
	case "darwin":
		return "Mac OS X"
	case "windows":
		return "Windows"
	}
	return runtime.GOOS
}

func kernelRelease() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// memoryMB is Go's heap: unused, limited to, and taken from the system.
func memoryMB() (free, most, total string) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	mb := func(n uint64) string { return strconv.FormatUint(n>>20, 10) + "MB" }
	limit := debug.SetMemoryLimit(-1)
	most = "unlimited"
	if limit != math.MaxInt64 {
		most = mb(uint64(limit))
	}
	return mb(m.HeapSys - m.HeapInuse), most, mb(m.Sys)
}
