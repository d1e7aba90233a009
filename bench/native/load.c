/* load HOST PORT RUN COUNT SIZE SESSIONS MODE RATE: SMTP clients for the bench; prints one JSON object.
 *
 * MODE conn:  a connection for each message (connect, EHLO, MAIL, RCPT, DATA, message, QUIT, 221, close)
 *      reuse: each session sends message after message on its one connection, and does not pipeline
 *      pipe:  reuse, with MAIL, RCPT and DATA in one segment
 * RATE 0 is a closed loop: a session that is free begins the next message at once. RATE r begins r messages a second,
 * whether or not earlier ones are done (while a session is free), and times them from the moment they were due.
 * One thread, epoll. A message is accepted when its final dot was answered 250; everything else is a failure. */
#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENVELOPE_MAIL "MAIL FROM:<app@bench.example>\r\n"
#define ENVELOPE_RCPT "RCPT TO:<user@bench.example>\r\n"
#define STALL_NS 15000000000u

enum step { FREE, CONNECTING, HELLO, MAIL, RCPT, DATA, BODY, QUIT };
struct session {
    int fd, watching_output;
    enum step step;
    size_t line_length, mark_length, written;
    uint64_t started, dotted;
    char line[1024], mark[128];
};

static struct {
    struct sockaddr_in server;
    const char *run;
    long count, begun, accepted, failed, connections;
    int sessions, reuse, pipelined, poll;
    double rate;
    char *message; /* head without the mark, body, final dot */
    size_t message_length, body_length;
    uint64_t start_ns, last_ns;
    struct times whole, dot; /* from the message's begin, and from its final dot, to the 250 */
    char error[200];
} job;

static void make_message(size_t size) {
    static const char head[] =
        "From: <app@bench.example>\r\nTo: <user@bench.example>\r\nSubject: a message of the bench\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <one@bench.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
    uint32_t state = 2463534242u;
    job.message = malloc(size + sizeof head + 128);
    if (!job.message) fail("memory");
    size_t at = sizeof head - 1;
    memcpy(job.message, head, at);
    while (at + 78 <= size) {
        for (int column = 0; column < 76; column++) {
            state ^= state << 13, state ^= state >> 17, state ^= state << 5;
            job.message[at++] = letters[state & 63];
        }
        job.message[at++] = '\r';
        job.message[at++] = '\n';
    }
    job.body_length = at - (sizeof head - 1);
    memcpy(job.message + at, ".\r\n", 3);
    job.message_length = at + 3;
}

static void watch(struct session *session, int how, int output) {
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0u), .data.ptr = session};
    session->watching_output = output;
    if (epoll_ctl(job.poll, how, session->fd, &event)) fail("epoll");
}

static void note_error(const char *where, const char *text) {
    if (job.error[0]) return;
    snprintf(job.error, sizeof job.error, "%s: %.150s", where, text);
    for (char *letter = job.error; *letter; letter++)
        if (*letter < ' ' || *letter == '"' || *letter == '\\') *letter = ' ';
}

static void close_session(struct session *session, const char *why) {
    if (session->step != FREE && session->step != QUIT) {
        job.failed++;
        note_error(session->step == BODY ? "end of data" : "conversation", why);
    }
    close(session->fd);
    session->fd = -1;
    session->step = FREE;
}

