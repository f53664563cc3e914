// Calls functions a fixed time later. All delays are equal, so the queue is a plain FIFO and any
// number of requests can be under way without a thread blocked for each.
#ifndef FILETREE_BENCH_LATENCYFS_QUEUE_H_
#define FILETREE_BENCH_LATENCYFS_QUEUE_H_

#include <stdint.h>
#include <time.h>

// Embed it as the first member of what the function needs.
struct delayed {
    struct delayed* next;
    struct timespec due;
};

struct delay_queue;

// Starts the threads that call `answer` for each element, when `microseconds` have passed since it
// was added; answer takes over the element. NULL when threads cannot be started.
struct delay_queue* delay_queue_start(uint64_t microseconds, void (*answer)(struct delayed*));

// From any thread. With a delay of 0 `answer` is called at once.
void delay_queue_add(struct delay_queue* queue, struct delayed* element);

// Stops the threads. What still waits is left alone, never answered and not freed.
void delay_queue_stop(struct delay_queue* queue);

#endif
