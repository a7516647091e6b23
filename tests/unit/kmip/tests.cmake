# SPDX-License-Identifier: Apache-2.0
unit_test(kmip/ttlv_test kmip)
unit_test(kmip/message_test kmip)
unit_test(kmip/codec_test kmip)
unit_test(kmip/vectors_test kmip)
target_compile_definitions(kmip_vectors_test PRIVATE TESTS_DIR="${CMAKE_SOURCE_DIR}/tests")
if(TARGET keystore)
	unit_test(kmip/attribute_rules_test kmip)
	unit_test(kmip/policy_test kmip)
	unit_test(kmip/streams_test kmip)
endif()
# Over the real store, whose key manager is the harness's.
if(TARGET fake_keymanager)
	foreach(name
			random_requests
			random_states
			serve
			batch
			batch_undo
			given
			later
			op_add_attribute
			op_archive
			op_certify
			op_check
			op_create
			op_create_key_pair
			op_crypto
			op_delete_attribute
			op_derive_key
			op_get
			op_get_attributes
			op_import
			op_lifecycle
			locate_random
			locate_scan
			op_locate
			unique_name
			op_modify_attribute
			op_policy
			op_query
			op_re_key
			op_re_key_key_pair
			op_register
			op_split_key
			op_validate
			packing)
		unit_test(kmip/${name}_test kmip fake_keymanager)
	endforeach()
endif()

# Measures Locate among many objects (tests/bench).
add_executable(locate-bench ${CMAKE_SOURCE_DIR}/tests/bench/locate_bench.c)
target_link_libraries(locate-bench PRIVATE kmip)
set_target_properties(locate-bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
