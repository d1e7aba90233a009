/* LD_PRELOAD shim: keeps, beside the real files below $LOSE_ROOT, a copy in $LOSE_SHADOW of what a power cut would leave.
 *
 * Model, stricter than any real file system: bytes of a file survive only up to its last fsync or fdatasync; a name in a
 * directory (creation, rename, removal) survives only when that directory was synced. SHADOW/files/N holds the synced
 * bytes of file number N; SHADOW/dirs/%PATH (slashes as '%') lists "N name" or "d name" for a synced directory.
 * $LOSE_DEAF: syncs of what has a path with this text promise and do nothing, so that tests see that they can fail;
 * a `$` at its end means the end of the path, so that a directory can be told from what is in it.
 * After the process is killed, faults/shims.py rebuilds the root from the shadow. Memory maps are not followed: SQLite's
 * shared memory file is not meant to survive. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 65536
#define LONG_PATH (2 * PATH_MAX)

struct range { off_t from, to; };
struct tracked {
    ino_t ino;
    long number;
    struct range *dirty;
    size_t count, room;
};

static struct tracked files[FILES];
static size_t file_count;
static long next_number = 1;
static const char *root, *shadow;
static size_t root_length;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);

static void broken(const char *what)
{
    perror(what);
    abort();
}

/* SHADOW/start names the files that were there when the process began: "inode number" a line. */
__attribute__((constructor)) static void begin(void)
{
    char path[PATH_MAX];
    unsigned long long ino;
    long number;
    real_open = dlsym(RTLD_NEXT, "open");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_write = dlsym(RTLD_NEXT, "write");
    root = getenv("LOSE_ROOT");
    shadow = getenv("LOSE_SHADOW");
    root_length = root ? strlen(root) : 0;
    snprintf(path, sizeof path, "%s/start", shadow ? shadow : "");
    FILE *start = fopen(path, "r");
    while (start && fscanf(start, "%llu %ld", &ino, &number) == 2) {
        files[file_count++] = (struct tracked){.ino = ino, .number = number};
        next_number = number + 1;
    }
    if (start)
        fclose(start);
}

static int below_root(const char *path)
{
    return root && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

static struct tracked *find(ino_t ino)
{
    for (size_t i = file_count; i-- > 0;)
        if (files[i].ino == ino)
            return &files[i];
    return NULL;
}

static int shadow_file(long number)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/files/%ld", shadow, number);
    int fd = real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        broken("lose_unsynced: shadow file");
    return fd;
}

static void copy(int from, int to, off_t start, off_t end)
{
    char buffer[65536];
    while (start < end) {
        size_t want = end - start < (off_t)sizeof buffer ? (size_t)(end - start) : sizeof buffer;
        ssize_t got = pread(from, buffer, want, start);
        if (got <= 0)
            return;
        if (real_pwrite(to, buffer, got, start) != got)
            broken("lose_unsynced: copy");
        start += got;
    }
}

/* A new file gets a number of its own, also when it has the inode of one that was removed. */
static struct tracked *track(ino_t ino, int is_new)
{
    struct tracked *one = find(ino);
    if (one && !is_new)
        return one;
    if (!one) {
        if (file_count == FILES)
            broken("lose_unsynced: too many files");
        one = &files[file_count++];
    }
    one->ino = ino;
    one->number = next_number++;
    one->count = 0;
    return one;
}

static int opened(const char *path, int flags, mode_t mode)
{
    struct stat now;
    if (!below_root(path) || (flags & O_DIRECTORY))
        return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    int was_there = access(path, F_OK) == 0;
    int fd = real_open(path, flags, mode);
    int kept = errno;
    if (fd >= 0 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode))
        track(now.st_ino, !was_there);
    errno = kept;
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN_BODY(path)                       \
    va_list more;                             \
    mode_t mode = 0;                          \
    if (flags & (O_CREAT | __O_TMPFILE)) {    \
        va_start(more, flags);                \
        mode = va_arg(more, mode_t);          \
        va_end(more);                         \
    }                                         \
    return opened(path, flags, mode);

int open(const char *path, int flags, ...) { OPEN_BODY(path) }
int open64(const char *path, int flags, ...) { OPEN_BODY(path) }

