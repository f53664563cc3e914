#include "file_pair.hpp"

#include <utility>

namespace filetree::compare {
namespace {

// In how many places at once a file is read, however slow its storage is.
constexpr unsigned most_pair_helpers = 8;

}  // namespace

FilePairJob::FilePairJob(std::shared_ptr<FileSystem> fs, std::string path_a, std::string path_b,
                         const CompareOptions& options)
    : fs_(std::move(fs)),
      path_a_(std::move(path_a)),
      path_b_(std::move(path_b)),
      options_(options) {
    limit_ = options.max_workers != 0 ? options.max_workers : most_pair_helpers;
}

std::uint64_t FilePairJob::bytes_read() const {
    const std::lock_guard lock(mutex_);
    return files_ ? files_->bytes_read() : bytes_read_;
}

Job::Piece FilePairJob::take() {
    if (phase_ == Phase::closed) {
        phase_ = Phase::opening;
        return [this] { open(); };
    }
    if (phase_ != Phase::reading || !files_->has_more()) return {};
    return [this, range = files_->claim()] {
        files_->read(range, stop_flag());
        stop_when_different();
    };
}

bool FilePairJob::has_more() const {
    return phase_ == Phase::closed || (phase_ == Phase::reading && files_->has_more());
}

void FilePairJob::open() {
    try {
        auto a = std::make_unique<FileSource>(*fs_, path_a_);
        auto b = std::make_unique<FileSource>(*fs_, path_b_);
        const std::lock_guard lock(mutex_);
        files_.emplace(std::move(a), std::move(b), options_);
    } catch (const CompareError& error) {
        if (!shortage_.is_worth_another_try(error.error())) throw;
        const std::lock_guard lock(mutex_);
        phase_ = Phase::closed;
        return;
    }
    judge();
}

void FilePairJob::judge() {
    files_->judge(stop_flag());
    if (files_->has_more()) files_->read(files_->claim(), stop_flag());
    stop_when_different();
    const std::lock_guard lock(mutex_);
    phase_ = Phase::reading;
}

void FilePairJob::stop_when_different() noexcept {
    if (files_->difference() != Difference::none) stop();
}

void FilePairJob::conclude() {
    files_->check_unchanged();
    equal_ = files_->difference() == Difference::none;
}

void FilePairJob::release() noexcept {
    const std::lock_guard lock(mutex_);
    if (files_) bytes_read_ = files_->bytes_read();
    files_.reset();
}

}  // namespace filetree::compare
