/* The loop and its fibers: who waits is woken by what it waits for, once, and nobody else. */
#include "runner/loop.h"
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

static GString *said;

static void in_loop(void (*fn)(gpointer data)) {
  said = g_string_new(NULL);
  loop_new();
  fiber_spawn_detached("test", fn, NULL);
  loop_run();
  loop_free();
}

static void say_twice(gpointer data) {
  for (int i = 0; i < 2; i++) {
    g_string_append(said, data);
    wait_turn();
  }
}

static void two_by_turns(gpointer data) {
  Fiber *a = fiber_spawn("a", say_twice, (gpointer) "a"), *b = fiber_spawn("b", say_twice, (gpointer) "b");
  g_assert_cmpint(fiber_join(a, DEADLINE_NONE), ==, WAIT_READY);
  g_assert_cmpint(fiber_join(b, DEADLINE_NONE), ==, WAIT_READY);
}

static void test_turns(void) {
  in_loop(two_by_turns);
  g_assert_cmpstr(said->str, ==, "abab");
}

static void deadlines_in_order(gpointer data) {
  gint64 began = clock_now();
  g_assert_cmpint(wait_until(deadline_after(20000)), ==, WAIT_TIMEOUT);
  gint64 took = clock_now() - began;
  g_assert_cmpint(took, >=, 20000);
  int fd = eventfd(0, EFD_CLOEXEC);
  g_assert_cmpint(wait_fd(fd, POLLIN, NULL, deadline_after(5000)), ==, WAIT_TIMEOUT);
  g_assert_cmpint(eventfd_write(fd, 1), ==, 0);
  short revents = 0;
  g_assert_cmpint(wait_fd(fd, POLLIN, &revents, deadline_after(5 * G_USEC_PER_SEC)), ==, WAIT_READY);
  g_assert_cmpint(revents, ==, POLLIN);
  close(fd);
}

static void test_deadlines(void) { in_loop(deadlines_in_order); }

static Cond news;

static void wait_for_news(gpointer data) {
  WaitResult result = wait_cond(&news, DEADLINE_NONE);
  g_string_append(said, result == WAIT_READY ? "ready " : "cancelled ");
  if (result != WAIT_CANCELLED) return;
  g_assert_cmpint(wait_until(deadline_after(1000000)), ==, WAIT_CANCELLED);
  fiber_shield();
  g_assert_cmpint(wait_until(deadline_after(1000)), ==, WAIT_TIMEOUT);
  fiber_unshield();
}

static void wake_and_cancel(gpointer data) {
  Fiber *a = fiber_spawn("a", wait_for_news, NULL);
  wait_turn();
  cond_wake(&news);
  fiber_join(a, DEADLINE_NONE);
  Fiber *b = fiber_spawn("b", wait_for_news, NULL);
  g_assert_cmpint(fiber_join(b, deadline_after(2000)), ==, WAIT_TIMEOUT);
  fiber_stop(b);
}

static void test_cond(void) {
  in_loop(wake_and_cancel);
  g_assert_cmpstr(said->str, ==, "ready cancelled ");
  g_assert_null(news.waiters);
}

static void held_clock(gpointer data) {
  int fd = eventfd(0, EFD_CLOEXEC);
  Deadline limit = deadline_after(20000);
  clock_hold();
  gint64 real = g_get_monotonic_time();
  /* A held clock lets no deadline come: only the descriptor can end this wait. */
  Fiber *w = fiber_spawn("w", wait_for_news, NULL);
  g_assert_false(deadline_passed(limit));
  while (g_get_monotonic_time() - real < 40000) wait_turn();
  g_assert_false(deadline_passed(limit));
  clock_release();
  g_assert_false(deadline_passed(limit));
  g_assert_cmpint(wait_until(limit), ==, WAIT_TIMEOUT);
  g_assert_cmpint(g_get_monotonic_time() - real, >=, 55000);
  fiber_stop(w);
  close(fd);
}

static void test_hold(void) { in_loop(held_clock); }

static void without_limits(gpointer data) {
  clock_limits(false);
  g_assert_cmpint(deadline_in(1000), ==, DEADLINE_NONE);
  /* Of a limit and a pause the pause ends the wait. */
  g_assert_cmpint(wait_until(deadline_first(deadline_in(1000), deadline_after(2000))), ==, WAIT_TIMEOUT);
  clock_limits(true);
  g_assert_cmpint(wait_until(deadline_in(1000)), ==, WAIT_TIMEOUT);
}

static void test_limits(void) { in_loop(without_limits); }

static void many(gpointer data) {
  Fiber *fibers[500];
  for (guint i = 0; i < G_N_ELEMENTS(fibers); i++) fibers[i] = fiber_spawn("one of many", wait_for_news, NULL);
  wait_turn();
  wait_turn();
  cond_wake(&news);
  for (guint i = 0; i < G_N_ELEMENTS(fibers); i++)
    g_assert_cmpint(fiber_join(fibers[i], DEADLINE_NONE), ==, WAIT_READY);
}

static void test_many(void) { in_loop(many); }

typedef struct Reader { int fd; short revents; WaitResult result; } Reader;

static void read_one(gpointer data) {
  Reader *reader = data;
  reader->result = wait_fd(reader->fd, POLLIN, &reader->revents, deadline_after(20 * G_USEC_PER_SEC));
}

