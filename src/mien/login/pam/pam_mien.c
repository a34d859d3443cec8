/*
 * pam_mien.so asks mien's login daemon whether the person before the camera is the user.
 *
 *     auth [success=done default=ignore] pam_mien.so [ask] [timeout=SECONDS] [socket=PATH]
 *
 * It decides nothing: SUCCESS comes only from a reply of the daemon, whose socket must be root's.
 * Whatever else happens, the line falls through to the password. See docs/login-module.md.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <shadow.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>

#include "messages.h"
#include "root_socket.h"

#define SOCKET_PATH "/run/mien/auth.sock"
#define QUESTION "Password, or Enter for your face: "
#define LOOKED "mien_looked" /* the name of what is kept on the handle once there was a look */

enum {
    MAX_TIMEOUT_S = 60,
    TIMEOUT_S = 5,
    TIMEOUT_ASK_S = 15, /* sudo and the like, where a challenge of head movements follows */
};

struct options {
    bool ask;
    int timeout_s;
    const char *path;
};

static bool read_options(pam_handle_t *pamh, int argc, const char **argv, struct options *options);
static bool may_be_asked(pam_handle_t *pamh);
static int ask_for_password(pam_handle_t *pamh);
static int look(pam_handle_t *pamh, const struct options *options, bool silent);

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct options options;
    const void *looked = NULL;
    if (!read_options(pamh, argc, argv, &options))
        return PAM_AUTHINFO_UNAVAIL;
    /* sudo asks three times on one handle; one wrong password shall not cost another look */
    if (pam_get_data(pamh, LOOKED, &looked) == PAM_SUCCESS || !may_be_asked(pamh))
        return PAM_IGNORE;
    if (options.ask && ask_for_password(pamh) != PAM_SUCCESS)
        return PAM_IGNORE;
    if (pam_set_data(pamh, LOOKED, "no", NULL) != PAM_SUCCESS)
        return PAM_AUTHINFO_UNAVAIL;
    int result = look(pamh, &options, (flags & PAM_SILENT) && !options.ask);
    if (result == PAM_SUCCESS && pam_set_data(pamh, LOOKED, "yes", NULL) != PAM_SUCCESS)
        return PAM_AUTHINFO_UNAVAIL;
    return result;
}

/* After a yes, IGNORE would leave pam_setcred to the modules below, of which pam_deny refuses.
 * Where no face was accepted on this handle, SUCCESS would hide the modules below. */
int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    const void *looked = NULL;
    (void)flags, (void)argc, (void)argv;
    if (pam_get_data(pamh, LOOKED, &looked) != PAM_SUCCESS || strcmp(looked, "yes") != 0)
        return PAM_IGNORE;
    return PAM_SUCCESS;
}

/* The whole seconds of an argument, or 0 if it does not say 1 to 60. */
static int seconds(const char *digits)
{
    char *end = NULL;
    long value = strtol(digits, &end, 10);
    return *end == 0 && value >= 1 && value <= MAX_TIMEOUT_S ? (int)value : 0;
}

static bool read_options(pam_handle_t *pamh, int argc, const char **argv, struct options *options)
{
    *options = (struct options){.timeout_s = TIMEOUT_S, .path = SOCKET_PATH};
    int timeout_s = -1;
    for (int i = 0; i < argc && timeout_s != 0; i++) {
        if (strcmp(argv[i], "ask") == 0) {
            options->ask = true;
            options->timeout_s = TIMEOUT_ASK_S;
        } else if (strncmp(argv[i], "socket=", 7) == 0) {
            options->path = argv[i] + 7;
        } else {
            timeout_s = strncmp(argv[i], "timeout=", 8) == 0 ? seconds(argv[i] + 8) : 0;
        }
        if (timeout_s == 0)
            pam_syslog(pamh, LOG_ERR, "no look: the argument %s is wrong or unknown", argv[i]);
    }
    if (timeout_s > 0)
        options->timeout_s = timeout_s;
    return timeout_s != 0;
}

static const char *item(const pam_handle_t *pamh, int type)
{
    const void *text = NULL;
    return pam_get_item(pamh, type, &text) == PAM_SUCCESS && text ? text : "";
}

static bool is_locked(const char *hash)
{
    return hash && (hash[0] == '!' || hash[0] == '*');
}

/* A local question about a known user who is not root and whose password is not locked. */
static bool may_be_asked(pam_handle_t *pamh)
{
    const char *user = NULL;
    if (item(pamh, PAM_RHOST)[0] || strncmp(item(pamh, PAM_TTY), "ssh", 3) == 0)
        return false;
    if (pam_get_user(pamh, &user, NULL) != PAM_SUCCESS || !user || !user[0])
        return false;
    const struct passwd *account = pam_modutil_getpwnam(pamh, user);
    if (!account || account->pw_uid == 0)
        return false;
    const struct spwd *shadow = pam_modutil_getspnam(pamh, user); /* NULL if only root reads it */
    return !shadow || !is_locked(shadow->sp_pwdp);
}

