/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kmipctl_print.h"

#include <stdio.h>
#include <string.h>

enum { CELL_LEN_MAX = 400, COLUMNS_MAX = 12 };

static const char *member_text(const cJSON *object, const char *name, char cell[CELL_LEN_MAX])
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	if (cJSON_IsString(item))
		return item->valuestring;
	if (cJSON_IsNumber(item))
		snprintf(cell, CELL_LEN_MAX, "%.0f", item->valuedouble);
	else if (cJSON_IsBool(item))
		snprintf(cell, CELL_LEN_MAX, "%s", cJSON_IsTrue(item) ? "yes" : "no");
	else
		snprintf(cell, CELL_LEN_MAX, "-");
	return cell;
}

static double member_number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool member_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

void print_table(const cJSON *rows, const struct print_column *columns, int column_count)
{
	char cell[CELL_LEN_MAX];
	int widths[COLUMNS_MAX];
	const cJSON *row;
	if (cJSON_GetArraySize(rows) == 0) {
		printf("none\n");
		return;
	}
	for (int i = 0; i < column_count; i++)
		widths[i] = (int) strlen(columns[i].title);
	cJSON_ArrayForEach(row, rows) for (int i = 0; i < column_count; i++)
	{
		int len = (int) strlen(member_text(row, columns[i].member, cell));
		widths[i] = len > widths[i] ? len : widths[i];
	}
	for (int i = 0; i < column_count; i++)
		printf("%-*s%s", i + 1 < column_count ? widths[i] : 0, columns[i].title,
			i + 1 < column_count ? "  " : "\n");
	cJSON_ArrayForEach(row, rows) for (int i = 0; i < column_count; i++) printf("%-*s%s",
		i + 1 < column_count ? widths[i] : 0, member_text(row, columns[i].member, cell),
		i + 1 < column_count ? "  " : "\n");
}

static void print_duration(double ms)
{
	unsigned long seconds = (unsigned long) (ms / 1000);
	if (seconds >= 86400)
		printf("%lu d %lu h", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		printf("%lu h %lu min", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		printf("%lu min %lu s", seconds / 60, seconds % 60);
	else
		printf("%lu s", seconds);
}

static void print_lease(const cJSON *lease, const char *name, const char *word)
{
	if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(lease, name)))
		printf("%s for %.1f s", word, member_number(lease, name) / 1000);
	else
		printf("not %s", word);
}

static void print_snapshot(const cJSON *peer, const char *name, const char *word)
{
	const cJSON *snapshot = cJSON_GetObjectItemCaseSensitive(peer, name);
	if (!cJSON_IsObject(snapshot))
		return;
	printf("  snapshot    %s %.0f records, begun ", word, member_number(snapshot, "records"));
	print_duration(member_number(snapshot, "began_ms_ago"));
	if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(snapshot, "took_ms")))
		printf(" ago, took %.1f s\n", member_number(snapshot, "took_ms") / 1000);
	else
		printf(" ago, not complete\n");
}

/* What the nodes have of each other, and what that costs answers. */
static void print_pair(const cJSON *peer)
{
	const cJSON *lease = cJSON_GetObjectItemCaseSensitive(peer, "lease");
	const cJSON *waits = cJSON_GetObjectItemCaseSensitive(peer, "waits");
	printf("  lease       ");
	print_lease(lease, "held_for_ms", "held");
	printf("; ");
	print_lease(lease, "granted_for_ms", "granted");
	printf("\n  answers     %.0f held for the peer; %.0f were, the last for %.0f ms, the "
	       "longest for %.0f ms, %.0f without its acknowledgement\n",
		member_number(peer, "answers_held"), member_number(waits, "count"),
		member_number(waits, "last_ms"), member_number(waits, "max_ms"),
		member_number(waits, "unacknowledged"));
	print_snapshot(peer, "snapshot_sent", "sent");
	print_snapshot(peer, "snapshot_received", "received");
	if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(peer, "fenced_for_ms"))) {
		printf("  warning     fenced by the operator for ");
		print_duration(member_number(peer, "fenced_for_ms"));
		printf(": nothing waits for the peer until it is heard again\n");
	}
	if (member_true(peer, "cut"))
		printf("  warning     the link is kept closed by the operator\n");
}

