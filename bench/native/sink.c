/* sink PORT: an SMTP server that takes everything and keeps nothing but counts, for the bench.
 *
 * It says {"port":N} on its standard output and is then asked by lines on its standard input:
 *     begin RUN   forget everything, count messages of RUN only             -> ok
 *     count       messages of the run that have arrived, each counted once  -> N
 *     report      all figures                                               -> a JSON object
 * It ends when its standard input ends. One thread, epoll; offers PIPELINING, 8BITMIME and SIZE. */
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 2048
#define HEAD_MAX_OCTETS 8192

struct client {
    int fd, recipients, in_data, closing;
    size_t line_length, head_length;
    uint64_t octets;      /* of this message, to the end of its last CRLF */
    unsigned char end[4]; /* the last four octets, for the final dot may be cut between two reads */
    char line[LINE_MAX_OCTETS], head[HEAD_MAX_OCTETS];
};

static struct {
    char run[RUN_LENGTH];
    unsigned char *seen;
    size_t seen_room;
    long unique, duplicates, strangers, damaged, connections, open, most_open;
    uint64_t last_ns, octets;
    struct times latency;
} run;

static void say(struct client *client, const char *text) {
    size_t length = strlen(text);
    if (send(client->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) client->closing = 1;
}

/* Whether this sequence number is new; marks it. */
static int first_sight(size_t sequence) {
    if (sequence >= run.seen_room) {
        size_t room = (sequence + 1) * 2 + 65536;
        run.seen = realloc(run.seen, room);
        if (!run.seen) fail("memory");
        memset(run.seen + run.seen_room, 0, room - run.seen_room);
        run.seen_room = room;
    }
    if (run.seen[sequence]) return 0;
    return run.seen[sequence] = 1;
}

static void message_arrived(struct client *client) {
    uint64_t now = now_ns();
    char name[RUN_LENGTH];
    unsigned long long sequence, started, body;
    client->head[client->head_length] = 0;
    run.octets += client->octets;
    char *mark = strstr(client->head, MARK), *blank = strstr(client->head, "\r\n\r\n");
    if (!mark || sscanf(mark + strlen(MARK), "%31s %llu %llu %llu", name, &sequence, &started, &body) != 4 || strcmp(name, run.run) ||
        sequence > 100000000u) {
        run.strangers++;
    } else if (!first_sight(sequence)) {
        run.duplicates++;
    } else {
        run.unique++;
        run.last_ns = now;
        times_add(&run.latency, now - started);
        if (!blank || client->octets - (uint64_t)(blank + 4 - client->head) != body) run.damaged++;
    }
    say(client, "250 2.0.0 taken\r\n");
}

static int is_verb(const char *line, const char *verb) { return !strncasecmp(line, verb, 4); }

static void command(struct client *client, const char *line) {
    if (is_verb(line, "EHLO")) say(client, "250-sink.bench.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250 8BITMIME\r\n");
    else if (is_verb(line, "HELO")) say(client, "250 sink.bench.example\r\n");
    else if (is_verb(line, "MAIL")) { client->recipients = 0; say(client, "250 2.1.0 ok\r\n"); }
    else if (is_verb(line, "RCPT")) { client->recipients++; say(client, "250 2.1.5 ok\r\n"); }
    else if (is_verb(line, "RSET")) { client->recipients = 0; say(client, "250 2.0.0 ok\r\n"); }
    else if (is_verb(line, "NOOP")) say(client, "250 2.0.0 ok\r\n");
    else if (is_verb(line, "QUIT")) { say(client, "221 2.0.0 bye\r\n"); client->closing = 1; }
    else if (is_verb(line, "DATA") && client->recipients) {
        client->in_data = 1;
        client->recipients = 0;
        client->octets = client->head_length = 0;
        memcpy(client->end, "\0\0\r\n", 4); /* a dot on the first line ends an empty message */
        say(client, "354 go on\r\n");
    }
    else say(client, "503 5.5.1 not now\r\n");
}

/* Takes octets of a command line; gives how many it used. */
static size_t take_line(struct client *client, const char *octets, size_t count) {
    const char *newline = memchr(octets, '\n', count);
    size_t used = newline ? (size_t)(newline - octets) + 1 : count;
    if (client->line_length + used >= sizeof client->line) {
        client->closing = 1;
        return count;
    }
    memcpy(client->line + client->line_length, octets, used);
    client->line_length += used;
    if (newline) {
        client->line[client->line_length] = 0;
        client->line_length = 0;
        command(client, client->line);
    }
    return used;
}

/* How many of these octets belong to the message with its final dot; 0 when the dot is not among them. */
static size_t end_of_data(const struct client *client, const char *octets, size_t count) {
    char seam[8];
    size_t begin = count < 4 ? count : 4;
    memcpy(seam, client->end, 4);
    memcpy(seam + 4, octets, begin);
    char *found = memmem(seam, 4 + begin, "\r\n.\r\n", 5);
    if (found) return (size_t)(found + 5 - seam) - 4;
    found = memmem(octets, count, "\r\n.\r\n", 5);
    return found ? (size_t)(found + 5 - octets) : 0;
}

/* Takes octets of a message; gives how many it used. */
static size_t take_data(struct client *client, const char *octets, size_t count) {
    size_t end = end_of_data(client, octets, count), used = end ? end : count;
    size_t kept = sizeof client->head - 1 - client->head_length;
    if (kept > used) kept = used;
    memcpy(client->head + client->head_length, octets, kept);
    client->head_length += kept;
    client->octets += used;
    if (end) {
        client->octets -= 3; /* the dot and its CRLF are not of the message */
        client->in_data = 0;
        message_arrived(client);
    } else {
        char seam[8];
        size_t last = used < 4 ? used : 4;
        memcpy(seam, client->end, 4);
        memcpy(seam + 4, octets + used - last, last);
        memcpy(client->end, seam + last, 4);
    }
    return used;
}

static void readable(struct client *client) {
    static char buffer[1 << 18];
    ssize_t got = recv(client->fd, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) client->closing = 1;
    for (size_t at = 0; got > 0 && at < (size_t)got && !client->closing;)
        at += (client->in_data ? take_data : take_line)(client, buffer + at, (size_t)got - at);
    if (client->closing) {
        close(client->fd);
        free(client);
        run.open--;
    }
}

static void asked(void) {
    char line[256], latency[160];
    if (!fgets(line, sizeof line, stdin)) exit(0);
    if (!strncmp(line, "begin ", 6)) {
        free(run.seen);
        free(run.latency.values);
        long open = run.open;
        memset(&run, 0, sizeof run);
        run.open = run.most_open = open;
        sscanf(line + 6, "%31s", run.run);
        puts("ok");
    } else if (!strncmp(line, "count", 5)) {
        printf("%ld\n", run.unique);
    } else {
        times_json(&run.latency, latency, sizeof latency);
        printf("{\"unique\":%ld,\"duplicates\":%ld,\"strangers\":%ld,\"damaged\":%ld,\"connections\":%ld,\"most_open\":%ld,\"octets\":%llu,"
               "\"last_ns\":%llu,\"cpu_s\":%.4f,\"latency_ms\":%s}\n",
               run.unique, run.duplicates, run.strangers, run.damaged, run.connections, run.most_open, (unsigned long long)run.octets,
               (unsigned long long)run.last_ns, cpu_seconds(), latency);
    }
    fflush(stdout);
}

static void watch(int poll, int fd, void *who) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event)) fail("epoll");
}

static void welcome(int poll, int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = calloc(1, sizeof *client);
        if (!client) fail("memory");
        client->fd = fd;
        no_delay(fd);
        watch(poll, fd, client);
        run.connections++;
        if (++run.open > run.most_open) run.most_open = run.open;
        say(client, "220 sink.bench.example ESMTP\r\n");
    }
}

int main(int count, char **arguments) {
    int port = count > 1 ? atoi(arguments[1]) : 0, poll = epoll_create1(EPOLL_CLOEXEC), listener = listen_on(&port);
    signal(SIGPIPE, SIG_IGN);
    watch(poll, listener, &listener);
    watch(poll, STDIN_FILENO, &poll);
    setvbuf(stdin, NULL, _IONBF, 0);
    printf("{\"port\":%d}\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == &listener) welcome(poll, listener);
            else if (events[i].data.ptr == &poll) asked();
            else readable(events[i].data.ptr);
        }
    }
}