/* Each has a descriptor of its own; they become ready one by one, from the middle outwards. */
static void each_its_own(gpointer data) {
  static const guint order[] = {3, 4, 2, 5, 1, 6, 0};
  Reader readers[7];
  Fiber *fibers[7];
  for (guint i = 0; i < 7; i++) {
    readers[i] = (Reader){.fd = eventfd(0, EFD_CLOEXEC)};
    fibers[i] = fiber_spawn("reader", read_one, &readers[i]);
  }
  wait_turn();
  for (guint i = 0; i < 7; i++) {
    g_assert_cmpint(eventfd_write(readers[order[i]].fd, 1), ==, 0);
    g_assert_cmpint(fiber_join(fibers[order[i]], DEADLINE_NONE), ==, WAIT_READY);
    g_assert_cmpint(readers[order[i]].revents, ==, POLLIN);
    for (guint j = i + 1; j < 7; j++) g_assert_false(fiber_finished(fibers[order[j]]));
  }
  for (guint i = 0; i < 7; i++) close(readers[i].fd);
}

static void test_each_its_own(void) { in_loop(each_its_own); }

static void on_watched(int fd, short revents, gpointer data) { ++*(int *)data; }

/* Two fibers and a watch wait for the same descriptor, and a deadline comes meanwhile. */
static void shared_by_all(gpointer data) {
  int fd = eventfd(0, EFD_CLOEXEC), seen = 0;
  Reader readers[2] = {{.fd = fd}, {.fd = fd}};
  Watch *watch = loop_watch(fd, POLLIN, on_watched, &seen);
  Fiber *a = fiber_spawn("a", read_one, &readers[0]), *b = fiber_spawn("b", read_one, &readers[1]);
  g_assert_cmpint(wait_until(deadline_after(2000)), ==, WAIT_TIMEOUT);
  g_assert_false(fiber_finished(a) || fiber_finished(b));
  g_assert_cmpint(eventfd_write(fd, 1), ==, 0);
  fiber_join(a, DEADLINE_NONE);
  fiber_join(b, DEADLINE_NONE);
  wait_turn();
  g_assert_cmpint(readers[0].result, ==, WAIT_READY);
  g_assert_cmpint(readers[1].result, ==, WAIT_READY);
  g_assert_cmpint(seen, >=, 1);
  watch_free(watch);
  close(fd);
}

static void test_shared(void) { in_loop(shared_by_all); }

/* Libraries close a descriptor and get its number again for another file: what was waited for before must not count. */
static void number_comes_back(gpointer data) {
  int fd = eventfd(0, EFD_CLOEXEC), old = fcntl(fd, F_DUPFD_CLOEXEC, 0);   /* keeps the old file open */
  g_assert_cmpint(wait_fd(fd, POLLIN, NULL, deadline_after(1000)), ==, WAIT_TIMEOUT);
  close(fd);
  g_assert_cmpint(eventfd(0, EFD_CLOEXEC), ==, fd);
  g_assert_cmpint(eventfd_write(old, 1), ==, 0);
  g_assert_cmpint(wait_fd(fd, POLLIN, NULL, deadline_after(2000)), ==, WAIT_TIMEOUT);
  g_assert_cmpint(eventfd_write(fd, 1), ==, 0);
  g_assert_cmpint(wait_fd(fd, POLLIN, NULL, deadline_after(20 * G_USEC_PER_SEC)), ==, WAIT_READY);
  close(old);
  close(fd);
  short revents = 0;
  g_assert_cmpint(wait_fd(fd, POLLIN, &revents, deadline_after(20 * G_USEC_PER_SEC)), ==, WAIT_READY);
  g_assert_cmpint(revents, ==, POLLNVAL);
}

static void test_reused(void) { in_loop(number_comes_back); }

static bool blocked(int signo) {
  sigset_t set;
  sigprocmask(SIG_SETMASK, NULL, &set);
  return sigismember(&set, signo) == 1;
}

static void expect_blocked(gpointer data) {
  g_assert_true(blocked(SIGUSR1));
  wait_turn();
  g_assert_false(blocked(SIGUSR1));
}

/* The mask is the process's: what one fiber changes, all see, those that were made before too. */
static void mask_is_shared(gpointer data) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  Fiber *other = fiber_spawn("other", expect_blocked, NULL);
  sigprocmask(SIG_BLOCK, &set, NULL);
  wait_turn();
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  fiber_join(other, DEADLINE_NONE);
}

static void test_mask(void) { in_loop(mask_is_shared); }

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/loop/fibers take turns", test_turns);
  g_test_add_func("/loop/deadlines come, descriptors wake", test_deadlines);
  g_test_add_func("/loop/conditions wake, cancelling ends each wait", test_cond);
  g_test_add_func("/loop/a held clock lets no deadline come", test_hold);
  g_test_add_func("/loop/limits that do not count never come, pauses do", test_limits);
  g_test_add_func("/loop/each fiber has its own descriptor", test_each_its_own);
  g_test_add_func("/loop/a descriptor shared by fibers and a watch", test_shared);
  g_test_add_func("/loop/a descriptor's number comes back", test_reused);
  g_test_add_func("/loop/the signal mask is the process's", test_mask);
  g_test_add_func("/loop/five hundred fibers", test_many);
  return g_test_run();
}
