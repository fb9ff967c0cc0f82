#include "runner/ipc.h"

#include <glib.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>

static GHashTable *noted;

void ipc_note(pid_t pid) {
  if (!noted) noted = g_hash_table_new(NULL, NULL);
  g_hash_table_add(noted, GINT_TO_POINTER(pid));
}

/* /proc/sysvipc/shm, proc(5): key shmid perms size cpid lpid nattch ... */
void ipc_remove_ours(void) {
  g_autofree char *text = NULL;
  if (!noted || !g_file_get_contents("/proc/sysvipc/shm", &text, NULL, NULL)) return;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++) {
    int id = 0, creator = 0;
    unsigned long attached = 1;
    if (sscanf(*line, "%*d %d %*o %*u %d %*d %lu", &id, &creator, &attached) != 3) continue;
    if (attached == 0 && g_hash_table_contains(noted, GINT_TO_POINTER(creator))) shmctl(id, IPC_RMID, NULL);
  }
  g_clear_pointer(&noted, g_hash_table_unref);
}
