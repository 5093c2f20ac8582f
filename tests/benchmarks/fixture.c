/* Plays Lambda's Runtime API for one client, so that the client is what is measured.

   fixture EVENT_FILE RESPONSE_FILE WARM COUNT CHUNKED CLIENT_CORE SECONDS COMMAND...

   Starts COMMAND with AWS_LAMBDA_RUNTIME_API set, pinned to CLIENT_CORE (-1: where it likes),
   feeds it WARM + COUNT events and prints one JSON object about the last COUNT of them: wall time
   between two requests for the next event, and the CPU clock of the client's process. The body of
   the last response goes to RESPONSE_FILE, for the caller to check. */

#define _GNU_SOURCE
#include "http.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define MAX_CONNECTIONS 8
#define CHUNK 32768

static pid_t client;
static struct connection connections[MAX_CONNECTIONS];
static int connection_count;

static char *event;       /* as it goes on the wire, chunk frames included */
static size_t event_length;
static char event_header[64];
static const char *response_path;
static long warm, count, delivered, answered;
static char request_id[40];
static double started, first_next, first_response;

struct mark {
    double wall, cpu;
    long faults;
};
static struct mark from;

static void end_client(void) {
    if (client > 0) kill(client, SIGKILL);
}

static void too_late(int number) {
    (void)number;
    static const char text[] = "the client did not finish in time\n";
    if (write(2, text, sizeof text - 1)) {}
    kill(client, SIGKILL);
    _exit(3);
}

static struct mark take_mark(void) {
    struct mark m = {.wall = now_us()};
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(client, &clock) || clock_gettime(clock, &t)) die("cpu clock");
    m.cpu = t.tv_sec * 1e6 + t.tv_nsec / 1e3;
    char path[64], stat[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", client);
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    size_t n = fread(stat, 1, sizeof stat - 1, file);
    fclose(file);
    stat[n] = 0;
    sscanf(strrchr(stat, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %ld", &m.faults);
    return m;
}

static long status_kib(const char *name) {
    char path[64], line[256];
    long value = 0;
    snprintf(path, sizeof path, "/proc/%d/status", client);
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name))) value = atol(line + strlen(name) + 1);
    fclose(file);
    return value;
}

static void finish(void) {
    struct mark to = take_mark();
    printf("{\"wall_us\": %.3f, \"cpu_us\": %.3f, \"faults\": %.3f, \"peak_rss_kib\": %ld, "
           "\"rss_kib\": %ld, \"first_next_ms\": %.3f, \"first_response_ms\": %.3f}\n",
           (to.wall - from.wall) / count, (to.cpu - from.cpu) / count,
           (double)(to.faults - from.faults) / count, status_kib("VmHWM"), status_kib("VmRSS"),
           (first_next - started) / 1e3, (first_response - started) / 1e3);
    exit(0);
}

