// Bytes that a second thread changes while the kernel reads them. Takes the two values between which they go; gives how often the
// first one was what really happened. Included by `stimulus.c`.

#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

static volatile char *flipped;
static char flip_to[2];
static volatile int flips;

static void *flip(void *unused) {
    for (unsigned turn = 0;; turn++) *flipped = flip_to[turn & 1], flips = 1;
    return unused;
}

static void begin_to_flip(volatile char *at, char one, char other) {
    pthread_t thread;
    flipped = at;
    flip_to[0] = one, flip_to[1] = other;
    pthread_create(&thread, NULL, flip, NULL);
    while (!flips) sched_yield();
}

// Opens one of two files whose names differ in their last letter, `times` times: how often was it the first?
static long flip_open(const char *one, const char *other, int times) {
    static char path[4096];
    struct stat first, found;
    strncpy(path, one, sizeof path - 1);
    if (stat(one, &first) < 0) return -errno;
    begin_to_flip(path + strlen(path) - 1, one[strlen(one) - 1], other[strlen(other) - 1]);
    long count = 0;
    for (int turn = 0; turn < times; turn++) {
        int file = open(path, O_RDWR);
        if (file < 0 || fstat(file, &found) < 0) return -errno;
        count += found.st_ino == first.st_ino;
        close(file);
    }
    return count;
}

// Connects to one of two addresses of the loopback that differ in their last byte, `times` times: how often was it the first?
static long flip_connect(unsigned port, int times) {
    static struct sockaddr_in to;
    to.sin_family = AF_INET, to.sin_port = htons(port), to.sin_addr.s_addr = htonl(0x7f000001);
    begin_to_flip((volatile char *)&to.sin_addr.s_addr + 3, 1, 2);
    long count = 0;
    for (int turn = 0; turn < times; turn++) {
        int end = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in reached;
        socklen_t length = sizeof reached;
        if (connect(end, (struct sockaddr *)&to, sizeof to) < 0) return -errno;
        if (getpeername(end, (struct sockaddr *)&reached, &length) < 0) return -errno;
        count += reached.sin_addr.s_addr == htonl(0x7f000001);
        close(end);
    }
    return count;
}

// Runs this program again with an argument that changes meanwhile: it says itself which one it got.
static long flip_exec(char *program) {
    static char word[] = "a";
    begin_to_flip(word, 'a', 'b');
    char *arguments[] = {program, "flipped", word, NULL};
    execv(program, arguments);
    return -errno;
}