/* The peer's release, and whether the caches are known to be the same. */
static void print_comparison(const cJSON *peer)
{
	char cell[CELL_LEN_MAX];
	if (member_number(peer, "protocol") > 0)
		printf("  version     %s, protocol %.0f\n", member_text(peer, "version", cell),
			member_number(peer, "protocol"));
	if (!cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(peer, "compared_ms_ago")))
		return;
	printf("  caches      compared ");
	print_duration(member_number(peer, "compared_ms_ago"));
	if (member_number(peer, "differing_buckets") == 0)
		printf(" ago, the same\n");
	else
		printf(" ago, %.0f parts differed and are being repaired\n",
			member_number(peer, "differing_buckets"));
}

static void print_peer(const cJSON *peer)
{
	char cell[CELL_LEN_MAX];
	if (!member_true(peer, "configured")) {
		printf("peer          none: this node runs alone\n");
		return;
	}
	printf("peer          %s for ", member_text(peer, "state", cell));
	print_duration(member_number(peer, "state_for_ms"));
	const char *why = member_text(peer, "why", cell);
	printf("%s%s%s\n", why[0] == '\0' ? "" : " (", why, why[0] == '\0' ? "" : ")");
	printf("  lag         %.0f changes, %.1f s (own %.0f, acknowledged %.0f); merged %.0f of "
	       "the "
	       "peer's %.0f\n",
		member_number(peer, "lag"), member_number(peer, "lag_ms") / 1000,
		member_number(peer, "own_seq"), member_number(peer, "peer_acked_seq"),
		member_number(peer, "merged_seq"), member_number(peer, "peer_seq"));
	print_pair(peer);
	print_comparison(peer);
	if (member_number(peer, "differing_instances") > 0)
		printf("  warning     %.0f instances are configured differently on the two nodes: "
		       "served unpaired\n",
			member_number(peer, "differing_instances"));
	if (member_number(peer, "differing_settings") > 0)
		printf("  warning     %.0f instances have another algorithm-policy on the other "
		       "node\n",
			member_number(peer, "differing_settings"));
}

/* What Gets are answered from, and what that rests on. */
static void print_serving(const cJSON *instance)
{
	char cell[CELL_LEN_MAX];
	printf("  gets        from the %s; last good poll ", member_text(instance, "gets", cell));
	if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(instance, "last_poll_ms_ago"))) {
		print_duration(member_number(instance, "last_poll_ms_ago"));
		printf(" ago\n");
	} else {
		printf("not yet\n");
	}
	if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(instance, "outage_for_ms"))) {
		printf("  warning     the key manager has not answered for ");
		print_duration(member_number(instance, "outage_for_ms"));
		printf(": keys unwrapped before are served until outage-grace\n");
	}
	const char *circuit = member_text(instance, "circuit", cell);
	if (strcmp(circuit, "closed") != 0)
		printf("  warning     few calls of clients are tried until the key manager answers "
		       "again (circuit %s)\n",
			circuit);
	const char *credential = member_text(instance, "credential", cell);
	if (credential[0] != '\0')
		printf("  warning     %s\n", credential);
	if (member_true(instance, "refused"))
		printf("  warning     the key manager refuses our credentials: no key is served "
		       "for "
		       "longer than plaintext-ttl\n");
}

/* Of the root key, and how many keys' cached forms are of an older one. */
static void print_version(const cJSON *instance)
{
	char cell[CELL_LEN_MAX];
	printf("  root key    version of %s", member_text(instance, "root_key_version", cell));
	if (member_number(instance, "keys_of_older_version") > 0)
		printf("; %.0f keys are cached in an older one's form (kmipctl rewrap)",
			member_number(instance, "keys_of_older_version"));
	printf("\n");
}

