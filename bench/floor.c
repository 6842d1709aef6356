/*
 * The floor: what moving the unique blobs costs when nothing else is done. It splices each blob from
 * the source's connection to the target's inside the kernel: no digest, no manifests, no mounts, no
 * errors handled. It reads lines of `source-repository target-repository digest size`, the largest
 * first, and ends with 1 at the first thing that is not as it expects.
 *
 *   floor SOURCE_PORT TARGET_PORT THREADS < blobs
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct blob {
  char source[256], target[256], digest[80];
  long size;
};

struct answer {
  int status;
  long length;
  char location[4096];
  /* What was read beyond the head. */
  char rest[65536];
  size_t extra;
};

static struct blob *blobs;
static size_t count, next;
static int source_port, target_port;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int dial(int port) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static void put(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n <= 0) fail("write");
    bytes += n;
    length -= n;
  }
}

/* Reads the head of an answer, and its body where that is not a blob. */
static void hear(int fd, struct answer *answer, int is_blob) {
  size_t have = 0;
  char *end = NULL, *body;
  while (end == NULL) {
    if (have + 1 >= sizeof answer->rest) fail("head too long");
    ssize_t n = read(fd, answer->rest + have, sizeof answer->rest - have - 1);
    if (n <= 0) fail("read");
    have += n;
    answer->rest[have] = 0;
    end = strstr(answer->rest, "\r\n\r\n");
  }
  *end = 0;
  body = end + 4;
  answer->status = atoi(answer->rest + 9);
  answer->length = 0;
  answer->location[0] = 0;
  for (char *line = strstr(answer->rest, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, "content-length:", 15) == 0) answer->length = atol(line + 15);
    if (strncasecmp(line, "location:", 9) == 0) sscanf(line + 9, " %4095[^\r]", answer->location);
  }
  answer->extra = have - (body - answer->rest);
  memmove(answer->rest, body, answer->extra);
  for (char skip[4096]; !is_blob && (long)answer->extra < answer->length;) {
    ssize_t n = read(fd, skip, sizeof skip);
    if (n <= 0) fail("read");
    answer->extra += n;
  }
}

static void carry(int from, int to, int pipe[2], long left) {
  while (left > 0) {
    ssize_t got = splice(from, NULL, pipe[1], NULL, left < 1 << 20 ? left : 1 << 20, SPLICE_F_MOVE);
    if (got <= 0) fail("splice in");
    left -= got;
    while (got > 0) {
      ssize_t n = splice(pipe[0], NULL, to, NULL, got, SPLICE_F_MOVE | (left ? SPLICE_F_MORE : 0));
      if (n <= 0) fail("splice out");
      got -= n;
    }
  }
}

static void *work(void *unused) {
  int source = dial(source_port), target = dial(target_port), ends[2];
  struct answer *answer = malloc(sizeof *answer), *opened = malloc(sizeof *opened);
  char head[8192];
  (void)unused;
  if (pipe2(ends, O_CLOEXEC) < 0) fail("pipe");
  fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  for (;;) {
    pthread_mutex_lock(&lock);
    struct blob *blob = next < count ? &blobs[next++] : NULL;
    pthread_mutex_unlock(&lock);
    if (blob == NULL) return NULL;
    /* The read and the upload are asked for at once: one round trip for both. */
    put(target, head,
        snprintf(head, sizeof head,
                 "POST /v2/%s/blobs/uploads/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 0\r\n\r\n",
                 blob->target, target_port));
    put(source, head,
        snprintf(head, sizeof head, "GET /v2/%s/blobs/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                 blob->source, blob->digest, source_port));
    hear(target, opened, 0);
    hear(source, answer, 1);
    if (opened->status != 202 || answer->status != 200 || answer->length != blob->size) {
      fprintf(stderr, "%s: %d %d\n", blob->digest, opened->status, answer->status);
      exit(1);
    }
    char *path = strstr(opened->location, "/v2/");
    if (path == NULL) fail("no location");
    put(target, head,
        snprintf(head, sizeof head,
                 "PUT %s&digest=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: "
                 "application/octet-stream\r\nContent-Length: %ld\r\n\r\n",
                 path, blob->digest, target_port, blob->size));
    put(target, answer->rest, answer->extra);
    carry(source, target, ends, blob->size - (long)answer->extra);
    hear(target, opened, 0);
    if (opened->status != 201) {
      fprintf(stderr, "%s: commit answered %d\n", blob->digest, opened->status);
      exit(1);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  source_port = atoi(argv[1]);
  target_port = atoi(argv[2]);
  int threads = atoi(argv[3]);
  blobs = calloc(10000, sizeof *blobs);
  while (count < 10000 && scanf("%255s %255s %79s %ld", blobs[count].source, blobs[count].target,
                                blobs[count].digest, &blobs[count].size) == 4)
    count++;
  pthread_t *all = calloc(threads, sizeof *all);
  for (int i = 0; i < threads; i++)
    if (pthread_create(&all[i], NULL, work, NULL)) fail("thread");
  for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
  return 0;
}
