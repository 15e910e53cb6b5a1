// Memory that is made executable: of no file, and of files that nobody finds by a name. Takes what it is of; gives what the kernel
// answered. Included by `stimulus.c`.

#include <fcntl.h>
#include <sys/mman.h>

#define AREA 4096

static long mapped(void *at) { return at == MAP_FAILED ? -errno : 0; }

// Of no file: at once, or written first and made executable then, as often as asked for.
static long executable_anonymous(int at_once, int times) {
    for (int time = 0; time < times; time++) {
        int protection = PROT_READ | PROT_WRITE | (at_once ? PROT_EXEC : 0);
        char *at = mmap(NULL, AREA, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) return -errno;
        at[0] = (char)0xc3;
        if (!at_once && mprotect(at, AREA, PROT_READ | PROT_EXEC)) return -errno;
    }
    return 0;
}

// The first page of a file, as the loader maps a library.
static long executable_file(const char *path) {
    int file = open(path, O_RDONLY);
    return file < 0 ? -errno : mapped(mmap(NULL, AREA, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0));
}

// A file without a name: in memory where no path is given, else one that is removed first.
static long executable_nameless(const char *path) {
    int file = *path ? open(path, O_CREAT | O_RDWR, 0700) : memfd_create("library", 0);
    if (file < 0 || ftruncate(file, AREA) || (*path && unlink(path))) return -errno;
    return mapped(mmap(NULL, AREA, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0));
}

// What a file holds, changed in this process and then executed: the file stays as it was.
static long executable_overwritten(const char *path) {
    int file = open(path, O_RDONLY);
    char *at = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (at == MAP_FAILED) return -errno;
    at[0] = (char)0xc3;
    return mprotect(at, AREA, PROT_READ | PROT_EXEC) ? -errno : 0;
}
