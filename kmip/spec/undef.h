/* SPDX-License-Identifier: Apache-2.0 */
/* Ends an expansion of structures.def and payloads.def; hence no include guard. */
#undef STRUCT
#undef STRUCT_END
#undef INTEGER
#undef LONG
#undef ENUM
#undef OPEN_ENUM
#undef BOOLEAN
#undef TEXT
#undef BYTES
#undef BIG
#undef DATE
#undef INTERVAL
#undef ANY
#undef RAW
#undef CHILD
#undef ENUMS
#undef TEXTS
#undef BLOBS
#undef CHILDREN
#undef OBJECT
#undef OPERATION
