#include "stream_pair_job.hpp"

#include <utility>

namespace filetree::compare {

StreamPairJob::StreamPairJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client,
                             SourceRef a, SourceRef b, const CompareOptions& options)
    : fs_(std::move(fs)),
      client_(std::move(client)),
      a_(std::move(a)),
      b_(std::move(b)),
      options_(options) {
    limit_ = 1;
}

std::uint64_t StreamPairJob::bytes_read() const {
    const std::lock_guard lock(mutex_);
    return bytes_read_ + (pair_ ? pair_->bytes_read() : 0);
}

Job::Piece StreamPairJob::take() {
    if (done_ || !woken_.exchange(false)) return {};
    return [this] { go_on(); };
}

bool StreamPairJob::has_more() const { return !done_ && woken_; }

void StreamPairJob::go_on() {
    try {
        if (!pair_) begin();
        const StreamStep step = pair_->go_on(stop_flag());
        if (step == StreamStep::more) woken_ = true;
        if (step != StreamStep::done) return;
        const std::lock_guard lock(mutex_);
        equal_ = pair_->difference() == Difference::none;
        done_ = true;
    } catch (const CompareError& error) {
        if (!shortage_.is_worth_another_try(error.error())) throw;
        release();
        woken_ = true;
    }
}

void StreamPairJob::begin() {
    auto pair = std::make_unique<StreamPair>(*fs_, *client_, a_, b_, options_,
                                             waker([this] { woken_ = true; }));
    const std::lock_guard lock(mutex_);
    pair_ = std::move(pair);
}

void StreamPairJob::release() noexcept {
    std::unique_ptr<StreamPair> ending;  // destroyed without the lock
    const std::lock_guard lock(mutex_);
    if (pair_) bytes_read_ += pair_->bytes_read();
    ending = std::move(pair_);
}

}  // namespace filetree::compare
