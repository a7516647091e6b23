/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random walks of keys through the states of section 3.22, beside a model of its own that knows
 * flags and dates and nothing of the server: what the model allows succeeds, what it forbids is
 * refused with the reason that it names, and the state and dates told are the model's. Prints a
 * seed; RANDOM_SEED=n walks the same way again.
 */
#include "random.h"
#include "served.h"

enum {
	KEYS = 6,
	STEPS = 600,
	ENCRYPT_DECRYPT = 12,
	LONG_AGO = 1000,
	SOON = 4102444800, /* 2100 */
};

/* ---- the model ---- */

struct key {
	char uid[UUID_TEXT_LEN + 1];
	bool active, deactivated, compromised, destroyed;
	int64_t activation, deactivation; /* as told; 0: none */
};

static uint32_t state_of(const struct key *key)
{
	if (key->destroyed)
		return key->compromised ? KMIP_STATE_DESTROYED_COMPROMISED : KMIP_STATE_DESTROYED;
	if (key->compromised)
		return KMIP_STATE_COMPROMISED;
	if (key->deactivated)
		return KMIP_STATE_DEACTIVATED;
	return key->active ? KMIP_STATE_ACTIVE : KMIP_STATE_PRE_ACTIVE;
}

static bool is_live(const struct key *key)
{
	return state_of(key) == KMIP_STATE_PRE_ACTIVE || state_of(key) == KMIP_STATE_ACTIVE;
}

/* Zero: allowed, and the model has moved. */
enum { DENIED = KMIP_RESULT_REASON_PERMISSION_DENIED, FIELD = KMIP_RESULT_REASON_INVALID_FIELD };

/* What is Active has an end, which may be over. */
static void begin(struct key *key)
{
	key->active = true;
	key->deactivated |= key->deactivation > 0 && key->deactivation < SOON;
}

static uint32_t model_activate(struct key *key)
{
	if (state_of(key) != KMIP_STATE_PRE_ACTIVE)
		return DENIED;
	begin(key);
	key->activation = -1; /* now */
	return 0;
}

static uint32_t model_revoke(struct key *key, bool is_compromise)
{
	if (key->compromised || (!is_compromise && !is_live(key)))
		return DENIED;
	if (is_compromise)
		key->compromised = true;
	else
		key->deactivated = true;
	if (!is_compromise)
		key->deactivation = -1;
	return 0;
}

static uint32_t model_destroy(struct key *key)
{
	if (key->destroyed || state_of(key) == KMIP_STATE_ACTIVE)
		return DENIED;
	key->destroyed = true;
	return 0;
}

/* Adding is for what is not there, modifying for what is. */
static uint32_t model_activation_date(struct key *key, bool adds, int64_t date)
{
	if (state_of(key) != KMIP_STATE_PRE_ACTIVE)
		return DENIED;
	if (adds != (key->activation == 0))
		return adds ? KMIP_RESULT_REASON_ILLEGAL_OPERATION : FIELD;
	if (key->deactivation != 0 && date > key->deactivation)
		return FIELD;
	key->activation = date;
	if (date < SOON)
		begin(key);
	return 0;
}

static uint32_t model_deactivation_date(struct key *key, bool adds, int64_t date)
{
	int64_t activation = key->activation == -1 ? SOON - 1 : key->activation;

	if (!is_live(key))
		return DENIED;
	if (adds != (key->deactivation == 0))
		return adds ? KMIP_RESULT_REASON_ILLEGAL_OPERATION : FIELD;
	if (activation != 0 && activation > date)
		return FIELD;
	key->deactivation = date;
	key->deactivated = key->active && date < SOON;
	return 0;
}

static uint32_t model_encrypt(const struct key *key)
{
	return state_of(key) == KMIP_STATE_ACTIVE ? 0 : DENIED;
}

static uint32_t model_decrypt(const struct key *key)
{
	return key->destroyed || state_of(key) == KMIP_STATE_PRE_ACTIVE ? DENIED : 0;
}