static void put(struct session *session, const char *text) {
    size_t length = strlen(text);
    if (send(session->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) close_session(session, "cannot write");
}

static void put_envelope(struct session *session) {
    session->step = MAIL;
    put(session, job.pipelined ? ENVELOPE_MAIL ENVELOPE_RCPT "DATA\r\n" : ENVELOPE_MAIL);
}

static void begin(struct session *session, uint64_t due) {
    session->line_length = session->written = 0;
    session->started = due;
    session->mark_length = (size_t)snprintf(session->mark, sizeof session->mark, MARK "%s %ld %llu %zu\r\n", job.run, job.begun++,
                                            (unsigned long long)due, job.body_length);
    if (session->fd >= 0) {
        put_envelope(session);
        return;
    }
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (session->fd < 0) fail("socket");
    no_delay(session->fd);
    session->step = CONNECTING;
    job.connections++;
    if (connect(session->fd, (struct sockaddr *)&job.server, sizeof job.server) && errno != EINPROGRESS) {
        close_session(session, strerror(errno));
        return;
    }
    watch(session, EPOLL_CTL_ADD, 0);
}

/* Begins messages on free sessions; gives the milliseconds until the next is due. */
static int begin_due(struct session *sessions) {
    for (int i = 0; i < job.sessions && job.begun < job.count; i++) {
        if (sessions[i].step != FREE) continue;
        uint64_t now = now_ns(), due = now;
        if (job.rate > 0) {
            due = job.start_ns + (uint64_t)((double)job.begun * 1e9 / job.rate);
            if (due > now) return (int)((due - now) / 1000000u);
        }
        begin(&sessions[i], due);
    }
    return 1000;
}

/* Writes as much of the message as the socket takes. Small ones go out in one segment with their mark. */
static void write_message(struct session *session) {
    size_t whole = session->mark_length + job.message_length;
    while (session->written < whole) {
        size_t in_message = session->written > session->mark_length ? session->written - session->mark_length : 0;
        size_t in_mark = session->written < session->mark_length ? session->written : session->mark_length;
        struct iovec parts[2] = {{session->mark + in_mark, session->mark_length - in_mark},
                                 {job.message + in_message, job.message_length - in_message}};
        struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t sent = sendmsg(session->fd, &header, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) {
            close_session(session, strerror(errno));
            return;
        }
        session->written += (size_t)sent;
    }
    if (session->written == whole) session->dotted = now_ns();
    if (session->watching_output != (session->written < whole)) watch(session, EPOLL_CTL_MOD, session->written < whole);
}

static void accepted(struct session *session) {
    uint64_t now = now_ns();
    job.accepted++;
    job.last_ns = now;
    times_add(&job.whole, now - session->started);
    times_add(&job.dot, now - session->dotted);
    if (job.reuse && job.begun < job.count) session->step = FREE;
    else {
        session->step = QUIT;
        put(session, "QUIT\r\n");
    }
}

static void reply(struct session *session, const char *line) {
    static const int wanted[] = {[CONNECTING] = 220, [HELLO] = 250, [MAIL] = 250, [RCPT] = 250, [DATA] = 354, [BODY] = 250, [QUIT] = 221};
    if (session->step == FREE || atoi(line) != wanted[session->step]) {
        close_session(session, line);
        return;
    }
    switch (session->step) {
    case CONNECTING: session->step = HELLO; put(session, "EHLO client.bench.example\r\n"); break;
    case HELLO: put_envelope(session); break;
    case MAIL: session->step = RCPT; if (!job.pipelined) put(session, ENVELOPE_RCPT); break;
    case RCPT: session->step = DATA; if (!job.pipelined) put(session, "DATA\r\n"); break;
    case DATA: session->step = BODY; write_message(session); break;
    case BODY: accepted(session); break;
    default: close_session(session, ""); break;
    }
}

static void readable(struct session *session) {
    char buffer[4096];
    ssize_t got = recv(session->fd, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        close_session(session, got ? strerror(errno) : "the relay closed the connection");
        return;
    }
    for (ssize_t i = 0; i < got && session->fd >= 0; i++) {
        if (session->line_length < sizeof session->line - 1) session->line[session->line_length++] = buffer[i];
        if (buffer[i] != '\n') continue;
        session->line[session->line_length] = 0;
        int last = session->line_length < 4 || session->line[3] != '-';
        session->line_length = 0;
        if (last) reply(session, session->line);
    }
}

static void print_result(void) {
    char whole[160], dot[160];
    times_json(&job.whole, whole, sizeof whole);
    times_json(&job.dot, dot, sizeof dot);
    printf("{\"accepted\":%ld,\"failed\":%ld,\"error\":\"%s\",\"connections\":%ld,\"start_ns\":%llu,\"last_ns\":%llu,\"cpu_s\":%.4f,"
           "\"accept_ms\":%s,\"dot_ms\":%s}\n",
           job.accepted, job.count - job.accepted, job.error, job.connections, (unsigned long long)job.start_ns,
           (unsigned long long)job.last_ns, cpu_seconds(), whole, dot);
}

static int busy(const struct session *sessions) {
    if (job.accepted + job.failed < job.count) return 1;
    for (int i = 0; i < job.sessions; i++)
        if (sessions[i].step != FREE) return 1;
    return 0;
}

int main(int count, char **arguments) {
    if (count != 9) {
        fputs("usage: load HOST PORT RUN COUNT SIZE SESSIONS conn|reuse|pipe RATE\n", stderr);
        return 2;
    }
    job.server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    if (!inet_aton(arguments[1], &job.server.sin_addr)) fail("address");
    job.run = arguments[3];
    job.count = atol(arguments[4]);
    job.sessions = atoi(arguments[6]);
    job.pipelined = !strcmp(arguments[7], "pipe");
    job.reuse = job.pipelined || !strcmp(arguments[7], "reuse");
    job.rate = atof(arguments[8]);
    job.poll = epoll_create1(EPOLL_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    make_message((size_t)atol(arguments[5]));
    struct session *sessions = calloc((size_t)job.sessions, sizeof *sessions);
    if (!sessions) fail("memory");
    for (int i = 0; i < job.sessions; i++) sessions[i].fd = -1;

    uint64_t moved = job.start_ns = job.last_ns = now_ns();
    while (busy(sessions)) {
        struct epoll_event events[256];
        int wait = begin_due(sessions), ready = epoll_wait(job.poll, events, 256, wait);
        if (ready > 0) moved = now_ns();
        else if (now_ns() - moved > STALL_NS) {
            note_error("stalled", "nothing moved for 15 s");
            break;
        }
        for (int i = 0; i < ready; i++) {
            struct session *session = events[i].data.ptr;
            if (session->fd >= 0 && (events[i].events & EPOLLOUT) && session->step == BODY) write_message(session);
            if (session->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))) readable(session);
        }
    }
    print_result();
    return job.accepted == job.count ? 0 : 1;
}
