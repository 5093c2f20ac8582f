/* One caller of an Invoke endpoint over one kept connection.

   load PORT EVENT_FILE WARM COUNT SECONDS

   Prints one JSON object about the last COUNT invokes: how many a second, p50 and p99 in µs. */

#define _GNU_SOURCE
#include "http.h"

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 6) die("usage: see the top of load.c");
    int port = atoi(argv[1]);
    size_t length;
    char *event = read_file(argv[2], &length);
    long warm = atol(argv[3]), count = atol(argv[4]);
    double *taken = malloc(sizeof *taken * count), started = 0;
    alarm(atoi(argv[5]));

    char head[512];
    int head_length = snprintf(head, sizeof head,
                               "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\n"
                               "Host: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                               "Content-Length: %zu\r\n\r\n", port, length);
    struct connection c = {.fd = connect_to(port)};
    for (long i = -warm; i < count; i++) {
        struct message m;
        if (i == 0) started = now_us();
        double sent = now_us();
        send_all(c.fd, head, head_length, event, length);
        if (!read_message(&c, &m)) die("the server closed the connection");
        if (strncmp(m.head, "HTTP/1.1 200 ", 13)) {
            fprintf(stderr, "%.*s%.*s\n", (int)m.head_length, m.head, (int)m.body_length, m.body);
            return 1;
        }
        if (m.body_length < length) die("a response shorter than the event");
        if (i >= 0) taken[i] = now_us() - sent;
    }
    double wall = now_us() - started;
    qsort(taken, count, sizeof *taken, by_value);
    printf("{\"rps\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", count / wall * 1e6,
           taken[count / 2], taken[count * 99 / 100]);
    return 0;
}
