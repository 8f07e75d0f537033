/* SQLSTATE classes and what they mean to a caller (PostgreSQL documentation, appendix A). */
#ifndef INTAKE_DB_SQLSTATE_H
#define INTAKE_DB_SQLSTATE_H

#include <stdbool.h>

#include "intake/core/err.h"

struct sqlstate {
    const char *prefix;
    enum status status;
    bool closes; /* the link is of no use any more */
    bool quotes; /* the server's primary message is free of row data */
};

/* Of the five characters that a server sent; never NULL. */
const struct sqlstate *sqlstate_find(const char *code);

#endif
