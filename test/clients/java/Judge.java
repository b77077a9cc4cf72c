/** Apache's Java client as a judge: every operation it has, then a crash of the server. */
public final class Judge {
    public static void main(String[] args) throws Exception {
        Checks checks = new Checks();
        new Nodes(checks).run();
        new Admin(checks).run();
        new Removal(checks).run();
        new Multis(checks).run();
        new Watches(checks).run();
        new Acls(checks).run();
        new Quotas(checks).run();
        new Sessions(checks).run();
        new Secure(checks).run();
        new Recipes(checks).run();
        new Survival(checks).run();
        System.exit(checks.finish());
    }
}
