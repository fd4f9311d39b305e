/* Private folders for what other programs read and write: nobody else can put anything
 * there, so fixed file names are safe, and none of the user's names is passed on. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum lr_status out_folder_make(char dir[OUT_FOLDER_SIZE], const char *what,
                               struct lr_err *e)
{
    char buf[128];
    const char *base = getenv("TMPDIR");

    if (!base || base[0] != '/' || strlen(base) > OUT_FOLDER_SIZE - 64)
        base = "/tmp";
    snprintf(dir, OUT_FOLDER_SIZE, "%s/ranklab-%.16s-XXXXXX", base, what);
    if (mkdtemp(dir))
        return LR_OK;
    int err = errno;
    dir[0] = '\0';
    return lr_err_set(e, LR_EIO, "%s: cannot make a folder for a %s: %s", base, what,
                      strerror_r(err, buf, sizeof(buf)));
}

void out_folder_remove(const char *dir)
{
    char path[OUT_FOLDER_SIZE + 320];
    DIR *d = *dir ? opendir(dir) : NULL;
    struct dirent *entry;

    if (!d)
        return;
    while ((entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(dir);
}
