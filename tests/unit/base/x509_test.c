/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate says of itself, and bytes that are none. */
#include <criterion/criterion.h>
#include <string.h>
#include "base/text.h"
#include "base/x509.h"

/* openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /C=US/O=Example/CN=test
 * -set_serial 4660 -addext subjectAltName=DNS:a.example,DNS:b.example */
static const char certificate[] =
	"308201c130820168a00302010202021234300a06082a8648ce3d040302302e310b30090603550406"
	"130255533110300e060355040a0c074578616d706c65310d300b06035504030c0474657374302017"
	"0d3236313132363035333531395a180f32313236313130323035333531395a302e310b3009060355"
	"0406130255533110300e060355040a0c074578616d706c65310d300b06035504030c047465737430"
	"59301306072a8648ce3d020106082a8648ce3d0301070342000489e09528f412dd4bb97944cc99a9"
	"21e1274a015c0bedb5ea22692ed0b081393a803404655bab1282f8ddbe96f5957f0f910a3e858d09"
	"00e562a20d5f8db332d3a3743072301d0603551d0e041604140f9ad8c6774eea9f170f0d84481e19"
	"e95a7ad132301f0603551d230418301680140f9ad8c6774eea9f170f0d84481e19e95a7ad132300f"
	"0603551d130101ff040530030101ff301f0603551d11041830168209612e6578616d706c65820962"
	"2e6578616d706c65300a06082a8648ce3d040302034700304402205a1a3aaf69a6eb85e6137f91b7"
	"1c5ead50c9b3b2b8f2bf1ff89385973eeffb3702207f980643e717b2903e276dbcb87b64d107b805"
	"9d0b12e160e75f7cd60a9e0a5e";
enum { DER_LEN = (sizeof(certificate) - 1) / 2 };

Test(x509, facts)
{
	uint8_t der[DER_LEN + 1] = { 0 };
	static const uint8_t serial[] = { 0x12, 0x34 }, serial_der[] = { 2, 2, 0x12, 0x34 };
	struct x509_facts facts;
	struct buf memory;

	cr_assert_eq(text_unhex(der, DER_LEN, slice_text(certificate)), ERR_OK);
	buf_init(&memory, 6 * DER_LEN);
	cr_assert_eq(x509_facts(&facts, slice_of(der, DER_LEN), &memory), ERR_OK);
	cr_assert(slice_equal(facts.serial, slice_of(serial, sizeof(serial))));
	cr_assert(slice_equal(facts.serial_der, slice_of(serial_der, sizeof(serial_der))));
	cr_assert(slice_equal_text(facts.subject_text, "CN=test,O=Example,C=US"));
	cr_assert(slice_equal(facts.subject, facts.issuer));
	cr_assert_eq(facts.alt_name_count, 2);
	cr_assert(slice_equal_text(slice_cut(facts.alt_names[1], 2, 20), "b.example"));
	/* C, O and CN, of the subject and of the issuer. */
	cr_assert_eq(facts.part_count, 6);
	cr_assert_eq(facts.parts[0].kind, X509_PART_C);
	cr_assert(slice_equal_text(facts.parts[1].text, "Example"));
	cr_assert_not(facts.parts[2].is_issuer);
	cr_assert(facts.parts[5].is_issuer);
	cr_assert_eq(facts.parts[5].kind, X509_PART_CN);
	cr_assert(slice_equal_text(facts.parts[5].text, "test"));
	cr_assert_str_eq(facts.signature, "ecdsa-with-SHA256");
	cr_assert_str_eq(facts.key_algorithm, "id-ecPublicKey");
	cr_assert_eq(facts.key_bits, 256);
	cr_assert_eq(facts.usage, 0);

	buf_clear(&memory);
	cr_assert_eq(x509_facts(&facts, slice_of(der, DER_LEN + 1), &memory), ERR_INVALID);
	for (size_t len = 0; len < DER_LEN; len++) {
		buf_clear(&memory);
		cr_assert_eq(x509_facts(&facts, slice_of(der, len), &memory), ERR_INVALID);
	}
	buf_free(&memory);
	/* Too little room is said, not overrun. */
	buf_init(&memory, 8);
	cr_assert_eq(x509_facts(&facts, slice_of(der, DER_LEN), &memory), ERR_LIMIT);
	buf_free(&memory);
}
