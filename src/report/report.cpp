#include "filetree/report.hpp"

#include "shared.hpp"

namespace filetree {

Report::Report(const ReportOptions& options)
    : shared_(std::make_shared<Shared>(options.spill_directory)) {}
Report::~Report() = default;

std::optional<int> Report::wait_started(std::chrono::nanoseconds timeout) {
    return walk_->wait_started(timeout);
}

WalkProgress Report::progress() const {
    WalkProgress progress = walk_->progress();
    const std::lock_guard lock(shared_->mutex);
    progress.errors += shared_->errors.size();
    if (shared_->spill) progress.spilled = shared_->spill->written();
    return progress;
}

std::vector<EntryError> Report::errors() const {
    std::vector<EntryError> errors = walk_->errors();
    const std::lock_guard lock(shared_->mutex);
    errors.insert(errors.end(), shared_->errors.begin(), shared_->errors.end());
    return errors;
}

ReportNotes Report::notes() const {
    const std::lock_guard lock(shared_->mutex);
    return {shared_->clamped_times.load(std::memory_order_relaxed), shared_->bad_paths_seen};
}

std::vector<std::string> Report::take_bad_paths() {
    const std::lock_guard lock(shared_->mutex);
    return std::exchange(shared_->bad_paths, {});
}

void Report::rethrow_failure() const {
    if (const std::exception_ptr failure = walk_->failure()) std::rethrow_exception(failure);
    const int started = walk_->wait_started(std::chrono::nanoseconds(0)).value_or(0);
    if (started != 0) throw SystemError(started, walk_->top());
}

}  // namespace filetree
