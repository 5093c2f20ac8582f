/* Plays Lambda's Runtime API for a client that polls several times at once.

   many EVENT_FILE WARM COUNT POLLS SECONDS COMMAND...

   Starts COMMAND in a session of its own with AWS_LAMBDA_RUNTIME_API set. The first POLLS polls wait
   for each other; then each poll gets an event at once. Prints one JSON object when WARM + COUNT
   events are answered: events per second over the last COUNT, and the client's process id; then it
   holds all polls until its standard input ends, so that the client can be looked at. */

#define _GNU_SOURCE
#include "http.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define MAX_CONNECTIONS 256

static pid_t client;
static struct connection connections[MAX_CONNECTIONS];
static int parked[MAX_CONNECTIONS];
static int connection_count, parked_count, is_open;
static char *event;
static size_t event_length;
static long warm, count, polls, delivered, answered;
static double started;

static void end_client(void) {
    if (client > 0) kill(-client, SIGKILL);
}

static void too_late(int number) {
    (void)number;
    static const char text[] = "the client did not finish in time\n";
    if (write(2, text, sizeof text - 1)) {}
    end_client();
    _exit(3);
}

static void deliver(struct connection *c) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    delivered++;
    char head[1024];
    int n = snprintf(
        head, sizeof head,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-%012lx\r\n"
        "Lambda-Runtime-Invocation-Id: 11111111-e9f4-11e8-9739-%012lx\r\n"
        "Lambda-Runtime-Deadline-Ms: %lld\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: "
        "arn:aws:lambda:us-east-1:123456789012:function:function\r\n"
        "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-%012lxd0e87f6ef6c8;"
        "Parent=9a9197af755a6419;Sampled=1\r\nContent-Length: %zu\r\n\r\n",
        delivered, delivered, (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 300000, delivered,
        event_length);
    send_all(c->fd, head, n, event, event_length);
}

static void answer_next(int i) {
    if (is_open && delivered < warm + count) {
        deliver(&connections[i]);
        return;
    }
    parked[i] = 1;
    if (++parked_count < polls || is_open) return;
    is_open = 1;
    for (int k = 0; k < connection_count; k++)
        if (parked[k] && delivered < warm + count) {
            parked[k] = 0;
            deliver(&connections[k]);
        }
}

static void answer_response(int i) {
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
                                   "Content-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
    send_all(connections[i].fd, accepted, sizeof accepted - 1, NULL, 0);
    answered++;
    if (answered == warm) started = now_us();
    if (answered < warm + count) return;
    printf("{\"rps\": %.3f, \"pid\": %d}\n", count * 1e6 / (now_us() - started), client);
    fflush(stdout);
    while (getchar() != EOF) {}
    exit(0);
}

static void answer(int i, struct message *m) {
    static const char next[] = "GET /2018-06-01/runtime/invocation/next ";
    const char *line_end = memchr(m->head, '\r', m->head_length);
    if (!strncmp(m->head, next, sizeof next - 1)) {
        answer_next(i);
    } else if (memmem(m->head, line_end - m->head, "/response ", 10)) {
        answer_response(i);
    } else {
        fprintf(stderr, "the client sent %.*s\n%.*s\n", (int)(line_end - m->head), m->head,
                (int)m->body_length, m->body);
        exit(2);
    }
}

static void run(int listener) {
    for (;;) {
        struct pollfd watched[MAX_CONNECTIONS + 1] = {{.fd = listener, .events = POLLIN}};
        int n = connection_count;
        for (int i = 0; i < n; i++)
            watched[i + 1] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
        int ready = poll(watched, n + 1, 100);
        if (ready < 0 && errno != EINTR) die("poll");
        if (ready <= 0 && waitpid(client, NULL, WNOHANG) == client) die("the client ended early");
        for (int i = 0; ready > 0 && i < n; i++) {
            struct message m;
            if (!watched[i + 1].revents) continue;
            if (!read_message(&connections[i], &m)) die("a worker hung up");
            answer(i, &m);
        }
        if (ready > 0 && watched[0].revents) {
            int fd = accept(listener, NULL, NULL);
            if (fd < 0 || connection_count == MAX_CONNECTIONS) die("accept");
            no_delay(fd);
            connections[connection_count++] = (struct connection){.fd = fd};
        }
    }
}

static void start_client(char **command, int port) {
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    setenv("AWS_LAMBDA_RUNTIME_API", address, 1);
    client = fork();
    if (client) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    execvp(command[0], command);
    die(command[0]);
}

int main(int argc, char **argv) {
    if (argc < 7) die("usage: see the top of many.c");
    event = read_file(argv[1], &event_length);
    warm = atol(argv[2]);
    count = atol(argv[3]);
    polls = atol(argv[4]);
    signal(SIGALRM, too_late);
    atexit(end_client);

    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, MAX_CONNECTIONS) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        die("listen");
    alarm(atoi(argv[5]));
    start_client(argv + 6, ntohs(address.sin_port));
    run(listener);
}
