/* Words for exits and signals. */
#include "runner/process.h"

#include <string.h>
#include <sys/wait.h>

const char *signal_name(int signo) {
  static char names[NSIG][16];
  if (signo <= 0 || signo >= NSIG) return "no signal";
  if (!names[signo][0]) {
    const char *abbreviation = sigabbrev_np(signo);
    if (abbreviation) g_snprintf(names[signo], sizeof names[signo], "SIG%s", abbreviation);
    else if (signo >= SIGRTMIN) g_snprintf(names[signo], sizeof names[signo], "SIGRTMIN+%d", signo - SIGRTMIN);
    else g_snprintf(names[signo], sizeof names[signo], "SIG%d", signo);
  }
  return names[signo];
}

int signal_number(const char *name) {
  guint64 number;
  if (g_ascii_string_to_unsigned(name, 10, 1, NSIG - 1, &number, NULL)) return (int)number;
  for (int signo = 1; signo < NSIG; signo++)
    if (g_ascii_strcasecmp(name, signal_name(signo)) == 0 || g_ascii_strcasecmp(name, signal_name(signo) + 3) == 0)
      return signo;
  return 0;
}

char *exit_text(int status) {
  if (WIFEXITED(status)) return g_strdup_printf("exited with status %d", WEXITSTATUS(status));
  return g_strdup_printf("was killed by signal %d (%s%s)", WTERMSIG(status), signal_name(WTERMSIG(status)),
                         WCOREDUMP(status) ? ", core dumped" : "");
}
