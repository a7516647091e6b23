# SPDX-License-Identifier: Apache-2.0

unit_test(replication/wire_test replication_core)
unit_test(replication/core_test replication_core)
unit_test(replication/pair_test replication)

# The pair's core in seeded worlds: pair_sim --seeds N, and --seed S to replay one.
add_executable(pair_sim
	${CMAKE_SOURCE_DIR}/tests/simulation/node.c
	${CMAKE_SOURCE_DIR}/tests/simulation/pair_sim.c
	${CMAKE_SOURCE_DIR}/tests/simulation/world.c)
target_link_libraries(pair_sim PRIVATE replication_core)
set_target_properties(pair_sim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/simulation)
add_test(NAME pair_sim COMMAND pair_sim --seeds 200)
