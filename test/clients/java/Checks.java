import java.util.Arrays;
import java.util.Objects;
import org.apache.zookeeper.KeeperException;

/** Runs named checks and prints their outcome in the harness's words. */
final class Checks {
    /** One check; it fails by throwing. */
    interface Body {
        void run() throws Exception;
    }

    private int made;
    private int failed;

    void check(String name, Body body) {
        made++;
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Throwable e) {
            failed++;
            System.out.println("FAIL " + name + " " + String.valueOf(e).replace('\n', ' ') + at(e));
            e.printStackTrace();
        }
    }

    /** Prints the closing line and gives the exit status. */
    int finish() {
        System.out.println("done " + made);
        System.out.flush();
        return failed == 0 ? 0 : 1;
    }

    private static String at(Throwable e) {
        for (StackTraceElement f : e.getStackTrace()) {
            if (!f.getClassName().startsWith("org.") && !f.getClassName().startsWith("java.") && !f.getClassName().equals("Checks")) {
                return " (" + f.getFileName() + ":" + f.getLineNumber() + ")";
            }
        }
        return "";
    }

    static void equal(Object want, Object got, String what) {
        if (want instanceof byte[] && got instanceof byte[] && Arrays.equals((byte[]) want, (byte[]) got)) {
            return;
        }
        if (!Objects.equals(want, got)) {
            throw new AssertionError(what + ": want " + show(want) + ", got " + show(got));
        }
    }

    static void that(boolean ok, String what) {
        if (!ok) {
            throw new AssertionError(what);
        }
    }

    /** The server must answer body with exactly this code. */
    static void refused(KeeperException.Code code, Body body) throws Exception {
        try {
            body.run();
        } catch (KeeperException e) {
            equal(code, e.code(), "error code");
            return;
        }
        throw new AssertionError("want " + code + ", got no error");
    }

    private static String show(Object o) {
        return o instanceof byte[] ? "\"" + new String((byte[]) o) + "\"" : String.valueOf(o);
    }
}
