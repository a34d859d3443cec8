/*
 * A connection to a socket that only root can have made, at a path of folders that are root's.
 */
#ifndef MIEN_ROOT_SOCKET_H
#define MIEN_ROOT_SOCKET_H

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <security/pam_ext.h>
#include <security/pam_modules.h>

/* Descriptors 0 to 2 may be closed; words that the host prints must not land in a socket. */
static int above_stdio(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return moved;
}

/* Whether only root can have put a file there. No symlinks, so that each folder is looked at. */
static bool is_roots_folder(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != 0)
        return false;
    return !(status.st_mode & (S_IWGRP | S_IWOTH)) || (status.st_mode & S_ISVTX);
}

static bool is_roots_socket(const char *path)
{
    struct stat status;
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    if (path[0] != '/' || strlen(path) >= sizeof(folder) || !is_roots_folder("/"))
        return false;
    strcpy(folder, path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (!is_roots_folder(folder))
            return false;
        *slash = '/';
    }
    return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_uid == 0;
}

/* The connected socket, or -1 with a line in the system's log. */
static int connect_to_root(pam_handle_t *pamh, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t size = sizeof(peer);
    struct stat status;
    if (lstat(path, &status) != 0) {
        pam_syslog(pamh, LOG_NOTICE, "the login daemon has no socket %s: %m", path);
        return -1;
    }
    if (!is_roots_socket(path)) {
        pam_syslog(pamh, LOG_ERR, "%s is not asked: others than root could have made it", path);
        return -1;
    }
    strcpy(address.sun_path, path); /* is_roots_socket has checked the length */
    int fd = above_stdio(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        pam_syslog(pamh, LOG_NOTICE, "cannot connect to %s: %m", path);
    } else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != 0) {
        pam_syslog(pamh, LOG_ERR, "%s is not asked: root does not listen there", path);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

#endif
