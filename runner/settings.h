/* settings.h - a server's configuration file, from a mapping.  Pure: text in, text out.
 *
 * conf  PostgreSQL's: name = 'value'.  With `append` our lines stand between two marks at the end, where the last word wins;
 *       an earlier block of ours (one that pg_basebackup copied from another server, too) is replaced.
 * ini   name=value below [section]; the file is ours as a whole.
 * yaml, json   a nested mapping: dots in a name go one level down (listener.port).
 */
#ifndef RUNNER_SETTINGS_H
#define RUNNER_SETTINGS_H

#include "yamldef/definition.h"

typedef struct Setting { const char *key, *value; } Setting;

/* The file's new text. before: what is there now, NULL when there is none (or it is ours as a whole). */
char *settings_text(SettingsForm form, bool append, const char *section, const char *before, guint n,
                    const Setting *settings);

#endif
