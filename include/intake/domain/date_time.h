/*
 * FHIR R4 date, dateTime and time, each at the precision in which it was written. Comparison goes
 * as far as both say something: 2020 is neither before nor after 2020-05.
 */
#ifndef INTAKE_DOMAIN_DATE_TIME_H
#define INTAKE_DOMAIN_DATE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum date_time_precision { PRECISION_YEAR, PRECISION_MONTH, PRECISION_DAY, PRECISION_TIME };

struct date_time {
    enum date_time_precision precision;
    int16_t year; /* 1 to 9999; 0 in a time */
    uint8_t month;
    uint8_t day;
    int64_t micros; /* since midnight; a leap second counts as the last microsecond of its minute */
    bool has_zone;  /* only with PRECISION_TIME */
    int16_t zone_minutes; /* east of UTC */
};

/* YYYY, YYYY-MM or YYYY-MM-DD, of a day that exists. */
bool date_read(const char *text, size_t len, struct date_time *ret);

/* The same, or with a time and its zone: YYYY-MM-DDThh:mm:ss[.fff…](Z|±hh:mm). */
bool date_time_read(const char *text, size_t len, struct date_time *ret);

/* hh:mm:ss[.fff…], no zone. */
bool time_read(const char *text, size_t len, struct date_time *ret);

/* Less than, equal to or greater than zero, up to the precision that both have. */
int date_time_compare(const struct date_time *a, const struct date_time *b);

/* Whether they say the same, at the same precision. */
bool date_time_equal(const struct date_time *a, const struct date_time *b);

/* Milliseconds since 1970 in UTC of its first moment; without a zone it is taken as UTC. */
int64_t date_time_first_ms(const struct date_time *value);
/* … and of its last: of the year, month, day or second that it names. */
int64_t date_time_last_ms(const struct date_time *value);

#endif
