# SPDX-License-Identifier: Apache-2.0

unit_test(replication/wire_test replication_core)
unit_test(replication/core_test replication_core)
unit_test(replication/link_test replication)
unit_test(replication/pair_test replication)

# The pair in seeded worlds, and the same with one rule broken: tests/simulation.
set(simulation
	${CMAKE_SOURCE_DIR}/tests/simulation/background.c
	${CMAKE_SOURCE_DIR}/tests/simulation/disk.c
	${CMAKE_SOURCE_DIR}/tests/simulation/faults.c
	${CMAKE_SOURCE_DIR}/tests/simulation/fetch.c
	${CMAKE_SOURCE_DIR}/tests/simulation/flow.c
	${CMAKE_SOURCE_DIR}/tests/simulation/manager.c
	${CMAKE_SOURCE_DIR}/tests/simulation/model.c
	${CMAKE_SOURCE_DIR}/tests/simulation/node.c
	${CMAKE_SOURCE_DIR}/tests/simulation/pair_sim.c
	${CMAKE_SOURCE_DIR}/tests/simulation/reads.c
	${CMAKE_SOURCE_DIR}/tests/simulation/world.c)
add_executable(pair_sim ${simulation})
target_link_libraries(pair_sim PRIVATE replication_core keystore)
get_target_property(replication_core_sources replication_core SOURCES)
list(TRANSFORM replication_core_sources PREPEND ${CMAKE_SOURCE_DIR}/replication/)
add_executable(pair_sim_mutant ${simulation} ${replication_core_sources})
target_compile_definitions(pair_sim_mutant PRIVATE PAIR_MUTANTS)
target_link_libraries(pair_sim_mutant PRIVATE keystore)
set_target_properties(pair_sim pair_sim_mutant PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/simulation)
add_test(NAME pair_sim COMMAND pair_sim --seeds 200)

add_executable(merge_laws ${CMAKE_SOURCE_DIR}/tests/simulation/merge_laws.c)
target_link_libraries(merge_laws PRIVATE keystore)
set_target_properties(merge_laws PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/simulation)
add_test(NAME merge_laws COMMAND merge_laws --cases 100000)

add_executable(cache-bench ${CMAKE_SOURCE_DIR}/tests/bench/cache_bench.c)
target_link_libraries(cache-bench PRIVATE kmip)
set_target_properties(cache-bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
