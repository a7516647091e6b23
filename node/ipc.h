/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between the keeper and its workers (design D2), over base/chan.h. Both ends are always
 * the same binary, so there is no version. Bodies:
 *
 *	START   keeper -> worker: be16 worker number, 32 bytes key of the table of unwrapped keys,
 *	        be32 length and text of the configuration that the keeper started with, text of
 *	        the one that it reloaded last (empty: none)
 *	READY   worker -> keeper: empty; the worker accepts connections
 *	FRAME   worker -> keeper: 32 bytes client fingerprint, the KMIP request as it came; id = the
 *	        session's ticket
 *	ANSWER  keeper -> worker: u8 (1: close after sending), the KMIP response; same id
 *	RELOAD  keeper -> worker: text of the configuration that the keeper has reloaded
 *	STOP    keeper -> worker: empty; stop accepting, finish what is under way, exit
 *
 * A worker never reads the configuration file: it may have been edited since, and another data-dir
 * would have other clients and states.
 */
#ifndef NODE_IPC_H
#define NODE_IPC_H

#include "base/buf.h"

enum ipc_type { IPC_START = 1, IPC_READY, IPC_FRAME, IPC_ANSWER, IPC_RELOAD, IPC_STOP };

/* Descriptors that a worker is born with. */
enum {
	IPC_FD_LISTEN = 3,
	IPC_FD_CHAN = 4,
	IPC_FD_TABLE = 5,
	IPC_FD_COUNTERS = 6,
	IPC_FD_COUNT = 4
};

enum {
	IPC_BODY_EXTRA = 4096, /* room beside a KMIP message */
	IPC_REQUEST_LEN_MAX = 16777216, /* the highest max-message-size */
	IPC_RESPONSE_LEN_MAX = 16777216, /* the longest answer (a Locate of everything) */
	IPC_OUT_MAX = 67108864, /* queued on one channel before requests are refused */
};

#endif
