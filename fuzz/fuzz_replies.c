/* Give arbitrary bytes to the PAM module's reader of replies. See README.md. */
#include <stdlib.h>

#include "../src/mien/login/pam/messages.h"

static const unsigned char NONCE[NONCE_BYTES] = "0123456789abcdef";

static void expect(int holds)
{
    if (!holds)
        abort();
}

/* What the module relies on: a known code, and words that end, without control letters. */
static void check(const struct reply *reply)
{
    const unsigned char *at = (const unsigned char *)reply->words;
    expect(reply->code == PAM_TELL || reply->code == PAM_SUCCESS || reply->code == PAM_AUTH_ERR ||
           reply->code == PAM_AUTHINFO_UNAVAIL || reply->code == PAM_IGNORE);
    expect(memchr(reply->words, 0, WORDS_BYTES) != NULL);
    for (size_t size; *at; at += size) {
        size = letter_bytes(at);
        expect(size > 0 && *at >= 0x20 && *at != 0x7F && !(*at == 0xC2 && at[1] < 0xA0));
    }
}

/* Half of the inputs are put behind a right beginning, so that their words are reached soon. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct reply reply;
    unsigned char *exact = malloc(size + 1); /* so that the sanitizer sees a byte too far */
    unsigned char message[REPLY_BYTES] = {0};
    expect(exact != NULL);
    memcpy(exact, data, size);
    if (read_reply(exact, size, NONCE, &reply))
        check(&reply);
    free(exact);
    if (size == 0 || size > WORDS_BYTES + 1)
        return 0;
    put_u32(message, REPLY_MAGIC);
    put_u32(message + MAGIC_BYTES, (uint32_t)(int32_t)(signed char)data[0]);
    memcpy(message + MAGIC_BYTES + CODE_BYTES, NONCE, NONCE_BYTES);
    memcpy(message + REPLY_BYTES - WORDS_BYTES, data + 1, size - 1);
    if (read_reply(message, sizeof(message), NONCE, &reply))
        check(&reply);
    return 0;
}
