/* The loop and its fibers: who waits is woken by what it waits for, once, and nobody else. */
#include "runner/loop.h"
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

static void many(gpointer data) {
  Fiber *fibers[500];
  for (guint i = 0; i < G_N_ELEMENTS(fibers); i++) fibers[i] = fiber_spawn("one of many", wait_for_news, NULL);
  wait_turn();
  wait_turn();
  cond_wake(&news);
  for (guint i = 0; i < G_N_ELEMENTS(fibers); i++) g_assert_cmpint(fiber_join(fibers[i], DEADLINE_NONE), ==, WAIT_READY);
}

static void test_many(void) { in_loop(many); }

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/loop/fibers take turns", test_turns);
  g_test_add_func("/loop/deadlines come, descriptors wake", test_deadlines);
  g_test_add_func("/loop/conditions wake, cancelling ends each wait", test_cond);
  g_test_add_func("/loop/a held clock lets no deadline come", test_hold);
  g_test_add_func("/loop/five hundred fibers", test_many);
  return g_test_run();
}
