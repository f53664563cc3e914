#include <cerrno>

#include "arrow_sink.hpp"
#include "filetree/report.hpp"

namespace filetree {

struct Scan::Stream {
    Stream(std::size_t threshold, const Report::Shared& shared)
        : queue(std::make_shared<report::BatchQueue>(threshold, shared.gauge, shared.spill,
                                                     report::BatchCodec(pool))) {}

    std::shared_ptr<report::BatchPool> pool = std::make_shared<report::BatchPool>();
    std::shared_ptr<report::BatchQueue> queue;
};

Scan::Scan(std::shared_ptr<FileSystem> fs, const std::string& top, const ReportOptions& options,
           std::shared_ptr<Checkpoint> checkpoint)
    : Report(options, std::move(checkpoint)),
      stream_(std::make_unique<Stream>(options.buffer_threshold, *shared_)) {
    walk_ = std::make_unique<Walk>(
        std::move(fs), top, options.walk,
        [queue = stream_->queue, pool = stream_->pool, shared = shared_] {
            return std::make_unique<report::ArrowSink>(queue, pool, shared);
        },
        shared_->gauge, rests([queue = stream_->queue](const std::shared_ptr<const Mark>& mark) {
            queue->push_mark(mark);
        }));
    walk_->on_finished([queue = stream_->queue] { queue->finish(); });
}

Scan::~Scan() { Scan::close(); }

void Scan::close() noexcept {
    if (!walk_->in_own_process()) return;
    stream_->queue->close();
    walk_->close();
}

Scan::Next Scan::next(ArrowArray& out, std::chrono::nanoseconds timeout,
                      std::shared_ptr<const Mark>* mark) {
    std::unique_ptr<report::RecordBatch> batch;
    std::shared_ptr<const Mark> found;
    switch (stream_->queue->pop(batch, found, timeout)) {
        case report::BatchQueue::Pop::mark:
            if (mark != nullptr) *mark = std::move(found);
            return Next::mark;
        case report::BatchQueue::Pop::timeout:
            return Next::timeout;
        case report::BatchQueue::Pop::end:
            rethrow_failure();
            if (walk_->cancelled()) throw SystemError(ECANCELED, walk_->top());
            return Next::end;
        case report::BatchQueue::Pop::piece:
            break;
    }
    report::export_batch(std::move(batch), stream_->pool, out);
    return Next::batch;
}

}  // namespace filetree
