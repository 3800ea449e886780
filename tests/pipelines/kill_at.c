/* Loaded into a command with LD_PRELOAD: counts what it does to the files below $KILL_FOLDER, in all its processes, and
 * kills the one that does the $KILL_AT-th of these things. The number of things is the size of the file $KILL_COUNT.
 *
 * A write counts three times: before it, after half of it, and after it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static int below(const char *path)
{
    const char *folder = getenv("KILL_FOLDER");
    char absolute[2 * PATH_MAX] = "";
    if (!folder || !path) return 0;
    if (path[0] != '/') {
        if (!getcwd(absolute, PATH_MAX)) return 0;
        strcat(absolute, "/");
    }
    strncat(absolute, path, PATH_MAX - 1);
    return strncmp(absolute, folder, strlen(folder)) == 0;
}

static int below_fd(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return below(path);
}

static void point(void)
{
    const char *at = getenv("KILL_AT"), *count = getenv("KILL_COUNT");
    int fd = REAL(open)(count, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0) return;
    REAL(write)(fd, ".", 1);
    off_t size = lseek(fd, 0, SEEK_CUR);
    close(fd);
    if (at && size == atoi(at)) kill(getpid(), SIGKILL);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (!below_fd(fd)) return REAL(write)(fd, data, size);
    point();
    size_t half = size / 2;
    if (half && REAL(write)(fd, data, half) < 0) return -1;
    point();
    ssize_t rest = REAL(write)(fd, (const char *)data + half, size - half);
    point();
    return rest < 0 ? rest : rest + (ssize_t)half;
}

static int opened(int fd, const char *path, int flags)
{
    if (fd >= 0 && (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)) && below(path)) point();
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags) return opened(REAL(open)(path, flags, mode), path, flags); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(REAL(open64)(path, flags, mode), path, flags); }

int rename(const char *from, const char *to)
{
    int counts = below(to);
    if (counts) point();
    int done = REAL(rename)(from, to);
    if (counts) point();
    return done;
}

int fsync(int fd) { if (below_fd(fd)) point(); return REAL(fsync)(fd); }
int ftruncate64(int fd, off64_t size) { if (below_fd(fd)) point(); return REAL(ftruncate64)(fd, size); }
int ftruncate(int fd, off_t size) { if (below_fd(fd)) point(); return REAL(ftruncate)(fd, size); }
int unlink(const char *path) { if (below(path)) point(); return REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { if (below(path)) point(); return REAL(mkdir)(path, mode); }
int chmod(const char *path, mode_t mode) { if (below(path)) point(); return REAL(chmod)(path, mode); }
