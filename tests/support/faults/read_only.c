/* LD_PRELOAD shim: everything below $FAULT_ROOT is read-only while the file $FAULT_CONTROL exists.
 *
 * So it looks to a process when the kernel turns a file system read-only after an error: files that are open stay open,
 * each change answers EROFS. (A plain remount is refused while files are open for writing.) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int refused(const char *path)
{
    const char *root = getenv("FAULT_ROOT"), *control = getenv("FAULT_CONTROL");
    if (!root || !control || strncmp(path, root, strlen(root)) || access(control, F_OK))
        return 0;
    errno = EROFS;
    return 1;
}

static int refused_open_file(int fd)
{
    char link[64], path[PATH_MAX];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) {
        errno = kept;
        return 0;
    }
    path[length] = 0;
    return refused(path);
}

#define OPEN_BODY(name)                                              \
    va_list more;                                                    \
    mode_t mode = 0;                                                 \
    if (flags & O_CREAT) {                                           \
        va_start(more, flags);                                       \
        mode = va_arg(more, mode_t);                                 \
        va_end(more);                                                \
    }                                                                \
    if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) && refused(path))    \
        return -1;                                                   \
    return REAL(name)(path, flags, mode);

int open(const char *path, int flags, ...) { OPEN_BODY(open) }
int open64(const char *path, int flags, ...) { OPEN_BODY(open64) }

ssize_t write(int fd, const void *data, size_t size)
{
    return refused_open_file(fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return refused_open_file(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return refused_open_file(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

int ftruncate(int fd, off_t size) { return refused_open_file(fd) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return refused_open_file(fd) ? -1 : REAL(ftruncate64)(fd, size); }
int unlink(const char *path) { return refused(path) ? -1 : REAL(unlink)(path); }
