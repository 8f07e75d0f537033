/* The two clocks: one for deadlines and durations, one for stamps in logs and ids. */
#include "intake/core/clock.h"

#include <time.h>

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Writes `value` as `digits` decimal digits; returns the place behind them. */
static char *put_digits(char *out, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

void clock_rfc3339(int64_t wall_us, char ret_text[static RFC3339_SIZE])
{
    int64_t fraction = wall_us % 1000000;
    if (fraction < 0) {
        fraction += 1000000;
    }
    const time_t seconds = (time_t)((wall_us - fraction) / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);

    char *out = put_digits(ret_text, utc.tm_year + 1900, 4);
    *out++ = '-';
    out = put_digits(out, utc.tm_mon + 1, 2);
    *out++ = '-';
    out = put_digits(out, utc.tm_mday, 2);
    *out++ = 'T';
    out = put_digits(out, utc.tm_hour, 2);
    *out++ = ':';
    out = put_digits(out, utc.tm_min, 2);
    *out++ = ':';
    out = put_digits(out, utc.tm_sec, 2);
    *out++ = '.';
    out = put_digits(out, fraction, 6);
    *out++ = 'Z';
    *out = '\0';
}
