/* Scope-bound release of resources (the compiler's cleanup attribute), after systemd's model. */
#ifndef INTAKE_CORE_CLEANUP_H
#define INTAKE_CORE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* Frees the variable when it leaves its scope; NULL is accepted. */
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
/* Closes the descriptor when it leaves its scope; a negative one is accepted. */
#define AUTO_CLOSE __attribute__((cleanup(cleanup_close)))
/* Calls `function(&variable)` when the variable leaves its scope. */
#define AUTO(function) __attribute__((cleanup(function)))

/* Hands ownership on: yields the pointer and leaves NULL behind. Evaluates its operand once. */
#define TAKE(pointer)                                                                              \
    ({                                                                                             \
        __typeof__(&(pointer)) place_ = &(pointer);                                                \
        __typeof__(pointer) taken_ = *place_;                                                      \
        *place_ = NULL;                                                                            \
        taken_;                                                                                    \
    })

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
