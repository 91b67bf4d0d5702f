// Writes rows into public.notification and says when: see `usage`.

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "marks.h"
#include "options.h"
#include "writer.h"

static const char usage[] =
    "usage: inserter --url URL --rows N [--writers W] [--batch M] [--rate R] [--users U] [--first-user F]\n"
    "                [--in-turn] [--first-row N] [--padding BYTES] [--commits FILE] [--wait-marked]\n"
    "Writes N rows for random users in statements of M rows, each a transaction, from W connections, as fast as\n"
    "they go or R statements a second each. --in-turn takes users one after the other; --first-row numbers the rows\n"
    "from N on, a multiple of W; --padding makes each row's data so much longer. --commits keeps when each commit "
    "returned; --wait-marked waits until\n"
    "every row is marked sent. Prints one line of JSON.\n";

#define MAX_WRITERS 64

typedef struct job {
  writer_plan plan;
  const char *commits_path;
  bool wait_marked;
} job;

static job parse(int count, char **arguments) {
  static const struct option names[] = {
      {"url", 1, NULL, 'd'},     {"rows", 1, NULL, 'n'},       {"writers", 1, NULL, 'w'},
      {"batch", 1, NULL, 'b'},   {"rate", 1, NULL, 'r'},       {"users", 1, NULL, 'u'},
      {"commits", 1, NULL, 'c'}, {"first-user", 1, NULL, 'f'}, {"wait-marked", 0, NULL, 'm'},
      {"in-turn", 0, NULL, 't'}, {"first-row", 1, NULL, 'o'},  {"padding", 1, NULL, 'p'},
      {NULL, 0, NULL, 0}};
  job job = {.plan = {.writers = 1, .batch = 1, .users = 1000, .first_user = 1}};
  writer_plan *plan = &job.plan;
  for (int option = 0; (option = getopt_long(count, arguments, "", names, NULL)) != -1;) {
    switch (option) {
      case 'd':
        plan->url = optarg;
        break;
      case 'n':
        plan->rows = option_number("rows", optarg, 1, 100000000);
        break;
      case 'w':
        plan->writers = (unsigned)option_number("writers", optarg, 1, MAX_WRITERS);
        break;
      case 'b':
        plan->batch = (unsigned)option_number("batch", optarg, 1, 10000);
        break;
      case 'r':
        plan->rate = (unsigned)option_number("rate", optarg, 1, 100000);
        break;
      case 'u':
        plan->users = option_number("users", optarg, 1, 1000000000);
        break;
      case 'f':
        plan->first_user = option_number("first-user", optarg, 1, 1000000000);
        break;
      case 'c':
        job.commits_path = optarg;
        break;
      case 't':
        plan->in_turn = true;
        break;
      case 'o':
        plan->first_row = option_number("first-row", optarg, 0, 100000000);
        break;
      case 'p':
        plan->padding = (unsigned)option_number("padding", optarg, 0, 200000);
        break;
      case 'm':
        job.wait_marked = true;
        break;
      default:
        fail("%s", usage);
    }
  }
  if (plan->url == NULL || plan->rows == 0 || optind != count) {
    fail("%s", usage);
  }
  if (plan->rows % ((uint64_t)plan->writers * plan->batch) != 0) {
    fail("--rows must be a multiple of writers times batch");
  }
  return job;
}

static int64_t *map_commits(const char *path, uint64_t rows) {
  const size_t bytes = rows * sizeof(int64_t);
  const int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, (off_t)bytes) != 0) {
    fail("can't write %s", path);
  }
  int64_t *commits = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  (void)close(file);
  if (commits == MAP_FAILED) {
    fail("can't map %s", path);
  }
  return commits;
}

static atomic_uint running;

static void *run_and_count(void *argument) {
  (void)writer_run(argument);
  (void)atomic_fetch_sub(&running, 1);
  return NULL;
}

static void print(const job *job, writer *writers, int64_t marked, double cpu) {
  samples commit_times = {0};
  int64_t first = INT64_MAX;
  int64_t last = 0;
  uint64_t late = 0;
  for (unsigned i = 0; i < job->plan.writers; i++) {
    first = writers[i].first_sent < first ? writers[i].first_sent : first;
    last = writers[i].last_returned > last ? writers[i].last_returned : last;
    late += writers[i].late;
    for (size_t k = 0; k < writers[i].commit_times.count; k++) {
      samples_add(&commit_times, writers[i].commit_times.values[k]);
    }
    samples_free(&writers[i].commit_times);
  }
  (void)printf("{\"rows\":%" PRIu64 ",\"first_ns\":%" PRId64 ",\"inserted_ns\":%" PRId64 ",\"late\":%" PRIu64
               ",\"cpu_seconds\":%.3f",
               job->plan.rows, first, last, late, cpu);
  if (job->wait_marked) {
    (void)printf(",\"marked_ns\":%" PRId64, marked);
  }
  samples_print(&commit_times, "commit_us", stdout);
  (void)printf("}\n");
  samples_free(&commit_times);
}

int main(int count, char **arguments) {
  job job = parse(count, arguments);
  marks marks = {0};
  pthread_barrier_t start;
  writer writers[MAX_WRITERS] = {0};
  if (job.commits_path != NULL) {
    job.plan.commits = map_commits(job.commits_path, job.plan.rows);
  }
  if (job.wait_marked) {
    marks_begin(&marks, job.plan.url, true);
  }
  (void)pthread_barrier_init(&start, NULL, job.plan.writers);
  atomic_store(&running, job.plan.writers);
  for (unsigned i = 0; i < job.plan.writers; i++) {
    writers[i].plan = &job.plan;
    writers[i].start = &start;
    writers[i].index = i;
    if (pthread_create(&writers[i].thread, NULL, run_and_count, &writers[i]) != 0) {
      fail("can't start a thread");
    }
  }
  while (job.wait_marked && atomic_load(&running) > 0) {
    clock_sleep_until(clock_now() + NANOSECONDS / 10);
    (void)marks_look(&marks);
  }
  for (unsigned i = 0; i < job.plan.writers; i++) {
    (void)pthread_join(writers[i].thread, NULL);
  }
  const double cpu = clock_cpu_seconds();
  int64_t marked = 0;
  if (job.wait_marked) {
    marked = marks_wait(&marks);
    marks_end(&marks);
  }
  print(&job, writers, marked, cpu);
  return 0;
}
