/*
 * What libmicrohttpd refuses by itself while it reads headers (a Content-Length that is no number,
 * headers that are too large) is answered by us: as a problem like every other, with a request id.
 *
 * The library tells no callback which connection it is about to refuse; it only logs the status
 * first, on the connection's thread. So each thread knows the requests whose headers it is reading,
 * and when there is one (nearly always: headers come in one piece) it is that one. Its reply is
 * written here and the socket closed for writing, so that the library's own (of which 0.9.75 sends
 * the headers twice) goes nowhere. With several, the library's reply stands.
 */
#ifndef INTAKE_HTTP_LIBRARY_ERROR_H
#define INTAKE_HTTP_LIBRARY_ERROR_H

#include <stdarg.h>

struct request;

/* The first line of a request has come / its headers were read, or it ended before. */
void library_error_watch(struct request *request);
void library_error_forget(struct request *request);

/* libmicrohttpd's logger. */
void library_error_log(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