static void answer_next(struct connection *c) {
    if (!first_next) first_next = now_us();
    if (delivered == warm) from = take_mark();
    if (delivered == warm + count) finish();
    delivered++;
    snprintf(request_id, sizeof request_id, "8476a536-e9f4-11e8-9739-%012lx", delivered);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    char head[1024];
    int n = snprintf(
        head, sizeof head,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "Lambda-Runtime-Aws-Request-Id: %s\r\nLambda-Runtime-Deadline-Ms: %lld\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: "
        "arn:aws:lambda:us-east-1:123456789012:function:function\r\n"
        "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;"
        "Parent=9a9197af755a6419;Sampled=1\r\n"
        "Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n%s\r\n",
        request_id, (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 300000, event_header);
    send_all(c->fd, head, n, event, event_length);
}

static void answer_response(struct connection *c, struct message *m) {
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
                                   "Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n"
                                   "Content-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
    if (!first_response) first_response = now_us();
    answered++;
    if (answered != delivered || !memmem(m->head, m->head_length, request_id, 36))
        die("a response to another event");
    if (answered == warm + count) {
        FILE *file = fopen(response_path, "wb");
        if (!file || fwrite(m->body, 1, m->body_length, file) != m->body_length)
            die(response_path);
        fclose(file);
    }
    send_all(c->fd, accepted, sizeof accepted - 1, NULL, 0);
}

static void answer(struct connection *c, struct message *m) {
    static const char next[] = "GET /2018-06-01/runtime/invocation/next ";
    static const char post[] = "POST /2018-06-01/runtime/invocation/";
    const char *line_end = memchr(m->head, '\r', m->head_length);
    if (!strncmp(m->head, next, sizeof next - 1)) {
        answer_next(c);
    } else if (!strncmp(m->head, post, sizeof post - 1) &&
               memmem(m->head, line_end - m->head, "/response ", 10)) {
        answer_response(c, m);
    } else {
        fprintf(stderr, "the client sent %.*s\n%.*s\n", (int)(line_end - m->head), m->head,
                (int)m->body_length, m->body);
        exit(2);
    }
}

static void serve(struct connection *c) {
    struct message m;
    do {
        if (!read_message(c, &m)) {
            close(c->fd);
            free(c->data);
            *c = connections[--connection_count];
            return;
        }
        answer(c, &m);
    } while (c->used > c->consumed); /* pipelined */
}

static void run(int listener) {
    for (;;) {
        struct pollfd watched[MAX_CONNECTIONS + 1] = {{.fd = listener, .events = POLLIN}};
        int n = connection_count;
        for (int i = 0; i < n; i++)
            watched[i + 1] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
        int ready = poll(watched, n + 1, 100);
        if (ready < 0 && errno != EINTR) die("poll");
        if (ready <= 0 && waitpid(client, NULL, WNOHANG) == client) {
            client = 0;
            die("the client ended early");
        }
        for (int i = n; ready > 0 && i > 0; i--)
            if (watched[i].revents) serve(&connections[i - 1]);
        if (ready > 0 && watched[0].revents && connection_count < MAX_CONNECTIONS) {
            int fd = accept(listener, NULL, NULL);
            if (fd < 0) die("accept");
            no_delay(fd);
            connections[connection_count++] = (struct connection){.fd = fd};
        }
    }
}

static void frame_event(int chunked) {
    if (!chunked) {
        snprintf(event_header, sizeof event_header, "Content-Length: %zu\r\n", event_length);
        return;
    }
    strcpy(event_header, "Transfer-Encoding: chunked\r\n");
    char *framed = malloc(event_length + (event_length / CHUNK + 2) * 16), *out = framed;
    for (size_t at = 0; at < event_length; at += CHUNK) {
        size_t size = event_length - at < CHUNK ? event_length - at : CHUNK;
        out += sprintf(out, "%zx\r\n", size);
        memcpy(out, event + at, size);
        out += size;
        out += sprintf(out, "\r\n");
    }
    out += sprintf(out, "0\r\n\r\n");
    event = framed;
    event_length = out - framed;
}

static void start_client(char **command, int core, int port) {
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    setenv("AWS_LAMBDA_RUNTIME_API", address, 1);
    started = now_us();
    client = fork();
    if (client) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (core >= 0) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET(core, &cores);
        if (sched_setaffinity(0, sizeof cores, &cores)) die("sched_setaffinity");
    }
    execvp(command[0], command);
    die(command[0]);
}

int main(int argc, char **argv) {
    if (argc < 9) die("usage: see the top of fixture.c");
    event = read_file(argv[1], &event_length);
    response_path = argv[2];
    warm = atol(argv[3]);
    count = atol(argv[4]);
    frame_event(atoi(argv[5]));
    signal(SIGALRM, too_late);
    atexit(end_client);

    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        die("listen");
    alarm(atoi(argv[7]));
    start_client(argv + 8, atoi(argv[6]), ntohs(address.sin_port));
    run(listener);
}
