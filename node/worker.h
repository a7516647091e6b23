/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker role of kmipd (design D2): accepts, speaks TLS and KMIP, answers from the cache and
 * the table of unwrapped keys, hands the rest to the keeper. Holds no credential of the key
 * manager. Ends when the keeper is gone.
 */
#ifndef NODE_WORKER_H
#define NODE_WORKER_H

/* Runs until the keeper stops it, and ends the process. Descriptors as in ipc.h. */
_Noreturn void worker_run(const char *config_path);

#endif
