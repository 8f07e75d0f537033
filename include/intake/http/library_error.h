/*
 * What libmicrohttpd refuses by itself while it reads headers or chunks (a Content-Length that is
 * no number, headers that are too large, a chunk without a size) is answered by us: as a problem
 * like every other, with a request id.
 *
 * The library tells no callback which connection it is about to refuse; it only logs the status
 * first, on the connection's thread. So each thread knows the requests that it is reading, and
 * where only one of them can be meant, that one is answered: its reply is written here and the
 * socket closed for writing, so that the library's own (of which 0.9.75 sends the headers twice)
 * goes nowhere. Where another connection could be meant as well, the library's reply stands: of a
 * first line that is none, of a header without a colon, of several that are read together.
 */
#ifndef INTAKE_HTTP_LIBRARY_ERROR_H
#define INTAKE_HTTP_LIBRARY_ERROR_H

#include <stdarg.h>

struct request;

/* The first line of a request has come / all of it that can be refused was read, or it ended. */
void library_error_watch(struct request *request);
void library_error_forget(struct request *request);

/* libmicrohttpd's logger. */
void library_error_log(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
