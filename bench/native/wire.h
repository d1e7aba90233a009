/* What the load generator and the sink share: time, the mark in each message, sockets, and percentiles.
 *
 * Each message carries one header line, so that the sink can tell which message it is and how long it took:
 *     X-Mailhaul-Bench: RUN SEQUENCE STARTED BODY
 * RUN names the run, SEQUENCE counts from 0, STARTED is CLOCK_MONOTONIC in nanoseconds when the client began the
 * message (one machine, one clock), BODY is the length of the body on the wire, for a relay must not change it. */
#ifndef MAILHAUL_BENCH_WIRE_H
#define MAILHAUL_BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define MARK "X-Mailhaul-Bench: "
#define RUN_LENGTH 32

uint64_t now_ns(void);
double cpu_seconds(void);
void fail(const char *what);
/* A TCP socket on loopback that listens; *port 0 takes a free one and is set to it. */
int listen_on(int *port);
void no_delay(int fd);

/* A growing list of durations in nanoseconds. */
struct times { uint64_t *values; size_t count, room; };
void times_add(struct times *times, uint64_t value);
/* Sorts, and writes {"p50":…,"p90":…,"p99":…,"max":…} in milliseconds into out. */
void times_json(struct times *times, char *out, size_t size);

#endif
