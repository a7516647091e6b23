# SPDX-License-Identifier: Apache-2.0
unit_test(kmip/ttlv_test kmip)
unit_test(kmip/message_test kmip)
unit_test(kmip/codec_test kmip)
unit_test(kmip/vectors_test kmip)
target_compile_definitions(kmip_vectors_test PRIVATE TESTS_DIR="${CMAKE_SOURCE_DIR}/tests")
if(TARGET keystore)
	unit_test(kmip/attribute_rules_test kmip)
endif()
