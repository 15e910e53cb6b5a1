// One request through a ring of io_uring, by raw calls. Takes the ring's flags and the request; gives its answer, a negative errno
// where it failed. Included by `stimulus.c`.

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

static char *ring_part(int ring, size_t size, off_t part) {
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, part);
    return at == MAP_FAILED ? NULL : at;
}

static long uring(unsigned flags, struct io_uring_sqe wanted) {
    struct io_uring_params params = {.flags = flags};
    int ring = syscall(SYS_io_uring_setup, 4, &params);
    if (ring < 0) return -errno;
    char *sent = ring_part(ring, params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    size_t answers = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    char *answered = ring_part(ring, answers, IORING_OFF_CQ_RING);
    struct io_uring_sqe *entries = (void *)ring_part(ring, params.sq_entries * sizeof *entries, IORING_OFF_SQES);
    if (!sent || !answered || !entries) return -ENOMEM;
    entries[0] = wanted;
    ((unsigned *)(sent + params.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(sent + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    unsigned ours = flags & IORING_SETUP_SQPOLL ? 0 : 1, enter = IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP;
    while (__atomic_load_n((unsigned *)(answered + params.cq_off.tail), __ATOMIC_ACQUIRE) == 0) {
        if (syscall(SYS_io_uring_enter, ring, ours, 1, enter, NULL, 0) < 0 && errno != EINTR) return -errno;
        ours = 0;
    }
    long result = ((struct io_uring_cqe *)(answered + params.cq_off.cqes))->res;
    close(ring);
    return result;
}

// Opens a file for reading, and reads it.
static long uring_open(const char *path, unsigned flags) {
    struct io_uring_sqe open = {.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)path};
    long file = uring(flags, open);
    if (file < 0) return file;
    char room[64];
    struct io_uring_sqe read = {.opcode = IORING_OP_READ, .fd = file, .addr = (uintptr_t)room, .len = sizeof room};
    return uring(flags, read);
}

// Connects to a port of the loopback, and sends.
static long uring_connect(unsigned port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int end = socket(AF_INET, SOCK_STREAM, 0);
    struct io_uring_sqe connect = {.opcode = IORING_OP_CONNECT, .fd = end, .addr = (uintptr_t)&to, .off = sizeof to};
    long result = uring(0, connect);
    if (result < 0) return result;
    struct io_uring_sqe send = {.opcode = IORING_OP_SEND, .fd = end, .addr = (uintptr_t) "hello", .len = 5};
    return uring(0, send);
}

static long uring_unlink(const char *path) {
    struct io_uring_sqe unlink = {.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (uintptr_t)path};
    return uring(0, unlink);
}

static struct io_uring_sqe two_names(unsigned char opcode, const char *old, const char *new) {
    struct io_uring_sqe entry = {.opcode = opcode, .fd = AT_FDCWD, .addr = (uintptr_t)old, .addr2 = (uintptr_t)new};
    entry.len = AT_FDCWD;
    return entry;
}

static long uring_rename(const char *old, const char *new) { return uring(0, two_names(IORING_OP_RENAMEAT, old, new)); }

static long uring_link(const char *old, const char *new) { return uring(0, two_names(IORING_OP_LINKAT, old, new)); }

static long uring_mkdir(const char *path) {
    struct io_uring_sqe mkdir = {.opcode = IORING_OP_MKDIRAT, .fd = AT_FDCWD, .addr = (uintptr_t)path, .len = 0755};
    return uring(0, mkdir);
}

// A ring that may only ever do one thing, and begins when it is told to.
static long uring_restricted(void) {
    struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED};
    int ring = syscall(SYS_io_uring_setup, 4, &params);
    struct io_uring_restriction only[2] = {{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP},
                                           {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ}};
    if (ring < 0 || syscall(SYS_io_uring_register, ring, IORING_REGISTER_RESTRICTIONS, only, 2) < 0) return -errno;
    return syscall(SYS_io_uring_register, ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0 ? -errno : ring;
}

// A command for the driver of a device, twice; that it knows none of this number is its answer.
static long uring_command(const char *path, unsigned number) {
    // `IORING_OP_URING_CMD`, which older headers do not have; its number stands where an offset would.
    struct io_uring_sqe command = {.opcode = 46, .fd = open(path, O_RDONLY), .off = number};
    uring(0, command);
    return uring(0, command);
}
