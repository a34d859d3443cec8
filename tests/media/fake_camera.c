/* A camera for programs started with LD_PRELOAD: answers the requests of V4L2 on one device, which
   really is /dev/zero, as a driver would. Everything above the kernel is real: mien, and OpenCV.

   FAKE_FORMAT: four letters. FAKE_SIZE: WxH. FAKE_FRAMES: a file of raw frames, the last of which
   repeats. FAKE_FAULT: "busy" (its stream is another program's), "hang" (no frame ever comes),
   "gone" (unplugged after the first frame). FAKE_FPS: frames a second. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define MOST_BUFFERS 8

static unsigned char *buffers[MOST_BUFFERS];
static int queue[MOST_BUFFERS], queued;
static unsigned sequence;

static int has_fault(const char *name) {
    const char *fault = getenv("FAKE_FAULT");
    return fault && strcmp(fault, name) == 0;
}

static int is_camera(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 5);
}

static unsigned format_letters(void) {
    const char *name = getenv("FAKE_FORMAT");
    return v4l2_fourcc(name[0], name[1], name[2], name[3]);
}

static void size_of(unsigned *width, unsigned *height) {
    sscanf(getenv("FAKE_SIZE"), "%ux%u", width, height);
}

static unsigned frame_bytes(void) {
    unsigned width, height;
    size_of(&width, &height);
    return width * height * (format_letters() == V4L2_PIX_FMT_GREY ? 1 : 2);
}

static int fail(int code) {
    errno = code;
    return -1;
}

static int give_frame(struct v4l2_buffer *buffer) {
    if (has_fault("gone") && sequence > 0) return fail(ENODEV);
    if (has_fault("hang"))
        for (;;) pause();
    if (queued == 0) return fail(EAGAIN);
    const char *fps = getenv("FAKE_FPS");
    struct timespec wait = {0, 1000000000L / (fps ? atoi(fps) : 30)};
    nanosleep(&wait, NULL);
    FILE *file = fopen(getenv("FAKE_FRAMES"), "rb");
    if (!file) return fail(EIO);
    fseek(file, 0, SEEK_END);
    unsigned bytes = frame_bytes(), count = (unsigned)ftell(file) / bytes;
    unsigned number = sequence < count ? sequence : count - 1;
    buffer->index = (unsigned)queue[0];
    memmove(queue, queue + 1, sizeof queue - sizeof *queue);
    queued--;
    fseek(file, (long)number * bytes, SEEK_SET);
    if (fread(buffers[buffer->index], 1, bytes, file) != bytes) return fail(EIO);
    fclose(file);
    buffers[buffer->index][sequence % 64 * 2] ^= (unsigned char)(sequence / 64 + 1); /* noise */
    buffer->sequence = sequence++;
    buffer->bytesused = buffer->length = bytes;
    buffer->flags = V4L2_BUF_FLAG_DONE;
    return 0;
}

static int answer(unsigned long request, void *data) {
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *found = data;
        memset(found, 0, sizeof *found);
        strcpy((char *)found->driver, "uvcvideo");
        strcpy((char *)found->card, "Camera of the test");
        found->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        found->capabilities = found->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *found = data;
        if (found->index > 0 || found->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        found->pixelformat = format_letters();
        return 0;
    }
    case VIDIOC_G_INPUT:
        *(int *)data = 0;
        return 0;
    case VIDIOC_S_INPUT:
        return 0;
    case VIDIOC_ENUMINPUT:
        return ((struct v4l2_input *)data)->index == 0 ? 0 : fail(EINVAL);
    case VIDIOC_G_FMT:
    case VIDIOC_TRY_FMT:
    case VIDIOC_S_FMT: {
        struct v4l2_format *found = data;
        if (found->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        size_of(&found->fmt.pix.width, &found->fmt.pix.height);
        found->fmt.pix.pixelformat = format_letters();
        found->fmt.pix.sizeimage = frame_bytes();
        found->fmt.pix.bytesperline = frame_bytes() / found->fmt.pix.height;
        found->fmt.pix.field = V4L2_FIELD_NONE;
        return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM:
        return 0;
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *asked = data;
        if (has_fault("busy")) return fail(EBUSY);
        if (asked->count > MOST_BUFFERS) asked->count = MOST_BUFFERS;
        return 0;
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = data;
        buffer->length = frame_bytes();
        buffer->m.offset = buffer->index << 12;
        return 0;
    }
    case VIDIOC_QBUF:
        if (queued == MOST_BUFFERS) return fail(EINVAL);
        queue[queued++] = (int)((struct v4l2_buffer *)data)->index;
        return 0;
    case VIDIOC_DQBUF:
        return give_frame(data);
    case VIDIOC_STREAMON:
        return 0;
    case VIDIOC_STREAMOFF:
        queued = 0;
        return 0;
    }
    return fail(ENOTTY);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list more;
    va_start(more, request);
    void *data = va_arg(more, void *);
    va_end(more);
    request &= 0xffffffffUL;
    if ((request >> 8 & 0xff) == 'V' && is_camera(fd)) return answer(request, data);
    return (int)syscall(SYS_ioctl, fd, request, data);
}

void *mmap(void *at, size_t length, int rights, int flags, int fd, off_t offset) {
    if (fd >= 0 && is_camera(fd) && (offset >> 12) < MOST_BUFFERS) {
        void *made = (void *)syscall(SYS_mmap, NULL, length, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
        buffers[offset >> 12] = made;
        return made;
    }
    return (void *)syscall(SYS_mmap, at, length, rights, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int rights, int flags, int fd, off_t offset) {
    return mmap(at, length, rights, flags, fd, offset);
}
