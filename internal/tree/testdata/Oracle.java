import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.jute.BinaryOutputArchive;
import org.apache.jute.Record;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.DataNode;
import org.apache.zookeeper.server.DataTree;
import org.apache.zookeeper.server.TxnLogEntry;
import org.apache.zookeeper.server.util.SerializeUtils;
import org.apache.zookeeper.server.watch.WatchManager;
import org.apache.zookeeper.server.watch.WatcherOrBitSet;

/**
 * Asks Apache's DataTree. A line on standard input is a transaction in base64,
 * as a log has it, and is answered by a line that says what applying it did:
 *
 *   error digest [stat] [m:error[:stat]]... [table:event:path:acl]...
 *
 * where table is d or c, the data or child watches. "dump" is answered by the
 * whole tree, a line for each znode, and a last line of counts. Texts, lists and
 * stats are in base64.
 */
public class Oracle {
    static final List<String> triggered = new ArrayList<>();
    static int managers;

    /** Notes what it is told to trigger. The tree makes the one for data first. */
    public static class Spy extends WatchManager {
        final String table = managers++ == 0 ? "d" : "c";

        @Override
        public WatcherOrBitSet triggerWatch(String path, EventType type, long zxid, List<ACL> acl, WatcherOrBitSet told) {
            triggered.add(table + ":" + type.getIntValue() + ":" + text(path.getBytes()) + ":" + text(list(acl)));
            return null;
        }
    }

    static String text(byte[] b) {
        return b == null ? "null" : Base64.getEncoder().encodeToString(b);
    }

    static byte[] list(List<ACL> acl) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryOutputArchive oa = BinaryOutputArchive.getArchive(out);
        try {
            oa.startVector(acl, "");
            for (ACL a : acl) {
                oa.writeRecord(a, "");
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return out.toByteArray();
    }

    static String record(Record r) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        r.serialize(BinaryOutputArchive.getArchive(out), "");
        return text(out.toByteArray());
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        System.setOut(new PrintStream(OutputStream.nullOutputStream())); // the log goes there
        System.setProperty("zookeeper.watchManagerName", Spy.class.getName());
        DataTree tree = new DataTree();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.equals("dump")) {
                dump(tree, answers);
            } else {
                answers.println(apply(tree, Base64.getDecoder().decode(line)));
            }
        }
    }

    static String apply(DataTree tree, byte[] entry) throws Exception {
        triggered.clear();
        TxnLogEntry e = SerializeUtils.deserializeTxn(entry);
        DataTree.ProcessTxnResult rc = tree.processTxn(e.getHeader(), e.getTxn(), null);
        StringBuilder out = new StringBuilder();
        out.append(rc.err).append(' ').append(Long.toUnsignedString(tree.getTreeDigest()));
        if (rc.stat != null) {
            out.append(" s:").append(record(rc.stat));
        }
        if (rc.multiResult != null) {
            for (DataTree.ProcessTxnResult sub : rc.multiResult) {
                out.append(" m:").append(sub.err);
                if (sub.stat != null) {
                    out.append(':').append(record(sub.stat));
                }
            }
        }
        for (String t : triggered) {
            out.append(' ').append(t);
        }
        return out.toString();
    }

    static void walk(DataTree tree, String path, PrintStream answers, int[] count) throws Exception {
        DataNode n = tree.getNode(path);
        Stat stat = new Stat();
        n.copyStat(stat);
        answers.println("n:" + text(path.getBytes()) + ":" + record(stat) + ":" + record(n.stat) + ":" + text(n.getData()) + ":"
            + text(list(tree.getACL(n))) + ":" + tree.getAllChildrenNumber(path.isEmpty() ? "/" : path));
        for (String child : new TreeSet<>(n.getChildren())) {
            walk(tree, path + "/" + child, answers, count);
        }
    }

    static void dump(DataTree tree, PrintStream answers) throws Exception {
        walk(tree, "", answers, new int[1]);
        Map<Long, Set<String>> ephemerals = new TreeMap<>(tree.getEphemerals());
        for (Map.Entry<Long, Set<String>> e : ephemerals.entrySet()) {
            for (String path : new TreeSet<>(e.getValue())) {
                answers.println("e:" + e.getKey() + ":" + text(path.getBytes()));
            }
        }
        answers.println("t:" + tree.getNodeCount() + ":" + tree.approximateDataSize() + ":" + tree.getEphemeralsCount() + ":"
            + tree.getContainers().size() + ":" + tree.getTtls().size() + ":" + tree.lastProcessedZxid);
    }
}
