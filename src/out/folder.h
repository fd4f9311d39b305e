/* Private folders for what other programs read and write. */
#ifndef RANKLAB_OUT_FOLDER_H
#define RANKLAB_OUT_FOLDER_H

#include "ranklab/err.h"

enum { OUT_FOLDER_SIZE = 512 };
/* Makes a new folder that only the user can enter, in $TMPDIR or /tmp, and puts its path
 * into dir ("" on failure). what, "plot" or such, is a part of its name. */
enum lr_status out_folder_make(char dir[OUT_FOLDER_SIZE], const char *what,
                               struct lr_err *e);
/* Removes it with the files in it. dir "": nothing. */
void out_folder_remove(const char *dir);

#endif
