/* SPDX-License-Identifier: Apache-2.0 */
#include "node/authorities.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/x509_authority.h"

enum { WARN_DAYS = 30, DAY_S = 86400 };

_Static_assert((int) CONFIG_WHY_MAX > (int) X509_WHY_MAX + 100, "the sentence must fit");

static enum err add(struct kmip_authorities *list, const struct config_instance *instance)
{
	struct kmip_authority *authority = &list->items[list->count];
	enum err err;

	*authority = (struct kmip_authority){ .validity_days = instance->ca_validity_days };
	TRY(instance_id_parse(&authority->instance, slice_text(instance->id)));
	list->count++;
out:
	return err;
}

enum err authorities_names(struct kmip_authorities *out, const struct config *config)
{
	enum err err = ERR_OK;

	*out = (struct kmip_authorities){ .items = calloc(
						  config->instance_count, sizeof(*out->items)) };
	if (out->items == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < config->instance_count; i++) {
		if (config->instances[i].ca_certificate != NULL)
			TRY(add(out, &config->instances[i]));
	}
	return ERR_OK;
out:
	kmip_authorities_free(out);
	return err;
}

static void tell_end(const char *file, const struct x509_authority *authority)
{
	int64_t left = x509_authority_not_after(authority) - clock_wall_seconds();

	if (left < 0)
		log_error("authority-expired", "file=%s", file);
	else if (left < WARN_DAYS * DAY_S)
		log_warning(
			"authority-expires-soon", "file=%s days=%d", file, (int) (left / DAY_S));
}

static enum err load_files(struct kmip_authority *authority, const struct config_instance *instance,
	char why[CONFIG_WHY_MAX])
{
	struct x509_authority_files files = { instance->ca_certificate, instance->ca_key };
	char reason[X509_WHY_MAX];
	enum err err = x509_authority_new(&authority->authority, &files, reason);

	if (err == ERR_OK)
		tell_end(instance->ca_certificate, authority->authority);
	else
		(void) snprintf(why, CONFIG_WHY_MAX, "the certificate authority of instance %s: %s",
			instance->name, reason);
	return err;
}

static enum err judge_options(const struct config_instance *instance, char why[CONFIG_WHY_MAX])
{
	if ((instance->ca_certificate == NULL) == (instance->ca_key == NULL))
		return ERR_OK;
	(void) snprintf(why, CONFIG_WHY_MAX,
		"instances.ca-certificate, instances.ca-key: expected both or neither, found one "
		"of them for instance %s",
		instance->name);
	return ERR_CONFIG;
}

enum err authorities_load(
	struct kmip_authorities *out, const struct config *config, char why[CONFIG_WHY_MAX])
{
	size_t count = 0;
	enum err err;

	*out = (struct kmip_authorities){ 0 };
	for (size_t i = 0; i < config->instance_count; i++)
		TRY(judge_options(&config->instances[i], why));
	TRY(authorities_names(out, config));
	for (size_t i = 0; i < config->instance_count; i++) {
		if (config->instances[i].ca_certificate != NULL)
			TRY(load_files(&out->items[count++], &config->instances[i], why));
	}
	return ERR_OK;
out:
	kmip_authorities_free(out);
	return err;
}

void authorities_exchange(struct kmip_authorities *old, struct kmip_authorities *from)
{
	kmip_authorities_free(old);
	*old = *from;
	*from = (struct kmip_authorities){ 0 };
}

bool authorities_check(const struct config *config, const struct kmip_authorities *authorities)
{
	int64_t now = clock_wall_seconds();
	size_t count = 0;
	bool good = true;

	for (size_t i = 0; i < config->instance_count; i++) {
		const struct config_instance *instance = &config->instances[i];
		const struct x509_authority *authority;

		if (instance->ca_certificate == NULL)
			continue;
		authority = authorities->items[count++].authority;
		if (now >= x509_authority_not_before(authority) &&
			now < x509_authority_not_after(authority))
			continue;
		printf("instance %s: the certificate of its authority, %s, %s\n", instance->name,
			instance->ca_certificate,
			now < x509_authority_not_before(authority) ? "is not valid yet"
								   : "has expired");
		good = false;
	}
	return good;
}
