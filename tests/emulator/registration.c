/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations are made by IBM's own services: nobody registers here. */
#include "tests/emulator/handlers.h"

#define REGISTRATION_TYPE "application/vnd.ibm.kms.registration+json"

enum refusal registration_list(struct request *request)
{
	return request_answer(request, 200, key_envelope(REGISTRATION_TYPE, cJSON_CreateArray()));
}

enum refusal registration_service_only(struct request *request)
{
	(void) request;
	return REFUSE_SERVICE_ONLY_ERR;
}
