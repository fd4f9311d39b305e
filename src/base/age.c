/* Files in the cache that nobody used for a while. A use sets the time of modification.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ranklab/file.h"

enum { MAX_AGE = 14 * 24 * 3600 };

void lr_file_used(const char *path)
{
    utimensat(AT_FDCWD, path, NULL, 0);
}

void lr_file_remove_old(const char *folder, const char *head, size_t len)
{
    DIR *d = opendir(folder);
    const time_t now = time(NULL);

    for (struct dirent *x; d && (x = readdir(d));) {
        struct stat st;
        if (strlen(x->d_name) == len && strncmp(x->d_name, head, strlen(head)) == 0 &&
            fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_mtime < now - MAX_AGE)
            unlinkat(dirfd(d), x->d_name, 0);
    }
    if (d)
        closedir(d);
}
