/*
 * Memory that runs out in a program that runs: preloaded, in the place of malloc and its kind, for
 * the program, its libraries and libc itself. It does what the file says that SCARCE_MEMORY names:
 * whoever maps that file may write into it at any time, and the program knows nothing of it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pwd.h>
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
    _Atomic uint64_t turn;    /* of the calls from now on, this one is refused; 0: none is */
    _Atomic uint64_t calls;   /* so far */
    _Atomic uint64_t refused; /* so far */
    _Atomic int64_t held;     /* pieces that were handed out and not taken back */
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

/* Whether this call is the one whose turn it is; whoever asks next is one nearer to it. */
static bool has_come(_Atomic uint64_t *turn)
{
    uint64_t left = atomic_load(turn);
    while (left > 0 && !atomic_compare_exchange_weak(turn, &left, left - 1)) {
    }
    return left == 1;
}

/* A thread that libc is about to end by itself were it refused anything. */
static _Thread_local __attribute__((tls_model("initial-exec"))) bool is_spared;

static bool is_refused(void)
{
    if (is_spared) {
        return false;
    }
    struct scarcity *now = atomic_load(&scarcity);
    const uint64_t call = atomic_fetch_add(&now->calls, 1) + 1;
    const uint64_t share = atomic_load(&now->share);
    if (!has_come(&now->turn) && (share == 0 || mix(call) % share != 0)) {
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
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static void *counted(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_add(&atomic_load(&scarcity)->held, 1);
    }
    return memory;
}

void free(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_sub(&atomic_load(&scarcity)->held, 1);
    }
    __libc_free(memory);
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : counted(__libc_calloc(count, size));
}

/* Libc's reallocarray, strdup, vasprintf and the rest end here, too. */
void *realloc(void *memory, size_t size)
{
    if (memory == NULL) {
        return malloc(size);
    }
    if (size == 0) {
        free(memory);
        return NULL;
    }
    return is_refused() ? NULL : __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    return is_refused() ? NULL : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);
    if (memory == NULL) {
        return ENOMEM;
    }
    *ret_memory = memory;
    return 0;
}

/*
 * Libc dies where it has no memory to read nsswitch.conf (2.36: an assertion in nss_database.c, or
 * SIGSEGV): whoever asks for a user gets the memory for it.
 */
struct passwd *getpwuid(uid_t user)
{
    struct passwd *(*const ask)(uid_t) = (struct passwd * (*)(uid_t)) dlsym(RTLD_NEXT, "getpwuid");
    is_spared = true;
    struct passwd *found = ask(user);
    is_spared = false;
    return found;
}
