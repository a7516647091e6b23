/* SPDX-License-Identifier: Apache-2.0 */
/* The dates of text.h. Calendar arithmetic of our own: timegm and friends neither check ranges nor
 * leave the zone alone. */
#include "base/text.h"
#include <stdio.h>

enum { DAY_SECONDS = 86400, DAYS_TO_1970 = 719162 };

/* The two years that RFC 3339's four digits can tell, in seconds since 1970. */
static const int64_t date_min = (int64_t) -DAYS_TO_1970 * DAY_SECONDS - (int64_t) 366 * DAY_SECONDS;
static const int64_t date_max = 253402300799;

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from the first of January of year 0 to that of `year` (0..9999). */
static int64_t days_before_year(int64_t year)
{
	if (year == 0)
		return 0;
	return year * 365 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1;
}

/* `count` decimal digits at `at`, or -1. */
static int64_t digits_at(struct slice text, size_t at, size_t count)
{
	uint64_t value;

	if (at + count > text.len ||
		text_u64(&value, slice_cut(text, at, count), UINT32_MAX) != ERR_OK)
		return -1;
	return (int64_t) value;
}

static bool char_at(struct slice text, size_t at, char upper)
{
	return at < text.len && (text.data[at] == upper || text.data[at] == (upper | 0x20));
}

/* "Z" or "+hh:mm" at the end of the text, as seconds east of UTC. */
static enum err zone_parse(int64_t *out, struct slice zone)
{
	int64_t hours, minutes;

	*out = 0;
	if (zone.len == 1 && char_at(zone, 0, 'Z'))
		return ERR_OK;
	if (zone.len != 6 || (zone.data[0] != '+' && zone.data[0] != '-') || zone.data[3] != ':')
		return ERR_INVALID;
	hours = digits_at(zone, 1, 2);
	minutes = digits_at(zone, 4, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return ERR_INVALID;
	*out = (hours * 3600 + minutes * 60) * (zone.data[0] == '-' ? -1 : 1);
	return ERR_OK;
}

/* Skips ".digits" behind the seconds; 0 when it is malformed. */
static size_t fraction_end(struct slice text, size_t at)
{
	size_t first = at + 1;

	if (at >= text.len || text.data[at] != '.')
		return at;
	at = first;
	while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9')
		at++;
	return at == first ? 0 : at;
}

enum err text_rfc3339(int64_t *out, struct slice text)
{
	int64_t year = digits_at(text, 0, 4), month = digits_at(text, 5, 2);
	int64_t day = digits_at(text, 8, 2), hour = digits_at(text, 11, 2);
	int64_t minute = digits_at(text, 14, 2), second = digits_at(text, 17, 2);
	int64_t days, zone, seconds;
	size_t end = fraction_end(text, 19);
	enum err err;

	TRY(text.len < RFC3339_TEXT_LEN || end == 0 ? ERR_INVALID : ERR_OK);
	if (text.data[4] != '-' || text.data[7] != '-' || !char_at(text, 10, 'T') ||
		text.data[13] != ':' || text.data[16] != ':')
		return ERR_INVALID;
	/* A leap second counts as the one after it, as in POSIX time. */
	if (year < 0 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return ERR_INVALID;
	TRY(zone_parse(&zone, slice_cut(text, end, SIZE_MAX)));
	days = days_before_year(year) - days_before_year(1970) + day - 1;
	for (int64_t i = 1; i < month; i++)
		days += days_in_month(year, i);
	seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second - zone;
	TRY(seconds < date_min || seconds > date_max ? ERR_INVALID : ERR_OK);
	*out = seconds;
out:
	return err;
}

void text_rfc3339_from(char out[RFC3339_TEXT_LEN + 1], int64_t seconds)
{
	int64_t days, year, month = 1;
	unsigned rest;

	if (seconds < date_min)
		seconds = date_min;
	if (seconds > date_max)
		seconds = date_max;
	seconds -= date_min;
	days = seconds / DAY_SECONDS;
	rest = (unsigned) (seconds % DAY_SECONDS);
	/* The mean year gives the year or the one after it. */
	year = days * 400 / 146097;
	while (days_before_year(year) > days)
		year--;
	while (days_before_year(year + 1) <= days)
		year++;
	days -= days_before_year(year);
	while (days >= days_in_month(year, month))
		days -= days_in_month(year, month++);
	/* The masks and moduli only tell the compiler how long the text can be. */
	(void) snprintf(out, RFC3339_TEXT_LEN + 1, "%04u-%02u-%02uT%02u:%02u:%02uZ",
		(unsigned) year % 10000, (unsigned) month % 100, (unsigned) (days + 1) % 100,
		rest / 3600 % 24, rest / 60 % 60, rest % 60);
}
