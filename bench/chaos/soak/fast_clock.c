/* A wall clock that shows SOAK_FROM at SOAK_START (both in seconds since 1970) and goes SOAK_SPEED times as fast, for every
   process that preloads it.

   Only the time of day is fast: sleeps, timeouts and the monotonic clock stay real. A wait until a time of day lasts as long in
   real seconds as it would have without this. Built and preloaded by bench/chaos/soak/fast_clock.py. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000LL
#define REALTIME_FROM 1000000000LL /* seconds: a deadline beyond is a time of day, an earlier one of the monotonic clock */

static long long start_ns = 0, from_ns = 0;
static long long speed = 1;

__attribute__((constructor)) static void read_settings(void) {
  const char *start = getenv("SOAK_START"), *from = getenv("SOAK_FROM"), *factor = getenv("SOAK_SPEED");
  if (start && from && factor) {
    start_ns = atoll(start) * BILLION;
    from_ns = atoll(from) * BILLION;
    speed = atoll(factor);
  }
}

static long long real_ns(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return now.tv_sec * BILLION + now.tv_nsec;
}

static long long fast_ns(void) {
  return from_ns + (real_ns() - start_ns) * speed;
}

static struct timespec timespec_of(long long ns) {
  struct timespec result = {ns / BILLION, ns % BILLION};
  return result;
}

/* The real time of day of a deadline by the fast clock, as far away as the caller meant it to be. */
static struct timespec real_deadline(const struct timespec *deadline) {
  return timespec_of(real_ns() + deadline->tv_sec * BILLION + deadline->tv_nsec - fast_ns());
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return syscall(SYS_clock_gettime, clock, now);
  *now = timespec_of(fast_ns());
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  long long ns = fast_ns();
  now->tv_sec = ns / BILLION;
  now->tv_usec = ns % BILLION / 1000;
  return 0;
}

time_t time(time_t *now) {
  time_t seconds = fast_ns() / BILLION;
  if (now) *now = seconds;
  return seconds;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
  static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!next) next = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (deadline->tv_sec < REALTIME_FROM) return next(condition, mutex, deadline);
  struct timespec real = real_deadline(deadline);
  return next(condition, mutex, &real);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
  static int (*next)(sem_t *, const struct timespec *);
  if (!next) next = dlsym(RTLD_NEXT, "sem_timedwait");
  struct timespec real = real_deadline(deadline);
  return next(semaphore, &real);
}

/* gRPC waits with futexes until a time of day. */
long syscall(long number, ...) {
  static long (*next)(long, ...);
  if (!next) next = dlsym(RTLD_NEXT, "syscall");
  va_list list;
  va_start(list, number);
  long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long), d = va_arg(list, long), e = va_arg(list, long),
       f = va_arg(list, long);
  va_end(list);
  const struct timespec *deadline = (const struct timespec *)d;
  if (number == SYS_futex && (b & FUTEX_CLOCK_REALTIME) && (b & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && deadline) {
    struct timespec real = real_deadline(deadline);
    return next(number, a, b, c, &real, e, f);
  }
  return next(number, a, b, c, d, e, f);
}
