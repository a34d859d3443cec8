/* Kills the process just before the n-th system call that changes a file. Preloaded by
   kill_at_call.py, which sets the number with arm() and reads the count with calls_so_far(). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

static long armed_at = 0, calls = 0, counting = 0;

void arm(long number) { armed_at = number; calls = 0; counting = 1; }
long calls_so_far(void) { counting = 0; return calls; }

static void count(void) {
    if (counting && ++calls == armed_at) kill(getpid(), SIGKILL);
}

#define CHANGES(result, name, parameters, arguments) \
    result name parameters { \
        static result (*real) parameters; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        count(); \
        return real arguments; \
    }

CHANGES(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
CHANGES(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
CHANGES(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
CHANGES(int, fsync, (int fd), (fd))
CHANGES(int, fdatasync, (int fd), (fd))
CHANGES(int, ftruncate, (int fd, off_t size), (fd, size))
CHANGES(int, ftruncate64, (int fd, off64_t size), (fd, size))
CHANGES(int, rename, (const char *from, const char *to), (from, to))
CHANGES(int, unlink, (const char *path), (path))
CHANGES(int, link, (const char *from, const char *to), (from, to))
CHANGES(int, linkat, (int a, const char *from, int b, const char *to, int flags),
        (a, from, b, to, flags))
CHANGES(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
CHANGES(int, unlinkat, (int a, const char *path, int flags), (a, path, flags))
CHANGES(int, mkdir, (const char *path, mode_t mode), (path, mode))
