/* Dates and times: strict reading, and comparison by precision. */
#include "intake/domain/date_time.h"

enum { MICROS_PER_SECOND = 1000000, SECONDS_PER_DAY = 86400, ZONE_MAX_MINUTES = 14 * 60 };

/* What is left to read; every reader moves `at` past what it took. */
struct cursor {
    const char *at;
    const char *end;
};

static bool take(struct cursor *in, char c)
{
    if (in->at == in->end || *in->at != c) {
        return false;
    }
    in->at++;
    return true;
}

/* Exactly `count` digits. */
static bool take_digits(struct cursor *in, int count, int *ret)
{
    if (in->end - in->at < count) {
        return false;
    }
    int value = 0;
    for (int i = 0; i < count; i++) {
        const char c = in->at[i];
        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (c - '0');
    }
    in->at += count;
    *ret = value;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* YYYY[-MM[-DD]], leaving what follows. */
static bool take_date(struct cursor *in, struct date_time *ret)
{
    int year = 0;
    int month = 0;
    int day = 0;
    if (!take_digits(in, 4, &year) || year == 0) {
        return false;
    }
    *ret = (struct date_time){.precision = PRECISION_YEAR, .year = (int16_t)year};
    if (!take(in, '-')) {
        return true;
    }
    if (!take_digits(in, 2, &month) || month < 1 || month > 12) {
        return false;
    }
    ret->month = (uint8_t)month;
    ret->precision = PRECISION_MONTH;
    if (!take(in, '-')) {
        return true;
    }
    if (!take_digits(in, 2, &day) || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    ret->day = (uint8_t)day;
    ret->precision = PRECISION_DAY;
    return true;
}

/* hh:mm:ss[.f…]; digits beyond microseconds are read and dropped. */
static bool take_time(struct cursor *in, struct date_time *ret)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!take_digits(in, 2, &hour) || !take(in, ':') || !take_digits(in, 2, &minute) ||
        !take(in, ':') || !take_digits(in, 2, &second) || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    int64_t micros = 0;
    if (take(in, '.')) {
        int64_t unit = MICROS_PER_SECOND;
        const char *first = in->at;
        int digit = 0;
        while (take_digits(in, 1, &digit)) {
            unit /= 10;
            micros += digit * unit;
        }
        if (in->at == first) {
            return false;
        }
    }
    if (second == 60) {
        second = 59;
        micros = MICROS_PER_SECOND - 1;
    }
    ret->precision = PRECISION_TIME;
    ret->micros = ((int64_t)(hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros;
    return true;
}

static bool take_zone(struct cursor *in, struct date_time *ret)
{
    ret->has_zone = true;
    ret->zone_minutes = 0;
    if (take(in, 'Z')) {
        return true;
    }
    const bool west = take(in, '-');
    if (!west && !take(in, '+')) {
        return false;
    }
    int hours = 0;
    int minutes = 0;
    if (!take_digits(in, 2, &hours) || !take(in, ':') || !take_digits(in, 2, &minutes) ||
        minutes > 59 || hours * 60 + minutes > ZONE_MAX_MINUTES) {
        return false;
    }
    const int zone = hours * 60 + minutes;
    ret->zone_minutes = (int16_t)(west ? -zone : zone);
    return true;
}

bool date_read(const char *text, size_t len, struct date_time *ret)
{
    struct cursor in = {text, text + len};
    return take_date(&in, ret) && in.at == in.end;
}

bool date_time_read(const char *text, size_t len, struct date_time *ret)
{
    struct cursor in = {text, text + len};
    if (!take_date(&in, ret)) {
        return false;
    }
    if (ret->precision == PRECISION_DAY && take(&in, 'T')) {
        if (!take_time(&in, ret) || !take_zone(&in, ret)) {
            return false;
        }
    }
    return in.at == in.end;
}

bool time_read(const char *text, size_t len, struct date_time *ret)
{
    struct cursor in = {text, text + len};
    *ret = (struct date_time){.precision = PRECISION_TIME};
    return take_time(&in, ret) && in.at == in.end;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar. */
static int64_t days_since_epoch(int64_t year, int64_t month, int64_t day)
{
    /* Count years from March, so that the leap day is the last of its year. */
    year -= month <= 2;
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const int64_t year_of_era = year - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* Microseconds since 1970 of the first moment, moved to UTC where a zone is given. */
static int64_t first_micros(const struct date_time *value)
{
    const int64_t month = value->precision >= PRECISION_MONTH ? value->month : 1;
    const int64_t day = value->precision >= PRECISION_DAY ? value->day : 1;
    const int64_t days = value->year == 0 ? 0 : days_since_epoch(value->year, month, day);
    return (days * SECONDS_PER_DAY - (int64_t)value->zone_minutes * 60) * MICROS_PER_SECOND +
           value->micros;
}

static int compare_int64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int date_time_compare(const struct date_time *a, const struct date_time *b)
{
    if (a->precision == PRECISION_TIME && b->precision == PRECISION_TIME) {
        return compare_int64(first_micros(a), first_micros(b));
    }
    const enum date_time_precision shared =
        a->precision < b->precision ? a->precision : b->precision;
    int order = compare_int64(a->year, b->year);
    if (order == 0 && shared >= PRECISION_MONTH) {
        order = compare_int64(a->month, b->month);
    }
    if (order == 0 && shared >= PRECISION_DAY) {
        order = compare_int64(a->day, b->day);
    }
    return order;
}

bool date_time_equal(const struct date_time *a, const struct date_time *b)
{
    return a->precision == b->precision && date_time_compare(a, b) == 0;
}

int64_t date_time_first_ms(const struct date_time *value)
{
    return first_micros(value) / 1000;
}

int64_t date_time_last_ms(const struct date_time *value)
{
    struct date_time after = *value;
    switch (value->precision) {
    case PRECISION_YEAR:
        after.year++;
        break;
    case PRECISION_MONTH:
        after.month = value->month == 12 ? 1 : (uint8_t)(value->month + 1);
        after.year = (int16_t)(value->year + (value->month == 12));
        break;
    case PRECISION_DAY:
        after.micros = (int64_t)SECONDS_PER_DAY * MICROS_PER_SECOND;
        break;
    case PRECISION_TIME:
        after.micros += MICROS_PER_SECOND;
        break;
    }
    return first_micros(&after) / 1000 - 1;
}
