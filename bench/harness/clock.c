/* A time of day that differs from the machine's, for every process that preloads this. The file BENCH_CLOCK has three numbers
   (long): the clock shows `from` at the machine's `start` (both in seconds since 1970), and goes `speed` times as fast. The file
   is mapped: a change shows at once in every process.

   Only the time of day differs, as after a step of a real clock: sleeps, timeouts and the monotonic clock stay real. A wait until
   a time of day lasts as long in real seconds as it would have without this. Built and preloaded by bench/harness/clock.py.
   libfaketime 0.9.10 breaks Python's time.sleep(). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000LL
#define REALTIME_FROM 1000000000LL /* seconds: a deadline beyond is a time of day, an earlier one of the monotonic clock */

struct setting {
  long start, from, speed;
};

static const struct setting same = {0, 0, 1};
static const volatile struct setting *set = &same;

__attribute__((constructor)) static void map_setting(void) {
  const char *path = getenv("BENCH_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct setting), PROT_READ, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) set = mapped;
  if (file >= 0) close(file);
}

static long long real_ns(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return now.tv_sec * BILLION + now.tv_nsec;
}

static long long shown_ns(void) {
  return set->from * BILLION + (real_ns() - set->start * BILLION) * set->speed;
}

static struct timespec timespec_of(long long ns) {
  struct timespec result = {ns / BILLION, ns % BILLION};
  return result;
}

/* The real time of day of a deadline by the shown clock, as far away as the caller meant it to be. */
static struct timespec real_deadline(const struct timespec *deadline) {
  return timespec_of(real_ns() + deadline->tv_sec * BILLION + deadline->tv_nsec - shown_ns());
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return syscall(SYS_clock_gettime, clock, now);
  *now = timespec_of(shown_ns());
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  long long ns = shown_ns();
  now->tv_sec = ns / BILLION;
  now->tv_usec = ns % BILLION / 1000;
  return 0;
}

time_t time(time_t *now) {
  time_t seconds = shown_ns() / BILLION;
  if (now) *now = seconds;
  return seconds;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
  static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!next) next = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2"); /* of two versions on x86-64 */
  if (!next) next = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
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