/* SUCCESS for Enter alone. A typed password is left for the modules below, as PAM_AUTHTOK. */
static int ask_for_password(pam_handle_t *pamh)
{
    char *typed = NULL;
    if (pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &typed, "%s", QUESTION) != PAM_SUCCESS || !typed)
        return PAM_CONV_ERR;
    bool is_enter = typed[0] == 0;
    if (!is_enter)
        pam_set_item(pamh, PAM_AUTHTOK, typed);
    explicit_bzero(typed, strlen(typed));
    free(typed);
    return is_enter ? PAM_SUCCESS : PAM_IGNORE;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* PAM_SUCCESS when the socket has something; PAM_IGNORE at a signal; else PAM_AUTHINFO_UNAVAIL. */
static int wait_for_reply(int connection, int signals, int64_t deadline_ms)
{
    struct pollfd waiting[] = {{.fd = signals, .events = POLLIN},
                               {.fd = connection, .events = POLLIN}};
    for (;;) {
        int64_t left_ms = deadline_ms - now_ms();
        int ready = left_ms > 0 ? poll(waiting, 2, (int)left_ms) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return PAM_AUTHINFO_UNAVAIL;
        return waiting[0].revents ? PAM_IGNORE : PAM_SUCCESS;
    }
}

static bool send_request(pam_handle_t *pamh, int connection, int timeout_s,
                         unsigned char nonce[NONCE_BYTES])
{
    unsigned char message[REQUEST_BYTES];
    if (getrandom(nonce, NONCE_BYTES, GRND_NONBLOCK) != NONCE_BYTES)
        return false;
    if (!pack_request(message, timeout_s, nonce, item(pamh, PAM_SERVICE), item(pamh, PAM_USER),
                      item(pamh, PAM_TTY)))
        return false;
    return send(connection, message, sizeof(message), MSG_NOSIGNAL) == sizeof(message);
}

/* Words that tell what to do belong to the question, so PAM_SILENT, which sudo sets, keeps only
 * those about the result from being shown, and not even them where the user was asked before. */
static int show(pam_handle_t *pamh, const struct reply *reply, bool silent)
{
    int style = reply->code == PAM_AUTH_ERR ? PAM_ERROR_MSG : PAM_TEXT_INFO;
    if (reply->words[0] == 0 || reply->code == PAM_IGNORE || (silent && reply->code != PAM_TELL))
        return PAM_SUCCESS;
    return pam_prompt(pamh, style, NULL, "%s", reply->words);
}

static int ask_daemon(pam_handle_t *pamh, int connection, int signals, int timeout_s, bool silent)
{
    int64_t deadline_ms = now_ms() + (int64_t)timeout_s * 1000;
    unsigned char nonce[NONCE_BYTES], message[REPLY_BYTES + 1]; /* one more: a longer one shows */
    struct reply reply;
    if (!send_request(pamh, connection, timeout_s, nonce))
        return PAM_AUTHINFO_UNAVAIL;
    for (;;) {
        int waited = wait_for_reply(connection, signals, deadline_ms);
        if (waited != PAM_SUCCESS)
            return waited;
        ssize_t size = recv(connection, message, sizeof(message), MSG_DONTWAIT);
        if (size < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (size < 0 || !read_reply(message, (size_t)size, nonce, &reply)) {
            pam_syslog(pamh, LOG_ERR, "the login daemon ended, or gave no reply to the request");
            return PAM_AUTHINFO_UNAVAIL;
        }
        int shown = show(pamh, &reply, silent);
        if (reply.code != PAM_TELL)
            return reply.code;
        if (shown != PAM_SUCCESS)
            return PAM_AUTHINFO_UNAVAIL;
    }
}

/* sudo blocks SIGINT meanwhile, others do not: a descriptor hears the signals in both. */
static int look(pam_handle_t *pamh, const struct options *options, bool silent)
{
    int result = PAM_AUTHINFO_UNAVAIL;
    sigset_t stopping, interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    stopping = interrupt;
    sigaddset(&stopping, SIGQUIT);
    sigaddset(&stopping, SIGTERM);
    sigaddset(&stopping, SIGHUP);
    sigaddset(&stopping, SIGTSTP);
    if (sigprocmask(SIG_BLOCK, &stopping, &before) != 0) /* on Linux, of this thread only */
        return result;
    int signals = above_stdio(signalfd(-1, &stopping, SFD_CLOEXEC | SFD_NONBLOCK));
    int connection = signals < 0 ? -1 : connect_to_root(pamh, options->path);
    if (connection >= 0) {
        result = ask_daemon(pamh, connection, signals, options->timeout_s, silent);
        close(connection);
    }
    if (signals >= 0)
        close(signals);
    /* Ctrl-C ended the look and asks for the password. The others are left for the host. */
    if (result == PAM_IGNORE)
        sigtimedwait(&interrupt, NULL, &(struct timespec){0});
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
