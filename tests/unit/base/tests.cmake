# SPDX-License-Identifier: Apache-2.0
unit_test(base/slice_test base)
unit_test(base/buf_test base)
unit_test(base/text_test base)
unit_test(base/secret_test base)
unit_test(base/log_test base)
unit_test(base/loop_test base)
unit_test(base/http_serve_test base)
unit_test(base/stream_tls_test base)

add_executable(base_harden_test ${CMAKE_SOURCE_DIR}/tests/unit/base/harden_test.c)
target_link_libraries(base_harden_test PRIVATE base)
set_target_properties(base_harden_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
add_test(NAME base_harden_test COMMAND base_harden_test)
