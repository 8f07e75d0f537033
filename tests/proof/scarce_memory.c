/*
 * Memory that runs out in a program that runs: preloaded, in the place of malloc and its kind, for
 * the program, its libraries and libc itself. It does what the file says that SCARCE_MEMORY names:
 * whoever maps that file may write into it at any time, and the program knows nothing of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file, as memory.py has it, too. */
struct scarcity {
    _Atomic uint64_t share;   /* one in so many calls is refused; 0: none is */
    _Atomic uint64_t single;  /* the number of a call that is refused; 0: of none */
    _Atomic uint64_t calls;   /* so far */
    _Atomic uint64_t refused; /* so far */
};

static struct scarcity plenty; /* until the file is there */
static struct scarcity *_Atomic scarcity = &plenty;

__attribute__((constructor)) static void map_file(void)
{
    const char *path = getenv("SCARCE_MEMORY");
    const int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *memory = MAP_FAILED;
    if (fd >= 0) {
        memory = mmap(NULL, sizeof plenty, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    if (memory == MAP_FAILED) {
        perror("SCARCE_MEMORY");
        _exit(1);
    }
    atomic_store(&scarcity, memory);
}

/* Numbers of calls in an order without a pattern (splitmix64). */
static uint64_t mix(uint64_t number)
{
    number += 0x9e3779b97f4a7c15U;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
    return number ^ (number >> 31);
}

static bool is_refused(void)
{
    struct scarcity *now = atomic_load(&scarcity);
    const uint64_t call = atomic_fetch_add(&now->calls, 1) + 1;
    const uint64_t share = atomic_load(&now->share);
    if (call != atomic_load(&now->single) && (share == 0 || mix(call) % share != 0)) {
        return false;
    }
    atomic_fetch_add(&now->refused, 1);
    errno = ENOMEM;
    return true;
}

/* Libc's own, under the names that it keeps for who replaces them. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(count, size);
}

/* Libc's reallocarray, strdup, vasprintf and the rest end here, too. */
void *realloc(void *memory, size_t size)
{
    const bool frees = memory != NULL && size == 0;
    return !frees && is_refused() ? NULL : __libc_realloc(memory, size);
}
