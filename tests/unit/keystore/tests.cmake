# SPDX-License-Identifier: Apache-2.0
unit_test(keystore/envelope_test keystore)
unit_test(keystore/record_test keystore)
unit_test(keystore/merge_test keystore)
unit_test(keystore/cache_test keystore)
unit_test(keystore/ids_test keystore)
unit_test(keystore/stamp_test keystore)
unit_test(keystore/object_test keystore)
unit_test(keystore/kek_table_test keystore)
unit_test(keystore/commit_test keystore)
unit_test(keystore/keymanager_test keystore)
add_dependencies(keystore_keymanager_test key-protect-emulator)

add_library(scripted_service STATIC
	${CMAKE_SOURCE_DIR}/tests/unit/keystore/scripted_calls.c
	${CMAKE_SOURCE_DIR}/tests/unit/keystore/scripted_service.c)
target_link_libraries(scripted_service PUBLIC keystore PkgConfig::CRITERION)
unit_test(keystore/keymanager_answers_test scripted_service)
unit_test(keystore/keymanager_faults_test scripted_service)
add_library(fake_keymanager OBJECT ${CMAKE_SOURCE_DIR}/tests/harness/fake_keymanager.c
	${CMAKE_SOURCE_DIR}/tests/harness/store_world.c)
target_link_libraries(fake_keymanager PUBLIC base PkgConfig::CRITERION)
unit_test(keystore/create_test fake_keymanager keystore)
unit_test(keystore/fetch_test fake_keymanager keystore)
unit_test(keystore/destroy_test fake_keymanager keystore)
unit_test(keystore/client_flow_test fake_keymanager keystore)
unit_test(keystore/background_test fake_keymanager keystore)
unit_test(keystore/poll_test fake_keymanager keystore)
