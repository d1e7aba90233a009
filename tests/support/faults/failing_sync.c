/* LD_PRELOAD shim: fsync and fdatasync fail with EIO while the file $FAULT_CONTROL exists.
 *
 * When that file is not empty, only descriptors whose path contains its text (first line) fail: "-wal", "spool.db",
 * "/bodies". With "bodies$" at the end, only a path that ends there. The data is still written, as on Linux after a
 * failed write-back: only the promise is missing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int fd)
{
    const char *control = getenv("FAULT_CONTROL");
    char wanted[256] = "", link[64], path[PATH_MAX];
    int file = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    ssize_t got = read(file, wanted, sizeof wanted - 1);
    close(file);
    wanted[got > 0 ? got : 0] = 0;
    wanted[strcspn(wanted, "\n")] = 0;
    if (!*wanted)
        return 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    got = readlink(link, path, sizeof path - 1);
    if (got < 0)
        return 0;
    path[got] = 0;
    size_t length = strlen(wanted);
    if (wanted[length - 1] != '$')
        return strstr(path, wanted) != NULL;
    wanted[--length] = 0;
    return (size_t)got >= length && strcmp(path + got - length, wanted) == 0;
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = dlsym(RTLD_NEXT, "fsync");
    if (fails(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = dlsym(RTLD_NEXT, "fdatasync");
    if (fails(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}
