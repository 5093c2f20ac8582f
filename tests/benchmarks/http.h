/* One HTTP/1.1 message at a time from a blocking socket: what the benchmark's C programs share.
   Content-Length and chunked bodies; trusts its peer, a benchmark speaks to programs it started. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct connection {
    int fd;
    char *data;            /* bytes received and not yet consumed start here */
    size_t used, capacity; /* of data */
    size_t consumed;       /* length of the message handed out last */
};

struct message {
    const char *head;
    size_t head_length; /* with the empty line */
    char *body;
    size_t body_length;
};

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static inline double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void reserve(struct connection *c, size_t capacity) {
    if (capacity <= c->capacity) return;
    c->capacity = capacity < 65536 ? 65536 : capacity;
    if (!(c->data = realloc(c->data, c->capacity))) die("realloc");
}

/* Receives at least one byte; 0 at the end of the stream. */
static int receive_more(struct connection *c) {
    reserve(c, c->used + 16384);
    ssize_t n;
    do n = recv(c->fd, c->data + c->used, c->capacity - c->used, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return 0;
    c->used += n;
    return 1;
}

/* The value of a header, up to its line's end; NULL when absent. `name` is given with its colon. */
static const char *find_header(const char *head, size_t length, const char *name) {
    size_t n = strlen(name);
    const char *end = head + length;
    for (const char *line = head; line && line + n < end;) {
        if (!strncasecmp(line, name, n)) {
            line += n;
            while (*line == ' ') line++;
            return line;
        }
        line = memchr(line, '\n', end - line);
        if (line) line++;
    }
    return NULL;
}

/* Decodes a chunked body in place, receiving what is missing; returns the end of its raw form. */
static size_t receive_chunks(struct connection *c, size_t start, size_t *length) {
    size_t raw = start, out = start;
    for (;;) {
        char *line_end;
        while (!(line_end = memmem(c->data + raw, c->used - raw, "\r\n", 2)))
            if (!receive_more(c)) die("end of stream in a chunk size");
        size_t size = strtoul(c->data + raw, NULL, 16);
        raw = line_end - c->data + 2;
        reserve(c, raw + size + 2);
        while (c->used < raw + size + 2)
            if (!receive_more(c)) die("end of stream in a chunk");
        memmove(c->data + out, c->data + raw, size);
        out += size;
        raw += size + 2;
        if (size == 0) break;
    }
    *length = out - start;
    return raw;
}

/* 1: a message, valid until the next call; 0: the peer closed. */
static int read_message(struct connection *c, struct message *m) {
    if (c->consumed) {
        memmove(c->data, c->data + c->consumed, c->used - c->consumed);
        c->used -= c->consumed;
        c->consumed = 0;
    }
    char *end = NULL;
    while (!c->used || !(end = memmem(c->data, c->used, "\r\n\r\n", 4)))
        if (!receive_more(c)) return 0;
    m->head_length = end - c->data + 4;
    const char *encoding = find_header(c->data, m->head_length, "transfer-encoding:");
    if (encoding && !strncasecmp(encoding, "chunked", 7)) {
        c->consumed = receive_chunks(c, m->head_length, &m->body_length);
    } else {
        const char *length = find_header(c->data, m->head_length, "content-length:");
        m->body_length = length ? strtoul(length, NULL, 10) : 0;
        c->consumed = m->head_length + m->body_length;
        reserve(c, c->consumed);
        while (c->used < c->consumed)
            if (!receive_more(c)) die("end of stream in a body");
    }
    m->head = c->data;
    m->body = c->data + m->head_length;
    return 1;
}

static void send_all(int fd, const char *head, size_t head_length, const char *body, size_t length) {
    struct iovec parts[2] = {{(char *)head, head_length}, {(char *)body, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    for (size_t left = head_length + length; left;) {
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) die("send");
        left -= n;
        for (int i = 0; i < 2 && n; i++) {
            size_t step = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + step;
            parts[i].iov_len -= step;
            n -= step;
        }
    }
}

static void no_delay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static inline int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    no_delay(fd);
    return fd;
}

static inline char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    *length = ftell(file);
    rewind(file);
    char *data = malloc(*length + 1);
    if (!data || fread(data, 1, *length, file) != *length) die(path);
    fclose(file);
    return data;
}
