/* Temporary files and folders beside the target they will replace. */
#ifndef RANKLAB_BASE_TEMP_H
#define RANKLAB_BASE_TEMP_H

#include <stdbool.h>
#include <sys/types.h>

/* A new file beside path, open for writing; *temp gets its name (lr_free it). -1 with
 * errno. It counts as abandoned once its descriptor is closed and the name still there.
 */
int lr_temp_file(char **temp, const char *path, mode_t mode);
/* Whether name, without folders, is that of a temporary file or folder. */
bool lr_temp_is_name(const char *name);
/* A new folder beside path; the descriptor keeps it from counting as abandoned. */
int lr_temp_folder(char **temp, const char *path);
/* Removes a folder of plain files; one that cannot be removed stays. */
void lr_temp_remove_folder(const char *path);
/* Makes last that path was made, renamed or replaced in its folder. */
void lr_sync_folder(const char *path);

#endif