/* What keys may be wrapped with, and how far a migration from one to the other is. */
static void print_roots(const cJSON *instance)
{
	const cJSON *migration = cJSON_GetObjectItemCaseSensitive(instance, "migration");
	char cell[CELL_LEN_MAX], second[CELL_LEN_MAX];
	if (cJSON_GetObjectItemCaseSensitive(instance, "other_root_key") != NULL)
		printf("  other root  %s, %s; migration: %s\n",
			member_text(instance, "other_root_key", cell),
			member_text(instance, "other_root_key_state", second),
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(migration, "stage")));
	if (member_true(instance, "lacks_root_key"))
		printf("  warning     keys are wrapped with a root key that the configuration does "
		       "not name, and cannot be opened: name it as other-root-key\n");
}

static void print_instance(const cJSON *instance)
{
	char cell[CELL_LEN_MAX], second[CELL_LEN_MAX];
	printf("instance      %s (%s), root key %s\n", member_text(instance, "name", cell),
		member_text(instance, "id", second), member_text(instance, "root_key_state", cell));
	printf("  key manager %s at %s\n",
		member_true(instance, "reachable") ? "reachable" : "NOT REACHABLE",
		member_text(instance, "url", cell));
	if (!member_true(instance, "reachable"))
		printf("  last error  %s\n", member_text(instance, "last_error", cell));
	print_version(instance);
	print_roots(instance);
	print_serving(instance);
	printf("  algorithms  %s\n", member_text(instance, "algorithm_policy", cell));
	printf("  listing     %s since start",
		member_true(instance, "listed") ? "complete" : "not yet complete");
	if (!member_true(instance, "rebuilt"))
		printf("; rebuilding the cache: %.0f keys listed, %.0f read",
			member_number(instance, "listing_listed"),
			member_number(instance, "listing_read"));
	if (member_number(instance, "unclaimed") > 0)
		printf("; %.0f unclaimed keys (kmipctl key list --unclaimed)",
			member_number(instance, "unclaimed"));
	printf("\n");
	if (member_number(instance, "missing") > 0)
		printf("  warning     %.0f keys are missing in the key manager and not served "
		       "(kmipctl key list --missing)\n",
			member_number(instance, "missing"));
	if (member_number(instance, "ledger_waiting") > 0)
		printf("  warning     %.0f client removals wait to be written to the key manager\n",
			member_number(instance, "ledger_waiting"));
}

void print_status(const cJSON *answer)
{
	char cell[CELL_LEN_MAX];
	const cJSON *workers = cJSON_GetObjectItemCaseSensitive(answer, "workers");
	const cJSON *cache = cJSON_GetObjectItemCaseSensitive(answer, "cache");
	const cJSON *certificate = cJSON_GetObjectItemCaseSensitive(answer, "certificate");
	const cJSON *instance;
	printf("node          %s (number %.0f), %s, up ", member_text(answer, "name", cell),
		member_number(answer, "node"),
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "state")));
	print_duration(member_number(answer, "up_ms"));
	printf(", version %s\n", member_text(answer, "version", cell));
	print_peer(cJSON_GetObjectItemCaseSensitive(answer, "peer"));
	printf("workers       %.0f running, %.0f restarts; %.0f connections open, %.0f accepted, "
	       "%.0f handshakes refused\n",
		member_number(workers, "running"), member_number(workers, "restarts"),
		member_number(workers, "connections"), member_number(workers, "accepted"),
		member_number(workers, "handshakes_refused"));
	printf("requests      %.0f answered by workers, %.0f by the keeper\n",
		member_number(workers, "served_by_workers"),
		member_number(workers, "served_by_keeper"));
	printf("cache         %.0f objects and %.0f clients (with those that have ended), %.1f of "
	       "%.0f MiB; %.0f keys unwrapped in memory\n",
		member_number(cache, "objects"), member_number(cache, "clients"),
		member_number(cache, "bytes_used") / 1048576,
		member_number(cache, "bytes_max") / 1048576,
		member_number(answer, "keys_in_memory"));
	printf("certificate   SHA-256 %s\n", member_text(certificate, "sha256", cell));
	cJSON_ArrayForEach(instance, cJSON_GetObjectItemCaseSensitive(answer, "instances"))
		print_instance(instance);
}

