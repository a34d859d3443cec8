/*
 * The messages between pam_mien.so and the login daemon: the sizes and codes of ../protocol.py.
 * fuzz/fuzz_replies.c gives any bytes to read_reply.
 */
#ifndef MIEN_MESSAGES_H
#define MIEN_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <security/pam_modules.h>

#define REQUEST_MAGIC 0x314E454Du /* "MEN1" */
#define REPLY_MAGIC 0x3152454Du   /* "MER1" */
#define PAM_TELL (-1)             /* no code of PAM: words to show, and another reply follows */

enum {
    MAGIC_BYTES = 4,
    CODE_BYTES = 4,
    TIMEOUT_BYTES = 4,
    NONCE_BYTES = 16,
    SERVICE_BYTES = 64,
    USER_BYTES = 256,
    TTY_BYTES = 64,
    WORDS_BYTES = 160,
    REQUEST_BYTES =
        MAGIC_BYTES + TIMEOUT_BYTES + NONCE_BYTES + SERVICE_BYTES + USER_BYTES + TTY_BYTES,
    REPLY_BYTES = MAGIC_BYTES + CODE_BYTES + NONCE_BYTES + WORDS_BYTES,
};
_Static_assert(REQUEST_BYTES == 408 && REPLY_BYTES == 184, "the sizes of protocol.py");

struct reply {
    int code;
    char words[WORDS_BYTES];
};

static void put_u32(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t get_u32(const unsigned char *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* False if the text does not fit with its zero byte. The message is all zero bytes before. */
static bool put_text(unsigned char **at, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length >= size)
        return false;
    memcpy(*at, text, length);
    *at += size;
    return true;
}

static bool pack_request(unsigned char message[REQUEST_BYTES], int timeout_s,
                         const unsigned char nonce[NONCE_BYTES], const char *service,
                         const char *user, const char *tty)
{
    unsigned char *at = message + MAGIC_BYTES + TIMEOUT_BYTES + NONCE_BYTES;
    memset(message, 0, REQUEST_BYTES);
    put_u32(message, REQUEST_MAGIC);
    put_u32(message + MAGIC_BYTES, (uint32_t)timeout_s * 1000);
    memcpy(message + MAGIC_BYTES + TIMEOUT_BYTES, nonce, NONCE_BYTES);
    return put_text(&at, SERVICE_BYTES, service) && put_text(&at, USER_BYTES, user) &&
           put_text(&at, TTY_BYTES, tty);
}

/* The bytes of the UTF-8 letter at the start of a text that a zero byte ends; 0 if it is none. */
static size_t letter_bytes(const unsigned char *text)
{
    unsigned char first = text[0], low = 0x80, high = 0xBF;
    size_t size = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first > 0xF4)
        return 0;
    if (first == 0xE0)
        low = 0xA0; /* a shorter form exists */
    if (first == 0xED)
        high = 0x9F; /* surrogates */
    if (first == 0xF0)
        low = 0x90;
    if (first == 0xF4)
        high = 0x8F; /* beyond the last letter */
    for (size_t i = 1; i < size; i++, low = 0x80, high = 0xBF)
        if (text[i] < low || text[i] > high)
            return 0;
    return size;
}

/* Replace the letters that a terminal would act on. False if the words are not UTF-8. */
static bool make_printable(char *words)
{
    unsigned char *at = (unsigned char *)words;
    while (*at) {
        size_t size = letter_bytes(at);
        if (size == 0)
            return false;
        if (at[0] < 0x20 || at[0] == 0x7F || (at[0] == 0xC2 && at[1] < 0xA0))
            memset(at, '?', size);
        at += size;
    }
    return true;
}

/* Read a message of any bytes. False if it is no reply to the request with this nonce. */
static bool read_reply(const unsigned char *message, size_t size,
                       const unsigned char nonce[NONCE_BYTES], struct reply *reply)
{
    if (size != REPLY_BYTES || get_u32(message) != REPLY_MAGIC)
        return false;
    if (memcmp(message + MAGIC_BYTES + CODE_BYTES, nonce, NONCE_BYTES) != 0)
        return false;
    reply->code = (int32_t)get_u32(message + MAGIC_BYTES);
    if (reply->code != PAM_TELL && reply->code != PAM_SUCCESS && reply->code != PAM_AUTH_ERR &&
        reply->code != PAM_AUTHINFO_UNAVAIL && reply->code != PAM_IGNORE)
        return false;
    memcpy(reply->words, message + REPLY_BYTES - WORDS_BYTES, WORDS_BYTES);
    for (size_t i = strnlen(reply->words, WORDS_BYTES); i < WORDS_BYTES; i++)
        if (reply->words[i] != 0)
            return false;
    return reply->words[WORDS_BYTES - 1] == 0 && make_printable(reply->words);
}

#endif