/* ---- the walk ---- */

static const struct slice block = { (const uint8_t *) "0123456789abcdef", 16 };

static uint32_t crypt_with(struct served *served, struct slice uid, bool encrypts)
{
	struct kmip_cryptographic_parameters ecb = { .block_cipher_mode = KMIP_UINT(
							     KMIP_BLOCK_CIPHER_MODE_ECB) };

	if (encrypts)
		return reason_of(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
			.parameters = &ecb, .data = block));
	return reason_of(ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &ecb,
		.data = block));
}

static uint32_t set_date(
	struct served *served, struct slice uid, const char *name, bool adds, int64_t date)
{
	struct kmip_attribute attribute = attribute_of(name, kmip_value_date(date));

	return reason_of(
		adds ? served_add(served, uid, attribute) : served_modify(served, uid, attribute));
}

/* One step on both sides. */
static void step(struct served *served, struct key *key)
{
	struct slice uid = slice_text(key->uid);
	uint32_t got, want, what = draw(10);
	bool flag = draw(2) == 0;
	int64_t date = draw(2) == 0 ? LONG_AGO + (int64_t) draw(100) : SOON + (int64_t) draw(100);

	switch (what) {
	case 0:
		want = model_activate(key);
		got = reason_of(served_activate(served, uid));
		break;
	case 1:
		want = model_revoke(key, flag);
		got = reason_of(served_revoke(served, uid,
			flag ? KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE
			     : KMIP_REVOCATION_REASON_CODE_SUPERSEDED));
		break;
	case 2:
		want = model_destroy(key);
		got = reason_of(served_destroy(served, uid));
		break;
	case 3:
	case 4:
		want = model_activation_date(key, flag, date);
		got = set_date(served, uid, "Activation Date", flag, date);
		break;
	case 5:
	case 6:
		want = model_deactivation_date(key, flag, date);
		got = set_date(served, uid, "Deactivation Date", flag, date);
		break;
	case 7:
		want = model_encrypt(key);
		got = crypt_with(served, uid, true);
		break;
	case 8:
		want = model_decrypt(key);
		got = crypt_with(served, uid, false);
		break;
	default:
		want = key->destroyed ? KMIP_RESULT_REASON_ILLEGAL_OPERATION : 0;
		got = reason_of(served_get(served, uid));
		break;
	}
	cr_assert_eq(got, want, "step %u on a key in state %u: reason %u, the model's %u", what,
		state_of(key), got, want);
}

/* What the attributes tell. */
static void compare(struct served *served, const struct key *key)
{
	static const char *const names[] = { "Activation Date", "Deactivation Date", "Destroy Date",
		"Compromise Date" };
	const bool wanted[] = { key->activation != 0, key->deactivation != 0, key->destroyed,
		key->compromised };
	struct slice uid = slice_text(key->uid);

	cr_assert_eq(served_state(served, uid), state_of(key));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_assert_eq(served_value(served, uid, names[i]).type == KMIP_TYPE_DATE_TIME,
			wanted[i], "%s in state %u", names[i], state_of(key));
}

static void key_make(struct served *served, struct key *key)
{
	*key = (struct key){ .active = false };
	cr_assert_eq(text_copy(key->uid, sizeof(key->uid), served_key(served)), ERR_OK);
}

Test(random_states, agree_with_the_model)
{
	struct served served = { 0 };
	struct key keys[KEYS];

	random_start();
	served_start(&served, true);
	served.version = KMIP_1_4;
	for (size_t i = 0; i < KEYS; i++)
		key_make(&served, &keys[i]);
	for (size_t i = 0; i < STEPS; i++) {
		struct key *key = &keys[draw(KEYS)];

		/* The memory of one step is not needed in the next. */
		arena_free(served.arena);
		served.arena = test_arena();
		served.record_count = 0;
		step(&served, key);
		compare(&served, key);
		if (key->destroyed && key->compromised && draw(3) == 0)
			key_make(&served, key);
	}
	served_stop(&served);
}
