/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks: boot time for deadlines (counts suspend, never jumps), wall time for dates. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_boot_ms(void);
uint64_t clock_boot_us(void); /* for how long something took */
uint64_t clock_wall_ms(void);
int64_t clock_wall_seconds(void);

#endif