static void written(int fd, off_t from, ssize_t length)
{
    struct stat now;
    if (length <= 0 || !root || fstat(fd, &now) || !S_ISREG(now.st_mode))
        return;
    pthread_mutex_lock(&lock);
    struct tracked *one = find(now.st_ino);
    if (one) {
        struct range *last = one->count ? &one->dirty[one->count - 1] : NULL;
        if (last && from <= last->to && from >= last->from) {
            if (from + length > last->to)
                last->to = from + length;
        } else {
            if (one->count == one->room) {
                one->room = one->room ? 2 * one->room : 64;
                one->dirty = realloc(one->dirty, one->room * sizeof *one->dirty);
                if (!one->dirty)
                    broken("lose_unsynced: memory");
            }
            one->dirty[one->count++] = (struct range){from, from + length};
        }
    }
    pthread_mutex_unlock(&lock);
}

ssize_t write(int fd, const void *data, size_t size)
{
    off_t at = root ? lseek(fd, 0, SEEK_CUR) : -1;
    ssize_t done = real_write(fd, data, size);
    int kept = errno;
    if (at >= 0)
        written(fd, at, done);
    errno = kept;
    return done;
}

static ssize_t pwritten(int fd, const void *data, size_t size, off_t at)
{
    ssize_t done = real_pwrite(fd, data, size, at);
    int kept = errno;
    written(fd, at, done);
    errno = kept;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwritten(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return pwritten(fd, data, size, at); }

static void sync_file(int fd, const struct stat *now)
{
    struct tracked *one = find(now->st_ino);
    char path[64];
    if (!one)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int from = real_open(path, O_RDONLY | O_CLOEXEC), to = shadow_file(one->number);
    for (size_t i = 0; i < one->count; i++)
        copy(from, to, one->dirty[i].from, one->dirty[i].to);
    if (ftruncate(to, now->st_size))
        broken("lose_unsynced: truncate");
    one->count = 0;
    close(from);
    close(to);
}

static void list_entry(FILE *list, const char *directory, const char *name)
{
    char path[LONG_PATH];
    struct stat entry;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (!strcmp(name, ".") || !strcmp(name, "..") || lstat(path, &entry))
        return;
    if (S_ISDIR(entry.st_mode))
        fprintf(list, "d %s\n", name);
    else
        fprintf(list, "%ld %s\n", track(entry.st_ino, 0)->number, name);
}

static void sync_directory(int fd)
{
    char link[64], path[PATH_MAX], target[LONG_PATH + 2], final[LONG_PATH];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return;
    path[length] = 0;
    if (!below_root(path))
        return;
    int end = snprintf(final, sizeof final, "%s/dirs/%%", shadow);
    snprintf(final + end, sizeof final - end, "%s", path[root_length] ? path + root_length + 1 : ".");
    for (char *one = final + end; *one; one++)
        if (*one == '/')
            *one = '%';
    snprintf(target, sizeof target, "%s~", final);
    FILE *list = fopen(target, "w");
    DIR *directory = opendir(path);
    if (!list || !directory)
        broken("lose_unsynced: list");
    for (struct dirent *entry; (entry = readdir(directory));)
        list_entry(list, path, entry->d_name);
    closedir(directory);
    fclose(list);
    rename(target, final);
}

static int is_deaf(int fd)
{
    char link[64], path[PATH_MAX];
    const char *deaf = getenv("LOSE_DEAF");
    if (!deaf || !*deaf)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    size_t wanted = strlen(deaf);
    if (deaf[wanted - 1] != '$')
        return strstr(path, deaf) != NULL;
    wanted--;
    return (size_t)length >= wanted && strncmp(path + length - wanted, deaf, wanted) == 0;
}

static int synced(int fd)
{
    struct stat now;
    if (!root || fstat(fd, &now) || is_deaf(fd))
        return 0;
    pthread_mutex_lock(&lock);
    if (S_ISDIR(now.st_mode))
        sync_directory(fd);
    else if (S_ISREG(now.st_mode))
        sync_file(fd, &now);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { return synced(fd); }
int fdatasync(int fd) { return synced(fd); }
