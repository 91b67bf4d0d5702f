// Clients of the gateway under test: plain sockets, read by one thread that doesn't allocate.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "micro_support.h"

enum { MOST = 4096, WAIT_SECONDS = 10 };

static int sockets[MOST];
static _Atomic uint64_t received[MOST];
static size_t sockets_count;
static int poller = -1;
static int stopper = -1;
static pthread_t reader;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t all_bytes;
static uint64_t all_rows;

static bool read_byte(int socket, unsigned char *byte) {
  return recv(socket, byte, 1, MSG_WAITALL) == 1;
}

// The answer's head, up to its empty line; whether it is a 101.
static bool read_head(int socket) {
  static const char end[] = "\r\n\r\n";
  unsigned char head[2048];
  size_t length = 0;
  while (length < sizeof head && read_byte(socket, &head[length])) {
    length++;
    if (length >= 4 && memcmp(&head[length - 4], end, 4) == 0) {
      return memcmp(head, "HTTP/1.1 101", 12) == 0;
    }
  }
  return false;
}

// One frame of a server of up to 64 KiB.
static bool skip_frame(int socket) {
  unsigned char head[2];
  unsigned char byte;
  if (recv(socket, head, sizeof head, MSG_WAITALL) != sizeof head || head[0] != 0x81) {
    return false;
  }
  size_t length = head[1];
  if (length == 126) {
    if (recv(socket, head, sizeof head, MSG_WAITALL) != sizeof head) {
      return false;
    }
    length = (size_t)head[0] << 8 | head[1];
  }
  while (length > 0 && read_byte(socket, &byte)) {
    length--;
  }
  return length == 0;
}

int micro_client_open(uint16_t port, int64_t user) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char request[512];
  int length = snprintf(request, sizeof request,
                        "GET /ws/notifications/?token=user-%lld HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        (long long)user);
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (client < 0) {
    return -1;
  }
  struct timeval timeout = {.tv_sec = WAIT_SECONDS};
  if (setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
      connect(client, (struct sockaddr *)&address, sizeof address) == 0 &&
      send(client, request, (size_t)length, MSG_NOSIGNAL) == length && read_head(client) && skip_frame(client)) {
    return client;
  }
  close(client);
  return -1;
}

static void take(size_t index) {
  static char bytes[1 << 16];
  ssize_t length = recv(sockets[index], bytes, sizeof bytes, MSG_DONTWAIT);
  if (length <= 0) {
    // Ended: what is missing will be noticed by whoever waits for it.
    epoll_ctl(poller, EPOLL_CTL_DEL, sockets[index], NULL);
    return;
  }
  atomic_fetch_add_explicit(&received[index], (uint64_t)length, memory_order_relaxed);
  pthread_mutex_lock(&lock);
  all_bytes += (uint64_t)length;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

static void *read_all(void *unused) {
  (void)unused;
  struct epoll_event events[256];
  while (true) {
    int count = epoll_wait(poller, events, 256, -1);
    for (int index = 0; index < count; index++) {
      if (events[index].data.u64 == MOST) {
        return NULL;
      }
      take(events[index].data.u64);
    }
  }
}

static bool watch(int descriptor, uint64_t index) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
  return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool micro_clients_read(const int *given, size_t count) {
  if (count > MOST || poller >= 0) {
    return false;
  }
  poller = epoll_create1(EPOLL_CLOEXEC);
  stopper = eventfd(0, EFD_CLOEXEC);
  sockets_count = count;
  all_bytes = 0;
  all_rows = 0;
  bool is_good = poller >= 0 && stopper >= 0 && watch(stopper, MOST);
  for (size_t index = 0; index < count; index++) {
    sockets[index] = given[index];
    atomic_store(&received[index], 0);
    is_good = is_good && watch(given[index], index);
  }
  return is_good && pthread_create(&reader, NULL, read_all, NULL) == 0;
}

uint64_t micro_clients_bytes(size_t index) {
  return atomic_load_explicit(&received[index], memory_order_relaxed);
}

void micro_clients_close(void) {
  eventfd_write(stopper, 1);
  pthread_join(reader, NULL);
  for (size_t index = 0; index < sockets_count; index++) {
    close(sockets[index]);
  }
  close(stopper);
  close(poller);
  stopper = -1;
  poller = -1;
}

void micro_confirmed(uint64_t rows) {
  pthread_mutex_lock(&lock);
  all_rows += rows;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

bool micro_wait(uint64_t bytes, uint64_t rows) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WAIT_SECONDS;
  pthread_mutex_lock(&lock);
  int status = 0;
  while (status == 0 && (all_bytes < bytes || all_rows < rows)) {
    status = pthread_cond_timedwait(&changed, &lock, &until);
  }
  bool is_there = all_bytes >= bytes && all_rows >= rows;
  pthread_mutex_unlock(&lock);
  return is_there;
}
