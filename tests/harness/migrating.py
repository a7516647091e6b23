# SPDX-License-Identifier: Apache-2.0
"""For test cases over a pair whose instances move from one root key to another."""
from pair import FIRST
from process import wait_until

FINISH_S = 150  # what a lost answer left open is settled within a minute; a pass may begin just before


class Migrating:
    def roots(self, node, root, other, tenant=FIRST):
        """A reload with these root keys."""
        instance = self.options_of(node, tenant)
        instance["root-key"] = root
        instance.pop("other-root-key", None)
        if other is not None:
            instance["other-root-key"] = other
        node.write_config()
        node.ctl("reload")

    @staticmethod
    def options_of(node, tenant=FIRST):
        return next(instance for instance in node.options["instances"] if instance["id"] == tenant)

    @staticmethod
    def status_of(node, tenant=FIRST):
        return next(instance for instance in node.status()["instances"] if instance["id"] == tenant)

    def both_roots(self, root, other, tenant=FIRST):
        """On both nodes, and looked at."""
        for node in self.pair.nodes:
            self.roots(node, root, other, tenant)
        self.pair.wait_streaming()
        for node in self.pair.nodes:
            wait_until(lambda: self.root_states(node, tenant) == ("enabled", "enabled"), "both root keys were looked at")

    def root_states(self, node, tenant=FIRST):
        status = self.status_of(node, tenant)
        return status["root_key_state"], status["other_root_key_state"]

    @staticmethod
    def migration(node, tenant=FIRST):
        return node.ctl("instance", "migration", tenant)

    @staticmethod
    def migrate_quietly(node, step, tenant=FIRST):
        """Followed to its end, whatever that is."""
        node.ctl_run("instance", "migrate", tenant, "--rate", "1000", *step, timeout=FINISH_S)

    def finish(self, node, step, tenant=FIRST):
        """Until everything is done."""
        want = "finished" if step else "moved"

        def done():
            self.migrate_quietly(node, step, tenant)
            answer = self.migration(node, tenant)
            return answer["stage"] == want and not answer["running"] and answer["failed"] == 0
        wait_until(done, f"the instance is {want}", FINISH_S)

    def living(self, tenant=FIRST):
        """The ids of its standard keys in the key manager."""
        return [key["id"] for key in self.pair.manager.keys("kmip-" + tenant) if key["state"] != 5]
