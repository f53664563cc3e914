#define _GNU_SOURCE
#include "latencyfs_queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>

enum { kAnswerThreads = 2 };

struct delay_queue {
    uint64_t microseconds;
    void (*answer)(struct delayed*);
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct delayed* head;
    struct delayed** tail;
    bool stopping;
    pthread_t threads[kAnswerThreads];
};

static struct delayed* take(struct delay_queue* queue) {
    pthread_mutex_lock(&queue->mutex);
    while (queue->head == NULL && !queue->stopping)
        pthread_cond_wait(&queue->changed, &queue->mutex);
    struct delayed* element = queue->stopping ? NULL : queue->head;
    if (element != NULL) {
        queue->head = element->next;
        if (queue->head == NULL) queue->tail = &queue->head;
    }
    pthread_mutex_unlock(&queue->mutex);
    return element;
}

static void* answer_when_due(void* argument) {
    struct delay_queue* queue = argument;
    prctl(PR_SET_TIMERSLACK, 1);  // the default of 50 us would be a twentieth of a millisecond
    for (struct delayed* element; (element = take(queue)) != NULL;) {
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &element->due, NULL);
        queue->answer(element);
    }
    return NULL;
}

// Signals are for the main thread, which ends the session.
static bool start_threads(struct delay_queue* queue) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    for (int i = 0; i < kAnswerThreads && started; ++i)
        started = pthread_create(&queue->threads[i], NULL, answer_when_due, queue) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct delay_queue* delay_queue_start(uint64_t microseconds, void (*answer)(struct delayed*)) {
    struct delay_queue* queue = calloc(1, sizeof *queue);
    if (queue == NULL) return NULL;
    queue->microseconds = microseconds;
    queue->answer = answer;
    queue->tail = &queue->head;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
    return start_threads(queue) ? queue : NULL;
}

static struct timespec later(uint64_t microseconds) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    const uint64_t nanoseconds = (uint64_t)time.tv_nsec + microseconds % 1000000 * 1000;
    time.tv_sec += (time_t)(microseconds / 1000000 + nanoseconds / 1000000000);
    time.tv_nsec = (long)(nanoseconds % 1000000000);
    return time;
}

void delay_queue_add(struct delay_queue* queue, struct delayed* element) {
    if (queue->microseconds == 0) {
        queue->answer(element);
        return;
    }
    element->next = NULL;
    element->due = later(queue->microseconds);
    pthread_mutex_lock(&queue->mutex);
    *queue->tail = element;
    queue->tail = &element->next;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}

void delay_queue_stop(struct delay_queue* queue) {
    pthread_mutex_lock(&queue->mutex);
    queue->stopping = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    for (int i = 0; i < kAnswerThreads; ++i) pthread_join(queue->threads[i], NULL);
    free(queue);
}