void print_key(const cJSON *answer)
{
	static const char *const members[][2] = { { "uid", "UID" }, { "instance", "instance" },
		{ "standard_key", "standard key" }, { "type", "type" }, { "state", "state" },
		{ "created", "created" }, { "activated", "activated" },
		{ "deactivated", "deactivated" }, { "compromised", "compromised" },
		{ "destroyed", "destroyed" }, { "last_change", "last change" },
		{ "root_key_version", "root version" } };
	static const struct print_column columns[] = { { "ATTRIBUTE", "name" },
		{ "INDEX", "index" }, { "VALUE", "value" } };
	char cell[CELL_LEN_MAX];
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (cJSON_GetObjectItemCaseSensitive(answer, members[i][0]) != NULL)
			printf("%-14s%s\n", members[i][1],
				member_text(answer, members[i][0], cell));
	if (member_true(answer, "unclaimed"))
		printf("unclaimed     no client is known to have been told of this key\n");
	if (member_true(answer, "missing"))
		printf("missing       the key manager does not show it; it is not served (kmipctl "
		       "key "
		       "forget gives it up)\n");
	if (member_true(answer, "older_version"))
		printf("older         the root key has a newer version than the one that wraps it "
		       "in this cache (kmipctl rewrap)\n");
	if (member_true(answer, "quarantined"))
		printf("quarantined   two records of it disagree; it is read again from the key "
		       "manager\n");
	printf("\n");
	print_table(cJSON_GetObjectItemCaseSensitive(answer, "attributes"), columns, 3);
}

void print_instances(const cJSON *answer)
{
	static const struct print_column columns[] = { { "ID", "id" }, { "NAME", "name" },
		{ "KEY MANAGER", "key_manager" }, { "REACHABLE", "reachable" },
		{ "ROOT KEY", "root_key" }, { "STATE", "root_key_state" },
		{ "OTHER ROOT KEY", "other_root_key" }, { "KEY RING", "key_ring" },
		{ "URL", "url" } };
	print_table(cJSON_GetObjectItemCaseSensitive(answer, "instances"), columns, 9);
}

void print_clients(const cJSON *answer)
{
	static const struct print_column columns[] = { { "NAME", "name" },
		{ "INSTANCE", "instance" }, { "ADDED", "added" },
		{ "CERTIFICATE ENDS", "certificate_not_after" },
		{ "FINGERPRINT (SHA-256)", "fingerprint" } };
	print_table(cJSON_GetObjectItemCaseSensitive(answer, "clients"), columns, 5);
}

/* The number of a member; 0 without one. */
static double number_of(const cJSON *answer, const char *name)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(answer, name);
	return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

void print_draining(FILE *out, const char *before, const cJSON *status)
{
	const cJSON *workers = cJSON_GetObjectItemCaseSensitive(status, "workers");
	const cJSON *peer = cJSON_GetObjectItemCaseSensitive(status, "peer");
	fprintf(out, "%s%.0f connections open, %.0f answers held for the peer  ", before,
		number_of(workers, "connections"), number_of(peer, "answers_held"));
}

void print_checkpoint(FILE *out, const char *before, const cJSON *answer)
{
	fprintf(out, "%s%.0f changes looked at, %.0f records written", before,
		number_of(answer, "looked"), number_of(answer, "written"));
}
