# SPDX-License-Identifier: Apache-2.0
# Language, warnings, hardening and instrumentation of every target.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(PAIR_SANITIZE "Address and undefined-behaviour sanitizers" OFF)
option(PAIR_FUZZ "libFuzzer targets (clang)" OFF)
option(PAIR_KILL_POINTS "Places where a test kills the keeper (keystore/kill_point.h)" OFF)
option(PAIR_COVERAGE "gcov instrumentation" OFF)

add_compile_definitions(_GNU_SOURCE PAIR_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
	-Wpointer-arith -Wwrite-strings -Werror -fno-strict-aliasing -fno-common)

if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
	# Assertions stay on in every build: NDEBUG is never defined.
	set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
	add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
	add_compile_definitions(_FORTIFY_SOURCE=2)
	set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie -Wl,-z,relro,-z,now,-z,noexecstack")
endif()
if(PAIR_KILL_POINTS)
	add_compile_definitions(PAIR_KILL_POINTS)
endif()
if(PAIR_SANITIZE)
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
endif()
if(PAIR_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
endif()
if(PAIR_COVERAGE)
	add_compile_options(--coverage)
	add_link_options(--coverage)
endif()

include_directories(${CMAKE_SOURCE_DIR})
